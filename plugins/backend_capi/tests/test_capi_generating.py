"""Language models of a vendor's library, with a stand-in in C++: the kit's tests, and what breaks the contract."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, Generation
from mlperf_mobile.errors import BackendError
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend_tokens import TokenTests
from mlperf_mobile.testing.command import Command, Done
from mlperf_mobile_backend_capi import plugin
from mlperf_mobile_backend_capi.backend import CBackend
from mlperf_mobile_backend_capi.generating import CTokenSession
from mlperf_mobile_backend_capi.options import COptions
from mlperf_mobile_backend_capi.vectors import Memory, PromptVector

CONTEXT = 24
PROMPT = np.array([3, 40, 7], np.int32)
Load = Callable[..., CTokenSession]


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, built with the system's C++ compiler and its own std::vector."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    library = tmp_path_factory.mktemp("generator") / "liblanguage.so"
    flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-pthread")
    subprocess.run([compiler, *flags, "-o", library, Path(__file__).parent / "test_language.cc"], check=True)
    return library


@pytest.fixture
def language_model(tmp_path: Path) -> Path:
    path = tmp_path / "language.bin"
    path.write_text("a stand-in has no weights")
    return path


@pytest.fixture
def load_language(generator: Path, language_model: Path) -> Load:
    """``load_language(defect="late")``: a session of the stand-in with such settings."""

    def load(context: int | None = CONTEXT, **own: str) -> CTokenSession:
        options = COptions.model_validate({"library": generator, "context": context, "custom_settings": own})
        session = CBackend(options).load(Artifact(language_model, "cpu", tokens=True))
        assert isinstance(session, CTokenSession)
        return session

    return load


class _Kit(TokenTests):
    plugin_module = "mlperf_mobile_backend_capi.plugin"
    own: tuple[tuple[str, str], ...] = ()

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def language_model(self, language_model: Path) -> Path:
        return language_model

    @pytest.fixture
    def options(self, generator: Path) -> COptions:
        return COptions.model_validate({"library": generator, "context": CONTEXT, "custom_settings": dict(self.own)})


class TestGeneration(_Kit):
    pass


class TestGenerationWithALibrarysThread(_Kit):
    own = (("thread", "true"),)


def hashed(prompt: list[int], count: int) -> list[int]:
    """The stand-in's answer, computed here."""
    history = list(prompt)
    for _ in range(count):
        value = 17
        for token in history:
            value = (value * 1664525 + token + 1013904223) % 2**32
        history.append((value >> 9) % 48)
    return history[len(prompt) :]


@pytest.mark.parametrize("own", [{}, {"thread": "true"}])
def test_an_answer_is_the_librarys(load_language: Load, own: dict[str, str]) -> None:
    calls: list[str] = []
    with load_language(**own) as session:
        found = session.generate(PROMPT, Generation(9), lambda: calls.append("first"))
        assert session.report()["first_token_thread"] == ("the library's" if own else "the query's")
    assert found.tolist() == hashed(PROMPT.tolist(), 9)
    assert calls == ["first"]


@pytest.mark.parametrize(("defect", "count"), [("empty", 0), ("one", 1)])
def test_short_answers(load_language: Load, defect: str, count: int) -> None:
    calls: list[str] = []
    with load_language(defect=defect) as session:
        found = session.generate(PROMPT, Generation(4), lambda: calls.append("first"))
    assert found.tolist() == hashed(PROMPT.tolist(), count)
    assert len(calls) == count


IMPOSSIBLE = [
    ("long", "capi-tokens", "it has 5 tokens, but 4 were requested"),
    ("negative", "capi-tokens", "the id -1, which no vocabulary has"),
    ("huge", "capi-tokens", "the id 2147483647"),
    ("backwards", "capi-tokens", "its pointers are"),
    ("storage", "capi-tokens", "its pointers are"),
    ("odd", "capi-tokens", "its pointers are"),
    ("size", "capi-tokens", "its pointers are"),
    ("endless", "capi-tokens", "tokens, but 4 were requested"),
    ("nowhere", "capi-tokens", "the memory at 0x1000 cannot be read"),
    ("lost", "capi-tokens", "the memory at 0x1000 cannot be read"),
    ("swap", "capi-tokens", "changed the vector of the prompt"),
    ("null", "capi-output", "returned NULL"),
    ("silent", "first-token", "the first token never for an answer of 4 tokens"),
    ("twice", "first-token", "the first token 2 times"),
    ("call without tokens", "first-token", "1 times for an answer of 0 tokens"),
    ("fail", "capi-failed", "issue_query failed with status 7"),
    ("flush", "capi-failed", "flush_queries failed"),
]


@pytest.mark.parametrize("thread", ["false", "true"])
@pytest.mark.parametrize(("defect", "code", "says"), IMPOSSIBLE)
def test_impossible_answers(load_language: Load, defect: str, code: str, says: str, thread: str) -> None:
    with load_language(defect=defect, thread=thread) as session, pytest.raises(BackendError) as found:
        session.generate(PROMPT, Generation(4), lambda: None)
    assert found.value.code == code
    assert says in found.value.summary
    assert "\n" not in found.value.summary


def test_a_late_first_token_is_not_that_of_the_next_query(load_language: Load) -> None:
    calls: list[str] = []
    with load_language(defect="late") as session:
        session.generate(PROMPT, Generation(4), lambda: calls.append("first"))
        with pytest.raises(BackendError, match="after its query was over"):
            session.generate(PROMPT, Generation(4), lambda: calls.append("next"))
    assert calls == ["first", "next"]


def test_a_call_when_the_session_ends(load_language: Load) -> None:
    with pytest.raises(BackendError, match="after its query was over"), load_language(defect="last call") as session:
        session.generate(PROMPT, Generation(4), lambda: None)


@pytest.mark.parametrize("thread", ["false", "true"])
def test_an_error_of_the_caller_comes_through_the_library(load_language: Load, thread: str) -> None:
    def refuse() -> None:
        raise BackendError("first-token", "the caller's own", "")

    with load_language(thread=thread) as session:
        with pytest.raises(BackendError, match="the caller's own"):
            session.generate(PROMPT, Generation(4), refuse)
        assert session.generate(PROMPT, Generation(4), lambda: None).tolist() == hashed(PROMPT.tolist(), 4)


def test_the_context(load_language: Load) -> None:
    """Of the option, or of the library; none, or a contradiction, is an error."""
    for option, reported, context in ((24, "0", 24), (None, "32", 32), (20, "32", 20)):
        with load_language(option, reports=reported) as session:
            assert session.context == context
    for option, reported, says in ((None, "0", "reports no context"), (64, "32", "reports 32")):
        with pytest.raises(BackendError, match=says):
            load_language(option, reports=reported)


def test_a_library_without_a_language_model_is_refused(load_language: Load) -> None:
    """Its function would take the vector for an array."""
    with pytest.raises(BackendError, match="as no language model") as found:
        load_language(defect="vision", reports="24")
    assert found.value.code == "capi-tokens"


def test_memory_that_ends_within_a_vector() -> None:
    """A long one is copied in parts."""
    ids = np.arange(5000, dtype=np.int32)
    vector, memory = PromptVector(5000), Memory()
    vector.fill(ids)
    try:
        np.testing.assert_array_equal(memory.ids(vector.address, 5000), ids)
        with pytest.raises(ValueError, match="5000 tokens, but 4999"):
            memory.ids(vector.address, 4999)
    finally:
        memory.close()


@pytest.fixture
def run(generator: Path, language_model: Path, tmp_path: Path, processes: None) -> Callable[..., tuple[Any, Done]]:
    """``run(defect="silent")``: the result of a short run of multiple_choice."""
    pytest.importorskip("mlperf_mobile_task_language_model")
    if not entry_points(group="mlperf_mobile", name="capi"):
        pytest.skip("mlperf-mobile-backend-capi is not installed")

    tokenizer = files("mlperf_mobile_task_language_model") / "quickstart" / "tokenizer.model"

    def run(*arguments: str, **own: str) -> tuple[Any, Done]:
        options = {
            "library": generator, "context": 256, "rules": "quick", "min_duration_s": 0.1, "min_query_count": 70,
            "performance_tokens": 8, "tokenizer": tokenizer, **{f"custom_settings.{key}": own[key] for key in own},
        }  # fmt: skip
        settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
        which = ("--backend", "capi", "--accelerator", "cpu", "--model", language_model)
        mode = () if "--mode" in arguments else ("--mode", "performance")
        return Command(tmp_path).run("multiple_choice", *which, *mode, *arguments, *settings)

    return run


def test_a_run(run: Callable[..., tuple[Any, Done]]) -> None:
    result, done = run(thread="true")
    assert (result["error"], result["valid"]) == (None, True), done.stderr
    assert result["performance"]["tokens"]["generated"]["max"] == 8
    assert result["report"]["cpu"]["name"] == "test_language"


@pytest.mark.parametrize("thread", ["false", "true"])
def test_a_run_without_python(run: Callable[..., tuple[Any, Done]], native: tuple[str, ...], thread: str) -> None:
    """The library gives the same answers to the native runner; what it reports in its own thread counts, too."""
    result, done = run("--mode", "both", *native, thread=thread)
    assert (result["error"], result["runner"]) == (None, "native"), done.stderr
    assert result["performance"]["tokens"]["generated"]["max"] == 8
    assert result["performance"]["tokens"]["ttft_ns"]["min"] > 0
    python, _ = run("--mode", "accuracy", thread=thread)
    assert result["accuracy"]["value"] == python["accuracy"]["value"]


def test_a_run_that_generates_nothing_is_not_valid(run: Callable[..., tuple[Any, Done]]) -> None:
    result, done = run(defect="empty")
    assert not result["valid"]
    assert "tokenizer" not in done.stderr
    assert "Traceback" not in done.stderr
