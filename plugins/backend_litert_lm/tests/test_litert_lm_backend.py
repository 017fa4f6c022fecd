"""The backend on a stand-in for LiteRT-LM: what the engine is given, what is counted, and what fails."""

from __future__ import annotations

import sys

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Generation
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile.testing.text_engine import STOP, StandInTextSession
from mlperf_mobile_backend_litert_lm import runtime
from mlperf_mobile_backend_litert_lm.backend import LiteRtLmBackend
from mlperf_mobile_backend_litert_lm.options import LiteRtLmOptions

PROMPT = "w3 w4 w5"
LIMIT = 12


def load(path, **options):
    return LiteRtLmBackend(LiteRtLmOptions(**options)).load(Artifact(path, "cpu", tokens=True))


def stops(limit=40):
    """A prompt whose answer the stop token ends, and the tokens of this answer."""
    for number in range(50):
        found = list(StandInTextSession().tokens(f"w{number}", Generation(limit)))
        if found[-1] == STOP and len(found) < limit:
            return f"w{number}", found
    raise AssertionError("the stand-in never stops")


def test_the_engine_is_asked_as_documented(litert_lm, write):
    """Greedy, no template of its own, no file beside the model, and its counts."""
    with load(write(), threads=3) as session:
        pieces = []
        answer = session.generate_text(PROMPT, Generation(LIMIT), pieces.append)
    assert ("engine", ("cpu", 3), 64, ":nocache", True) in litert_lm.CALLS
    assert ("sampler", 1, 0.0) in litert_lm.CALLS
    assert [call[0] for call in litert_lm.CALLS].count("session closed") == 1
    assert litert_lm.CALLS[-1] == ("engine closed",)
    expected = list(StandInTextSession().tokens(PROMPT, Generation(LIMIT)))
    assert answer.text == "".join(pieces) == " ".join(f"w{token}" for token in expected)
    assert (answer.tokens, answer.prompt_tokens, answer.stopped) == (LIMIT, 3, False)


def test_a_stop_token_is_counted_and_has_no_piece(litert_lm, write):
    prompt, expected = stops()
    pieces = []
    with load(write()) as session:
        answer = session.generate_text(prompt, Generation(40), pieces.append)
    assert (answer.tokens, len(pieces), answer.stopped) == (len(expected), len(expected) - 1, True)


def test_an_answer_without_a_text_is_empty(litert_lm, write):
    with load(write(way="silent")) as session:
        answer = session.generate_text(PROMPT, Generation(LIMIT), pytest.fail)
    assert (answer.text, answer.tokens) == ("", 0)


@pytest.mark.parametrize(
    ("way", "what"),
    [
        ("fails", "generation failed: the engine failed"),
        ("refuses", "the prompt was refused"),
        ("no benchmark", "its number of tokens is unknown"),
        ("counts nothing", "it counted no tokens in an answer"),
    ],
)
def test_failures_of_the_engine(litert_lm, write, way, what):
    with load(write(way=way)) as session, pytest.raises(BackendError, match="invoke-failed") as caught:
        session.generate_text(PROMPT, Generation(LIMIT), lambda text: None)
    assert what in caught.value.summary


def test_an_error_in_a_piece_cancels_the_engine(litert_lm, write):
    def fails(text):
        raise KeyboardInterrupt

    with load(write()) as session, pytest.raises(KeyboardInterrupt):
        session.generate_text(PROMPT, Generation(LIMIT), fails)
    names = [call[0] for call in litert_lm.CALLS]
    assert names.index("cancelled") < names.index("session closed") < names.index("engine closed")


def test_a_prompt_that_is_too_long(litert_lm, write):
    with load(write(context=16)) as session, pytest.raises(ModelError, match="a prompt of 16 tokens does not fit"):
        session.generate_text("word " * 16, Generation(LIMIT), lambda text: None)


class TestContext:
    def test_is_the_models(self, litert_lm, write):
        with load(write(context=99)) as session:
            assert session.context == 99

    def test_may_be_shorter_where_it_is_open(self, litert_lm, write):
        with load(write(context=99, dynamic=True), context=50) as session:
            assert session.context == 50

    @pytest.mark.parametrize(("dynamic", "wanted"), [(False, 50), (True, 100)])
    def test_that_the_model_does_not_have(self, litert_lm, write, dynamic, wanted):
        with pytest.raises(ModelError, match=r"context-fixed.*has a context of 99 tokens"):
            load(write(context=99, dynamic=dynamic), context=wanted)


class TestFiles:
    def test_that_are_missing_or_something_else(self, litert_lm, tmp_path, write):
        (tmp_path / "text.litertlm").write_text("nothing of the kind")
        (tmp_path / "cut.litertlm").write_bytes(b"LITERTLM{")
        for path, code in (
            (tmp_path / "none.litertlm", "model-missing"),
            (tmp_path / "text.litertlm", "model-damaged"),
            (tmp_path / "cut.litertlm", "model-damaged"),
            (write(way="does not load"), "model-damaged"),
            (write("picture.litertlm", llm=False), "model-damaged"),
        ):
            with pytest.raises(MobileError) as caught:
                load(path)
            assert caught.value.code == code

    def test_are_compiled_for_language_models_only(self, litert_lm, write):
        backend = LiteRtLmBackend(LiteRtLmOptions())
        with pytest.raises(BackendError, match="text-only"):
            backend.compile(CompileRequest(write(), "cpu"))
        artifact = backend.compile(CompileRequest(write(), "cpu", tokens=True))
        assert (artifact.path, artifact.tokens) == (write(), True)
        with pytest.raises(BackendError, match="no-accelerator"):
            backend.load(Artifact(write(), "gpu", tokens=True))


class TestProbe:
    def test_without_the_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "litert_lm", None)
        runtime.load.cache_clear()
        probe = LiteRtLmBackend(LiteRtLmOptions()).probe()
        assert not probe.usable
        assert "cannot be imported" in probe.reason
        assert probe.fix == "pip install 'mlperf-mobile-backend-litert-lm[litert-lm]'"

    def test_with_a_library_that_does_not_load(self, litert_lm, monkeypatch):
        def fails(severity):
            raise OSError("liblitert-lm.so: cannot open shared object file")

        runtime.load.cache_clear()
        monkeypatch.setattr(litert_lm, "set_min_log_severity", fails)
        assert "cannot open shared object file" in LiteRtLmBackend(LiteRtLmOptions()).probe().reason

    def test_with_a_package_of_unknown_version(self, litert_lm, monkeypatch):
        monkeypatch.setattr(runtime, "DISTRIBUTIONS", ("no-such-distribution",))
        probe = LiteRtLmBackend(LiteRtLmOptions()).probe()
        assert (probe.usable, probe.runtime, probe.accelerators) == (True, "litert-lm unknown", ("cpu",))
