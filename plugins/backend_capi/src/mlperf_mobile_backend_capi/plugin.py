"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend ``capi``."""
    yield BackendInfo(
        name="capi",
        summary="A vendor's own backend library for the MLPerf Mobile app, through its mlperf_backend_* C interface",
        vendor="MLCommons",
        backend=Ref("mlperf_mobile_backend_capi.backend:CBackend"),
        accelerators=("npu", "gpu", "cpu"),
        model_formats=("tflite", "dlc", "dla", "nnc", "bin", "onnx", "mlmodel"),
        capabilities=frozenset({Capability.BATCH, Capability.QUANTIZED, Capability.TOKEN_STREAM}),
        needs=(
            Need(
                what="a vendor's library, set in the option library",
                fix="--backend capi --set library=PATH",
                options=("library",),
            ),
        ),
        options=Ref("mlperf_mobile_backend_capi.options:COptions"),
        hook_api=(2, 0),
    )
