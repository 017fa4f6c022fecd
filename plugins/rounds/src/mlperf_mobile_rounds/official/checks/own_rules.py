"""Checks the rules of an own result: that none is missing, and what each one observed and required."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mlperf_mobile import early_stopping
from mlperf_mobile.results import store
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terms import EarlyStopping
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.own_scenarios import LOADGEN_SCENARIOS, MAX_LATENCIES
from mlperf_mobile_rounds.official.findings import Place, Report

SIMULATED = "simulated"
"""The source of the latencies of a simulated device, which has no rules but ``real-hardware``, which it fails."""
_ALWAYS = ("min-duration", "min-query-count", "max-duration")
_PERCENTILE = (*_ALWAYS, "early-stopping")
_RULES = {
    "single-stream": _PERCENTILE, "sustained": _PERCENTILE, "multi-stream": _PERCENTILE, "offline": _ALWAYS,
    "server": (*_PERCENTILE, "latency-bound"), "token-sweep": (*_ALWAYS, "token-count"),
}  # fmt: skip
"""The rules that every completed run of a scenario of this project has."""
_PRINTED = 1e-5
"""The rounding of the six digits that LoadGen prints."""


def is_simulated(result: Result) -> bool:
    """Whether nothing was measured, so that the result is not valid in any case."""
    stored = result.performance
    return bool(result.functional_only) and stored is not None and stored.latency_source == SIMULATED


def check(folder: Path, result: Result, stored: Performance, report: Report) -> None:
    """Compare the rules of a completed timed run with its scenario, its load and its numbers.

    Args:
        folder: Of the result.
        result: What it says.
        stored: Its performance.
        report: Takes the findings.
    """
    _missing(folder, result, stored, report)
    for rule in result.rules:
        place = Place(folder / store.RESULT, key=f"rules[{rule.name}]")
        if rule.name == "max-duration":
            _not_longer(rule, result, stored, place, report)
        elif rule.name == "latency-bound":
            _in_time(rule, stored, place, report)
        elif rule.name in ("min-duration", "min-query-count", "early-stopping", "quality-target"):
            _at_least(rule, result, stored, place, report)


def _missing(folder: Path, result: Result, stored: Performance, report: Report) -> None:
    """Every rule that the scenario gives to all of its runs, and those of language models, are there."""
    if is_simulated(result):
        return
    expected = list(_RULES.get(result.scenario, ()))
    if expected and stored.tokens is not None and "token-count" not in expected:
        expected.append("token-count")
    names = {rule.name for rule in result.rules}
    for name in expected:
        wrong = f"a run of the scenario {result.scenario} has a rule {name}"
        place = Place(folder / store.RESULT, key=f"rules[{name}]")
        report.require("own-verdict", name in names, place, wrong)


def _at_least(rule: RuleResult, result: Result, stored: Performance, place: Place, report: Report) -> None:
    """A rule that is met if enough was observed."""
    load = result.load
    observed, required = _number(rule.observed), _number(rule.required)
    expected: Any = None
    if rule.name == "min-duration":
        expected = load.min_duration_s
    elif rule.name == "min-query-count":
        expected = load.min_query_count
    elif rule.name == "early-stopping" and load.percentile >= 0.5:
        over = stored.rate.over_bound if stored.rate else None
        expected = (
            early_stopping.min_queries(load.percentile)
            if over is None
            else early_stopping.required_queries(min(max(0, over), MAX_LATENCIES), load.percentile)
        )
    elif rule.name == "quality-target" and result.accuracy is not None:
        expected = result.accuracy.target
    else:
        return
    wrong = f"{rule.required} is required, but {expected} was planned"
    report.require("own-verdict", expected is None or required == expected, place, wrong)
    waived = rule.note.startswith("waived")
    if rule.name == "early-stopping":
        ignored = load.early_stopping == EarlyStopping.IGNORED
        text = f"it is waived, but early_stopping is {load.early_stopping}"
        report.require("own-verdict", ignored or not waived, place, text)
        if ignored and stored.rate is None:
            report.require("own-verdict", rule.ok, place, "it is not met, but early_stopping is ignored: it is waived")
    if observed is not None and required is not None and not waived:
        met = observed >= required * (1 - _PRINTED)
        text = f"{rule.observed} of {rule.required} is called {'met' if rule.ok else 'not met'}"
        report.require("own-verdict", met == rule.ok, place, text)
    if rule.name == "min-duration" and observed is not None:
        ok = _lasted(observed, result.scenario, stored)
        text = f"{observed} s were observed, the run lasted {stored.duration_s} s"
        report.require("own-verdict", ok, place, text)
    if rule.name in ("min-query-count", "early-stopping") and result.scenario in LOADGEN_SCENARIOS:
        counted = stored.samples if result.scenario == "offline" else stored.queries
        text = f"{rule.observed} were observed, the run had {counted}"
        report.require("own-verdict", rule.observed == counted, place, text)


def _not_longer(rule: RuleResult, result: Result, stored: Performance, place: Place, report: Report) -> None:
    """The maximum duration; the last query may end after it."""
    limit = result.load.max_duration_s
    if limit is None or result.scenario not in LOADGEN_SCENARIOS:
        return
    wrong = f"{rule.required} is required, but {limit or 'no limit'} was planned"
    report.require("own-verdict", rule.required == (limit or "no limit"), place, wrong)
    observed = _number(rule.observed)
    ok = observed is not None and math.isclose(observed, stored.duration_s, rel_tol=_PRINTED, abs_tol=0.001)
    report.require("own-verdict", ok, place, f"{rule.observed} s were observed, the run lasted {stored.duration_s} s")


def _in_time(rule: RuleResult, stored: Performance, place: Place, report: Report) -> None:
    """The latency bound of a schedule, in milliseconds."""
    observed, required = _number(rule.observed), _number(rule.required)
    if stored.rate is None or observed is None or required is None:
        return
    expected = stored.rate.latency_bound_ns / 1e6
    wrong = f"{rule.required} ms are required, but the bound is {expected} ms"
    report.require("own-verdict", math.isclose(required, expected, rel_tol=1e-9), place, wrong)
    text = f"{rule.observed} of {rule.required} ms is called {'met' if rule.ok else 'not met'}"
    report.require("own-verdict", (observed <= required) == rule.ok, place, text)


def _lasted(observed_s: float, scenario: str, stored: Performance) -> bool:
    """Whether a run's duration fits the one that ``min-duration`` observed.

    LoadGen counts until the issue of the last query, which then takes a latency of its own; offline until the last
    completion.
    """
    last_s = stored.latency_ns.get("max", 0.0) / 1e9 if LOADGEN_SCENARIOS.get(scenario) != verdict.OFFLINE else 0.0
    return observed_s - 0.001 <= stored.duration_s <= observed_s + last_s + 0.001


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
