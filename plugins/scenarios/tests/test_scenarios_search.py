"""The search for the highest rate, on rates that hold up to a limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile_scenarios.search import CONFIRMATIONS, candidate, confirmed


def searched(limit, low, high, **more):
    tried = []

    def holds(rate):
        tried.append(rate)
        return rate <= limit

    settings = {"lowest": None, "highest": None, "precision": 0.02, "trials": 50} | more
    return candidate(holds, low, high, **settings), tried


@given(st.floats(0.5, 5000), st.floats(0.5, 2000), st.floats(1.01, 10))
def test_the_limit_is_found_from_anywhere(limit, low, factor):
    found, tried = searched(limit, low, low * factor)
    assert 0.98 * limit <= found * (1 + 1e-9) <= limit * (1 + 1e-9)
    assert len(tried) == len(set(tried))


def test_a_range_is_not_left():
    found, tried = searched(1000, 10, 80, lowest=10, highest=80)
    assert (found, tried) == (80, [10, 80])
    found, tried = searched(1, 10, 80, lowest=10, highest=80)
    assert (found, tried) == (10, [10])


def test_trials_are_limited():
    found, tried = searched(333, 1, 2, trials=5)
    assert len(tried) == 5
    assert found <= 333
    assert found in tried


def test_nothing_holds():
    found, tried = searched(0, 64, 128, trials=6)
    assert tried == [64, 32, 16, 8, 4, 2]
    assert found == 2


@pytest.mark.parametrize(("limit", "expected"), [(100, [100]), (97, [100, 98, 96.04]), (0, None)])
def test_a_candidate_that_fails_is_lowered_a_little(limit, expected):
    tried = []
    held = confirmed(lambda rate: bool(tried.append(rate)) or rate <= limit, 100, lowest=None, precision=0.02)
    assert held is bool(limit)
    assert tried == pytest.approx(expected) if expected else len(tried) == CONFIRMATIONS


def test_no_lower_than_the_range():
    tried = []
    assert not confirmed(lambda rate: bool(tried.append(rate)), 100, lowest=99, precision=0.02)
    assert tried == [100, 99]
