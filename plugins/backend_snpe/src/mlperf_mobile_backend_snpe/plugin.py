"""What this distribution offers."""

from __future__ import annotations

import os
from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, EnvFact, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backends ``snpe`` and ``genie``."""
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
                libraries=_with_sdk("libSNPE.so"),
                programs=("snpe-net-run",),
            ),
        ),
        options=Ref("mlperf_mobile_backend_snpe.options:SnpeOptions"),
        hook_api=(2, 0),
    )
    yield BackendInfo(
        name="genie",
        summary="language models on Genie, the generation library of Qualcomm's AI Runtime SDK",
        vendor="Qualcomm",
        backend=Ref("mlperf_mobile_backend_snpe.genie.backend:GenieBackend"),
        accelerators=("htp", "gpu", "cpu"),
        model_formats=("genie_config.json",),
        capabilities=frozenset({Capability.TOKEN_STREAM}),
        needs=(
            Need(
                what="Genie (libGenie.so)",
                fix="install Qualcomm's AI Runtime SDK (QAIRT) and set QAIRT_SDK_ROOT, or give the path: "
                "--set library=PATH",
                libraries=_with_sdk("libGenie.so"),
                options=("library",),
            ),
        ),
        options=Ref("mlperf_mobile_backend_snpe.genie.options:GenieOptions"),
        hook_api=(2, 3),
    )


def _with_sdk(library: str) -> tuple[str, ...]:
    """A library's name, and its path in the SDK that a variable names."""
    if not any(os.environ.get(root) for root in ("QAIRT_SDK_ROOT", "QNN_SDK_ROOT", "SNPE_ROOT")):
        return (library,)  # without importing anything, as listings do
    from mlperf_mobile_backend_snpe.native import sdk

    return tuple(dict.fromkeys((library, sdk.library(library))))


@hookimpl
def mlperf_mobile_environment(backend: str) -> Iterable[EnvFact]:
    """Report the device's SoC if it is a known one of Qualcomm's."""
    if backend in ("snpe", "genie"):
        from mlperf_mobile_backend_snpe import socs

        if soc := socs.detect():
            yield EnvFact("qualcomm.soc", soc.name)
            yield EnvFact("qualcomm.soc_id", socs.kernel_id() or 0)
