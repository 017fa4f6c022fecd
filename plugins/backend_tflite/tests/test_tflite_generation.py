"""Language models: answers are those of attention over the whole text, on both ways to run signatures."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Generation
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.caches import SharedCaches
from mlperf_mobile_backend_tflite.generating import TFLiteTokenSession
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.runtime import Runtime
from mlperf_mobile_backend_tflite.signatures import Ends, checked

TOOLS = Path(__file__).parents[1] / "tools"
CONTEXT = 32

Open = Callable[[str], TFLiteTokenSession]


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The numpy model of the script that wrote the file: another algorithm, in double precision."""
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    monkeypatch.syspath_prepend(TOOLS)
    yield importlib.import_module("language_model")
    for name in ("language_model", "model_graph"):
        del sys.modules[name]


@pytest.fixture(params=["shared", "copied"])
def opened(request: pytest.FixtureRequest, models: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Loads a language model, with buffers that calls share or with caches that they copy."""
    if request.param == "copied":
        monkeypatch.setattr(Runtime, "compiles", False)

    def load(name: str) -> TFLiteTokenSession:
        session = TFLiteBackend(TFLiteOptions()).load(
            Artifact(models / "language" / f"{name}.tflite", "cpu", tokens=True)
        )
        assert isinstance(session, TFLiteTokenSession)
        return session

    return load


def prompt(length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, 48, length).astype(np.int32)


def silent() -> None:
    pass


@pytest.mark.parametrize("model", ["language_model", "language_model_slices"])
def test_answers_are_those_of_the_whole_text(opened: Open, reference: ModuleType, model: str) -> None:
    """Every length of prompt: shorter than the signatures, equal, longer, and up to the context; with both updates."""
    session = opened(model)
    for length in range(1, CONTEXT):
        ids = session.generate(prompt(length), Generation(10, (20,)), silent)
        assert ids.tolist() == reference.answer(prompt(length).tolist(), 10, (20,))


@pytest.mark.parametrize("model", ["language_model", "language_model_slices"])
def test_answers_after_a_context_are_those_of_the_whole_text(opened: Open, reference: ModuleType, model: str) -> None:
    """Contexts and prompts shorter than the signatures, equal, and longer, in pieces of every kind."""
    session = opened(model)
    for depth in (1, 4, 7, 8, 19):
        for length in (1, 4, 5, 11):
            ids, calls = prompt(depth + length), list[int]()
            moments = partial(calls.append, 0), partial(calls.append, 1)
            found = session.generate_after(ids[:depth], ids[depth:], Generation(2, (20,)), *moments)
            assert found.tolist() == reference.answer(ids.tolist(), 2, (20,))
            assert calls == [0, 1]


@pytest.mark.parametrize(("model", "sets"), [("language_model", 2), ("language_model_slices", 1)])
def test_slices_are_updated_in_place(models: Path, model: str, sets: int) -> None:
    session = TFLiteBackend(TFLiteOptions()).load(Artifact(models / "language" / f"{model}.tflite", "cpu", tokens=True))
    assert isinstance(session, TFLiteTokenSession)
    caches = session._caches
    if not isinstance(caches, SharedCaches):
        pytest.skip("the runtime shares no buffers")
    assert len({id(each) for each in caches._sets}) == sets


class TestPrefill:
    """The calls of the signatures ``prefill_4``, ``prefill_8`` and ``decode`` in a context of 32."""

    class Recorder:
        def __init__(self, caches):
            self.signatures, self.calls, self._caches = caches.signatures, [], caches

        def clear(self):
            self.calls.clear()
            self._caches.clear()

        def prefill(self, name, tokens, positions):
            self.calls.append((name, positions.tolist()))
            self._caches.prefill(name, tokens, positions)

        def decode(self, token, position):
            self.calls.append(("decode", [position]))
            return self._caches.decode(token, position)

    @pytest.mark.parametrize(
        ("length", "names"),
        [
            (1, []),
            (2, ["prefill_4"]),
            (5, ["prefill_4"]),
            (6, ["prefill_8"]),
            (9, ["prefill_8"]),
            (10, ["prefill_8", "prefill_4"]),
            (17, ["prefill_8", "prefill_8"]),
            (25, ["prefill_8"] * 3),
            (31, ["prefill_8"] * 4),
        ],
    )
    def test_every_length_of_the_file_is_used(self, opened: Open, length: int, names: list[str]) -> None:
        session = opened("language_model")
        recorder = self.Recorder(session._caches)
        session._caches = recorder
        session.generate(prompt(length), Generation(1), silent)
        assert [name for name, _ in recorder.calls] == [*names, "decode"]
        assert recorder.calls[-1] == ("decode", [length - 1])
        positions = [position for name, found in recorder.calls for position in found]
        assert max(positions) < CONTEXT
        assert set(range(length)) <= set(positions)

    def test_slots_that_do_not_fit_are_not_used(self, opened: Open, reference: ModuleType) -> None:
        """With ``prefill_8`` alone, the last tokens before the end of the context go through ``decode``."""
        session = opened("language_model")
        recorder = self.Recorder(session._caches)
        recorder.signatures = replace(recorder.signatures, prefills=((7, "prefill_7"), (8, "prefill_8"))[1:])
        recorder.signatures = replace(recorder.signatures, context=30)
        session._caches, session.context = recorder, 30
        ids = session.generate(prompt(29), Generation(1), silent)
        assert [name for name, _ in recorder.calls] == ["prefill_8"] * 3 + ["decode"] * 5
        assert ids.tolist() == reference.answer(prompt(29).tolist(), 1)


class TestErrors:
    def test_a_model_without_decode(self, opened: Open) -> None:
        with pytest.raises(ModelError) as caught:
            opened("../add")
        assert caught.value.code == "no-signature"
        assert "add.tflite has no signature decode" in caught.value.summary

    def test_caches_in_another_layout(self, opened: Open) -> None:
        """Both layouts are named."""
        with pytest.raises(ModelError) as caught:
            opened("language_model_heads_first")
        assert caught.value.code == "cache-layout"
        for named in ("float32[1,1,32,8]", "[1,groups,context,head]", "[1,context,groups,head]", "LiteRT-LM"):
            assert named in caught.value.summary

    def test_nan(self, opened: Open) -> None:
        with pytest.raises(BackendError) as caught:
            opened("language_model_nan").generate(prompt(3), Generation(4), silent)
        assert caught.value.code == "nan-logits"

    def test_a_prompt_that_is_too_long(self, opened: Open) -> None:
        with pytest.raises(ModelError) as caught:
            opened("language_model").generate(prompt(CONTEXT), Generation(4), silent)
        assert caught.value.code == "prompt-too-long"
        assert "32 tokens does not fit into language_model.tflite, whose context has 32" in caught.value.summary

    def test_run(self, opened: Open) -> None:
        session = opened("language_model")
        for code in ("input-mismatch", "session-closed"):
            with pytest.raises(BackendError) as caught:
                session.run((prompt(3),))
            assert caught.value.code == code
            session.__exit__(None, None, None)


CACHES = {f"kv_cache_{name}_0": ("float32", (1, 32, 1, 8)) for name in "kv"}
DECODE: Ends = (
    {"tokens": ("int32", (1, 1)), "input_pos": ("int32", (1,)), **CACHES},
    {**CACHES, "logits": ("float32", (1, 1, 48))},
)


class TestSignatures:
    """What converters may write."""

    def prefill(self, size: int) -> Ends:
        return {"tokens": ("int32", (1, size)), "input_pos": ("int32", (size,)), **CACHES}, CACHES

    def test_right_ones(self) -> None:
        found = checked({"prefill_4": self.prefill(4), "decode": DECODE, "prefill_16": self.prefill(16)}, "lm")
        assert (found.context, found.vocabulary) == (32, 48)
        assert found.prefills == ((16, "prefill_16"), (4, "prefill_4"))
        assert checked({"decode": DECODE, "embed": ({}, {})}, "lm").prefills == ()

    @pytest.mark.parametrize(
        ("changed", "code", "what"),
        [
            ({"mask": ("float32", (1, 1, 1, 32))}, "no-signature", "mask float32[1, 1, 1, 32]"),
            ({"tokens": ("int64", (1, 1))}, "no-signature", "tokens int64[1, 1]"),
            ({"tokens": ("int32", (1, 2)), "input_pos": ("int32", (2,))}, "no-signature", "takes 2 tokens, not 1"),
            ({"kv_cache_k_0": ("float16", (1, 32, 1, 8))}, "cache-layout", "float16[1,32,1,8]"),
            ({"kv_cache_k_0": ("float32", (1, 16, 1, 8))}, "cache-layout", "different contexts: 16, 32"),
            ({"kv_cache_k_0": ("float32", (32, 8))}, "cache-layout", "float32[32,8]"),
        ],
    )
    def test_wrong_ones(self, changed: dict[str, tuple[str, tuple[int, ...]]], code: str, what: str) -> None:
        with pytest.raises(ModelError) as caught:
            checked({"decode": ({**DECODE[0], **changed}, DECODE[1])}, "lm")
        assert caught.value.code == code
        assert what in caught.value.summary

    @pytest.mark.parametrize(
        ("outputs", "what"),
        [
            (CACHES, "has no float32 output logits"),
            ({"logits": ("float32", (1, 1, 48))}, "does not return the caches"),
            ({**CACHES, "logits": ("int8", (1, 1, 48))}, "has no float32 output logits"),
        ],
    )
    def test_wrong_outputs(self, outputs: dict[str, tuple[str, tuple[int, ...]]], what: str) -> None:
        with pytest.raises(ModelError, match=what):
            checked({"decode": (DECODE[0], outputs)}, "lm")

    def test_prefill_beyond_the_context(self) -> None:
        with pytest.raises(ModelError, match="takes 33 tokens, not at most 32"):
            checked({"decode": DECODE, "prefill_33": self.prefill(33)}, "lm")


def test_tokens_reach_the_artifact(models: Path) -> None:
    request = CompileRequest(models / "language" / "language_model.tflite", "cpu", tokens=True)
    assert TFLiteBackend(TFLiteOptions()).compile(request).tokens


def test_both_ways_place_their_operations(opened: Open) -> None:
    assert set(opened("language_model").placement().operations) == {"cpu"}


def test_a_failing_runtime_is_reported(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened("language_model")

    def fail(*arguments: object) -> None:
        raise RuntimeError("no memory.")

    monkeypatch.setattr(session._caches, "decode", fail)
    with pytest.raises(BackendError, match="failed to run: no memory") as caught:
        session.generate(prompt(3), Generation(4), silent)
    assert caught.value.code == "invoke-failed"
