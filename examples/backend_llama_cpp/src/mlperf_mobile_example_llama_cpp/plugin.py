"""The offer of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer llama.cpp on the CPU."""
    yield BackendInfo(
        name="example-llama-cpp",
        summary="GGUF language models on llama.cpp (an example)",
        vendor="llama.cpp",
        backend=Ref("mlperf_mobile_example_llama_cpp.backend:LlamaCppBackend"),
        accelerators=("cpu",),
        model_formats=("gguf",),
        capabilities=frozenset({Capability.TOKEN_STREAM}),
        needs=(
            Need(
                what="llama-cpp-python",
                modules=("llama_cpp",),
                fix="pip install 'mlperf-mobile-example-llama-cpp[llama-cpp]'",
            ),
        ),
        options=Ref("mlperf_mobile_example_llama_cpp.options:Options"),
        hook_api=(2, 3),
    )
