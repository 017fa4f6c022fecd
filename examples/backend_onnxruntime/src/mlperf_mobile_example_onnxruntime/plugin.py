"""The offer of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer ONNX Runtime on the CPU."""
    yield BackendInfo(
        name="example-onnxruntime",
        summary="ONNX Runtime on its CPU kernels (an example)",
        vendor="Microsoft",
        backend=Ref("mlperf_mobile_example_onnxruntime.backend:OnnxRuntimeBackend"),
        accelerators=("cpu",),
        model_formats=("onnx",),
        capabilities=frozenset({Capability.BATCH}),
        needs=(Need(what="ONNX Runtime", modules=("onnxruntime",), fix="pip install onnxruntime"),),
        options=Ref("mlperf_mobile_example_onnxruntime.options:Options"),
        hook_api=(2, 3),
    )
