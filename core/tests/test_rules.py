"""The run rules at their edges."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mlperf_mobile
from mlperf_mobile import rules
from mlperf_mobile.contracts import Load, Seeds
from mlperf_mobile.results import interruptions
from mlperf_mobile.results.rule import CORE_RULES
from mlperf_mobile.terms import EarlyStopping

LOAD = Load(
    min_query_count=1024,
    min_duration_s=60.0,
    max_duration_s=600.0,
    percentile=0.9,
    performance_sample_count=100,
    seeds=Seeds(qsl=1, sample_index=2, schedule=3),
    expected_latency_ns=1000,
)


@pytest.mark.parametrize(
    ("observed", "ok"), [(0.0, False), (59.998, False), (59.9994, False), (59.9996, True), (60.0, True), (61.0, True)]
)
def test_min_duration_in_milliseconds(observed, ok):
    rule = rules.min_duration(observed, LOAD)
    assert (rule.name, rule.ok, rule.required) == ("min-duration", ok, 60.0)


@pytest.mark.parametrize(
    ("observed", "stopped", "ok", "waived"),
    [(1023, False, False, False), (1024, False, True, False), (10, True, True, True), (1024, True, True, False)],
)
def test_min_query_count(observed, stopped, ok, waived):
    rule = rules.min_query_count(observed, LOAD, stopped)
    assert (rule.name, rule.ok, rule.observed, rule.required) == ("min-query-count", ok, observed, 1024)
    assert ("waived" in rule.note) == waived


@pytest.mark.parametrize(
    ("observed", "last_query", "ok"),
    [(600.0, 0.0, True), (600.1, 0.0, False), (600.1, 0.05, True), (600.11, 0.05, False)],
)
def test_max_duration_lets_the_last_query_end(observed, last_query, ok):
    rule = rules.max_duration(observed, LOAD, last_query)
    assert (rule.name, rule.ok, rule.required) == ("max-duration", ok, 600.0)


def test_no_max_duration():
    rule = rules.max_duration(1e9, LOAD.model_copy(update={"max_duration_s": 0}), 0.0)
    assert (rule.ok, rule.required) == (True, "no limit")


@pytest.mark.parametrize(("percentile", "required"), [(0.9, 64), (0.99, 662)])
def test_enough_for_percentile(percentile, required):
    load = LOAD.model_copy(update={"percentile": percentile})
    for observed, ok in ((required - 1, False), (required, True)):
        rule = rules.enough_for_percentile(observed, load)
        assert (rule.name, rule.ok, rule.observed, rule.required) == ("early-stopping", ok, observed, required)
        assert f"p{percentile * 100:g}" in rule.note


def test_early_stopping_that_a_benchmark_ignores():
    """Too few queries are no failure then; enough of them need no waiver."""
    load = LOAD.model_copy(update={"early_stopping": EarlyStopping.IGNORED})
    few, enough = (rules.enough_for_percentile(observed, load) for observed in (63, 64))
    assert (few.ok, few.observed, few.required) == (True, 63, 64)
    assert few.note == "waived: the benchmark ignores early stopping; queries for p90"
    assert (enough.ok, enough.note) == (True, "queries for p90")
    assert rules.enough_for_percentile(1000, load, logged=False).note.startswith("waived: ")


def test_the_list_of_the_core_rules_is_complete():
    """Every rule that the source of the core makes is in the list of names that observers cannot use."""
    makers = {"Rule", "RuleResult", "_same", "_at_least"}
    found = {interruptions.RULE}
    for path in Path(mlperf_mobile.__file__).parent.rglob("*.py"):
        if path.parent.name in ("campaigns", "testing"):
            continue  # rules of several runs, and those of a test
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                named = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "name")]
                found |= {each.value for each in named if isinstance(each, ast.Constant)}
    assert found == CORE_RULES
