"""What the kit cannot know: that a prompt is computed anew, and which options the runtime gets."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Generation
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_example_llama_cpp.backend import LlamaCppBackend, LlamaCppSession
from mlperf_mobile_example_llama_cpp.options import Options

MODEL = Path(__file__).with_name("models") / "tiny.gguf"
PROMPT = np.array([3, 4, 5], np.int32)


def load(path: Path = MODEL, options: Options | None = None) -> LlamaCppSession:
    return LlamaCppBackend(options or Options()).load(Artifact(path, "cpu", tokens=True))


def test_the_same_prompt_is_computed_again(llama_cpp: ModuleType) -> None:
    """Otherwise the second time to the first token would be that of a prompt of one token."""
    with load() as session:
        computed = []
        for _ in range(3):
            before = session._model.computed
            session.generate(PROMPT, Generation(4), lambda: None)
            computed.append(session._model.computed - before)
    assert computed == [3 + 3] * 3


def test_options_reach_the_runtime(llama_cpp: ModuleType) -> None:
    with load(options=Options(threads=3, context=32)) as session:
        assert session.context == 32
        expected = {"n_threads": 3, "n_threads_batch": 3, "n_batch": 512, "n_gpu_layers": 0, "verbose": False}
        assert session._model.options == expected


def test_failures_are_named(llama_cpp: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no model")
    (tmp_path / "damaged.gguf").write_bytes(llama_cpp.DAMAGED)
    for name, code in (("none", "model-missing"), ("text", "model-damaged"), ("damaged", "model-damaged")):
        with pytest.raises(ModelError, match=code):
            load(tmp_path / f"{name}.gguf")
    with load() as session:
        session._model.fails = True
        with pytest.raises(BackendError, match="inference-failed"):
            session.generate(PROMPT, Generation(4), lambda: None)
    with pytest.raises(BackendError, match="language models only"):
        LlamaCppBackend(Options()).compile(CompileRequest(MODEL, "cpu"))
    with pytest.raises(BackendError, match="no-accelerator"):
        LlamaCppBackend(Options()).load(Artifact(MODEL, "gpu", tokens=True))


def test_without_the_runtime_the_probe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    probe = LlamaCppBackend(Options()).probe()
    assert not probe.usable
    assert "[llama-cpp]" in probe.fix
