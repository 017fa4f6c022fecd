"""Results that no compliance test can measure again are refused before anything is measured."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile_rounds.compliance import run
from mlperf_mobile_rounds.compliance.catalogue import TESTS


def a_result(**changes):
    timed = SimpleNamespace(loadgen=SimpleNamespace(version="5.1"))
    parts = {"performance": timed, "accuracy": object(), "valid": True, "verdict": "VALID", "scenario": "single-stream"}
    return SimpleNamespace(**parts | changes)


SWEEP = {"scenario": "token-sweep", "performance": SimpleNamespace(loadgen=SimpleNamespace(version=None))}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"accuracy": None}, "has no accuracy"),
        ({"performance": None}, "has no performance"),
        ({"performance": None, "accuracy": None}, "has no performance and no accuracy"),
        ({"valid": False, "verdict": "INVALID because min-duration"}, "is not valid: INVALID because min-duration"),
        (SWEEP, "scenario token-sweep is not timed by LoadGen"),
    ],
)
def test_the_refusal_says_what_is_missing(tmp_path, changes, says):
    with pytest.raises(UsageError) as raised:
        run.check_claim(tmp_path, a_result(**changes))
    assert raised.value.code == "no-claim"
    assert says in raised.value.summary
    assert raised.value.summary.count("VALID") == ("is not valid" in says)


def test_a_result_that_can_be_tested(tmp_path):
    run.check_claim(tmp_path, a_result())


@pytest.mark.parametrize("changes", [{}, SWEEP])
def test_nothing_is_measured_before_a_refusal(tmp_path, monkeypatch, changes):
    """Neither for a scenario without LoadGen, nor without the accuracy log that the responses are compared with."""
    monkeypatch.setattr(run.store, "read", lambda folder: a_result(**changes))
    monkeypatch.setattr(run.store, "read_plan", lambda folder: None)
    monkeypatch.setattr(run, "launch", lambda *plan: pytest.fail("measured"))
    with pytest.raises(UsageError if changes else DataError):
        next(run.comply(tmp_path, TESTS, tmp_path, lambda *test: nullcontext()))
