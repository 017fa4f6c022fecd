"""Answers of the session on the stand-in, and everything that is no answer."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import Generation
from mlperf_mobile.errors import BackendError, MobileError

PROMPT = np.array([3, 40, 7], np.int32)


def hashed(prompt: list[int], count: int, ids: tuple[int, ...] = tuple(range(48))) -> list[int]:
    """The stand-in's answer, computed here."""
    history = list(prompt)
    for _ in range(count):
        value = 17
        for token in history:
            value = (value * 1664525 + token + 1013904223) % 2**32
        history.append(ids[(value >> 9) % len(ids)])
    return history[len(prompt) :]


def test_an_answer_is_the_librarys(load):
    """Nothing is put before the prompt, and no token of the configuration ends the answer."""
    calls = []
    with load(ids=(2, 7, 5)) as session:  # 2 and 7 are ends in the configuration
        found = session.generate(PROMPT, Generation(20), lambda: calls.append(session.generated))
        assert session.generated == 20
    assert found.tolist() == hashed(PROMPT.tolist(), 20, (2, 7, 5))
    assert calls == [1]


def test_a_stop_id_ends_an_answer_and_is_its_last(load):
    expected = hashed(PROMPT.tolist(), 20)
    with load() as session:
        found = session.generate(PROMPT, Generation(20, (900, expected[4])), lambda: None)
        assert found.tolist() == expected[: expected.index(expected[4]) + 1]
        assert session.generate(PROMPT, Generation(20), lambda: None).tolist() == expected


def test_a_stop_id_at_the_limit(load):
    """Genie ends by itself, and is not asked to."""
    expected = hashed(PROMPT.tolist(), 6)
    limit = expected.index(expected[5]) + 1
    with load(fault="deaf") as session:
        found = session.generate(PROMPT, Generation(limit, (expected[limit - 1],)), lambda: None)
    assert found.tolist() == expected[:limit]


FAULTS = [
    ("silent", "genie-answer", "reports success without a token"),
    ("early end", "genie-answer", "reports success after 2 of 4 tokens"),
    ("too many", "genie-answer", "went on after the end of its answer of 4 tokens"),
    ("null", "genie-answer", "reported 3 tokens at NULL"),
    ("flood", "genie-answer", "reported 1048576 tokens at once, where 4 were left"),
    ("huge", "genie-answer", "reported the id 4294967295, but the configuration's n-vocab is 640"),
    ("thread", "genie-answer", "reports tokens in a thread of its own"),
    ("query", "genie-failed", "GenieDialog_tokenQuery returned -6 (ERROR_QUERY_FAILED: the query failed)"),
    ("bool", "genie-failed", "by this number, Genie also reports that a token query failed"),
    ("context", "genie-failed", "after 2 tokens; the model has a shorter context than its configuration's size of 64"),
    ("reset", "genie-failed", "GenieDialog_reset returned -1"),
    ("limit", "genie-failed", "GenieDialog_setMaxNumTokens returned -1"),
]


@pytest.mark.parametrize(("fault", "code", "says"), FAULTS)
def test_faults_of_the_library(load, fault, code, says):
    with load(fault=fault) as session, pytest.raises(BackendError) as found:
        session.generate(PROMPT, Generation(4), lambda: None)
    assert found.value.code == code
    assert says in found.value.summary
    assert "\n" not in found.value.summary
    assert found.value.hint


def test_an_abort_that_is_not_heard(load):
    stop = hashed(PROMPT.tolist(), 1)[0]
    with load(fault="deaf") as session, pytest.raises(BackendError, match="went on after the end of its answer of 1"):
        session.generate(PROMPT, Generation(4, (stop,)), lambda: None)


def test_tokens_after_a_query(load):
    """They are not those of the next one."""
    with load(fault="late") as session:
        assert session.generate(PROMPT, Generation(4), lambda: None).size == 4
        calls = []
        assert session.generate(PROMPT, Generation(4), lambda: calls.append("next")).size == 4
        assert calls == ["next"]
        with pytest.raises(BackendError, match=r"genie-answer.*after its query was over"):
            session.generate(PROMPT, Generation(4), lambda: None)


@pytest.mark.parametrize(("fault", "says"), [("late at the end", "after its query was over"), ("free", "Dialog_free")])
def test_a_fault_when_the_session_ends(load, fault, says):
    with pytest.raises(BackendError, match=says), load(fault=fault) as session:
        session.generate(PROMPT, Generation(4), lambda: None)


def test_an_error_of_the_caller_comes_through_the_library(load):
    def refuse():
        raise BackendError("first-token", "the caller's own", "")

    with load() as session:
        with pytest.raises(BackendError, match="the caller's own"):
            session.generate(PROMPT, Generation(4), refuse)
        assert session.generate(PROMPT, Generation(4), lambda: None).tolist() == hashed(PROMPT.tolist(), 4)


@pytest.mark.parametrize(("fault", "says"), [("create", "GenieDialog_create returned -1"), ("no dialog", "no dialog")])
def test_a_model_that_cannot_be_loaded(load, fault, says):
    with pytest.raises(BackendError, match="genie-failed") as found:
        load(fault=fault)
    assert says in found.value.summary


def test_a_configuration_that_genie_rejects(load):
    with pytest.raises(MobileError, match="genie-config") as found:
        load(changes={"dialog.engine.backend.QnnHtp.kv-dim": 7})
    assert "returned -8 (ERROR_JSON_SCHEMA" in found.value.summary


def test_ids_outside_of_the_vocabulary(load):
    with load() as session:
        for outside in (-1, 640):
            with pytest.raises(BackendError, match="input-mismatch"):
                session.generate(np.array([3, outside], np.int32), Generation(4), lambda: None)


def test_what_is_reported(load):
    with load() as session:
        placement, report = session.placement(), session.report()
    assert placement.operations == {"htp": 1}
    assert placement.names == {"htp": {"the configuration says QnnHtp": 1}}
    assert report["genie"] == "1.10.0"
    assert report["configuration"]["sampler"] == "greedy"
    assert report["configuration"]["replaced"]["sampler"]["temp"] == 0.8


def test_it_runs_nothing_else(load):
    with load() as session, pytest.raises(BackendError, match="input-mismatch"):
        session.run((PROMPT,))
    for closed in (lambda: session.run((PROMPT,)), session.placement):
        with pytest.raises(BackendError, match="session-closed"):
            closed()
    session.__exit__(None, None, None)
