"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend ``tflite``."""
    yield BackendInfo(
        name="tflite",
        summary="TensorFlow Lite models on the CPU (XNNPACK) or an external delegate, with LiteRT or tflite-runtime",
        vendor="Google",
        backend=Ref("mlperf_mobile_backend_tflite.backend:TFLiteBackend"),
        accelerators=("cpu", "delegate"),
        model_formats=("tflite", "tflite-pipeline"),
        capabilities=frozenset({Capability.BATCH, Capability.QUANTIZED, Capability.TOKEN_STREAM}),
        needs=(
            Need(
                what="a TensorFlow Lite runtime",
                fix="pip install 'mlperf-mobile-backend-tflite[litert]', or [tflite-runtime] on Python 3.11",
                modules=("ai_edge_litert", "tflite_runtime"),
            ),
        ),
        options=Ref("mlperf_mobile_backend_tflite.options:TFLiteOptions"),
        tensors=Ref("mlperf_mobile_backend_tflite.formats:declared_tensors"),
        hook_api=(2, 3),
    )
