"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend ``litert_lm``."""
    yield BackendInfo(
        name="litert_lm",
        summary="language models as .litertlm files on LiteRT-LM's CPU engine",
        vendor="Google",
        backend=Ref("mlperf_mobile_backend_litert_lm.backend:LiteRtLmBackend"),
        accelerators=("cpu",),
        model_formats=("litertlm",),
        capabilities=frozenset({Capability.TEXT_STREAM}),
        needs=(
            Need(
                what="LiteRT-LM",
                fix="pip install 'mlperf-mobile-backend-litert-lm[litert-lm]'",
                modules=("litert_lm",),
            ),
        ),
        options=Ref("mlperf_mobile_backend_litert_lm.options:LiteRtLmOptions"),
        hook_api=(2, 4),
    )
