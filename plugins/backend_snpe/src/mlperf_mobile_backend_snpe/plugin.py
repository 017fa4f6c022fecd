"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, EnvFact, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend ``snpe``."""
    yield BackendInfo(
        name="snpe",
        summary="Qualcomm's HTP, GPU and CPU through QNN or SNPE, and the HTP simulator",
        vendor="Qualcomm",
        backend=Ref("mlperf_mobile_backend_snpe.backend:SnpeBackend"),
        accelerators=("htp", "gpu", "htp-simulator", "cpu"),
        model_formats=("tflite", "onnx", "dlc"),
        capabilities=frozenset({Capability.BATCH, Capability.QUANTIZED}),
        needs=(
            Need(
                what="Qualcomm's QNN or SNPE",
                fix="pip install 'mlperf-mobile-backend-snpe[qnn]' for QNN, or install the SNPE SDK (libSNPE.so)",
                modules=("onnxruntime_qnn",),
                libraries=("libSNPE.so",),
                programs=("snpe-net-run",),
            ),
        ),
        options=Ref("mlperf_mobile_backend_snpe.options:SnpeOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_environment(backend: str) -> Iterable[EnvFact]:
    """Report the device's SoC if it is a known one of Qualcomm's."""
    if backend == "snpe":
        from mlperf_mobile_backend_snpe import socs

        if soc := socs.detect():
            yield EnvFact("qualcomm.soc", soc.name)
            yield EnvFact("qualcomm.soc_id", socs.kernel_id() or 0)
