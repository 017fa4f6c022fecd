"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend ``nnapi``."""
    yield BackendInfo(
        name="nnapi",
        summary="TensorFlow Lite models on Android's Neural Networks API, without a delegate",
        vendor="Android",
        backend=Ref("mlperf_mobile_backend_nnapi.backend:NNAPIBackend"),
        accelerators=("npu", "gpu", "other", "cpu"),
        model_formats=("tflite",),
        capabilities=frozenset({Capability.QUANTIZED}),
        needs=(
            Need(
                what="Android's Neural Networks API",
                fix="run on a device with NNAPI (Android 10 or later), or give the library's path: --set library=PATH",
                libraries=("libneuralnetworks.so",),
                options=("library",),
            ),
        ),
        options=Ref("mlperf_mobile_backend_nnapi.options:NNAPIOptions"),
        hook_api=(2, 0),
    )
