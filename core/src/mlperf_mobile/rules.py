"""The rules of a timed run by name, each with its observed and required value.

To add a rule, add a function here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlperf_mobile import early_stopping
from mlperf_mobile.contracts import Load, Rule
from mlperf_mobile.terms import EarlyStopping

__all__ = [
    "enough_for_bound",
    "enough_for_percentile",
    "latency_bound",
    "max_duration",
    "min_duration",
    "min_query_count",
    "token_count",
]


def min_duration(observed_s: float, load: Load, logged: bool | None = None, ran_out: bool = False) -> Rule:
    """The minimum duration, compared in milliseconds, which is LoadGen's resolution; LoadGen's log takes precedence.

    Args:
        observed_s: By LoadGen's clock, until the last query was issued, or offline until the last completion.
        load: The requested load.
        logged: Whether the rule is met by LoadGen's log; None if the log does not say.
        ran_out: Whether LoadGen had issued all queries that it had prepared.
    """
    ok = round(observed_s * 1000) >= round(load.min_duration_s * 1000) if logged is None else logged
    note = "seconds; LoadGen ran out of queries; lower expected_latency_ns to prepare more"
    return Rule(
        "min-duration", ok, round(observed_s, 3), load.min_duration_s, note if ran_out and not ok else "seconds"
    )


def min_query_count(observed: int, load: Load, stopped_at_max: bool = False, logged: bool | None = None) -> Rule:
    """The minimum query count; waived if the run reached its maximum duration, as in the reference app.

    Args:
        observed: Queries, or offline samples.
        load: The requested load.
        stopped_at_max: Whether LoadGen stopped at the maximum duration.
        logged: Whether the rule is met by LoadGen's log; None if the log does not say.
    """
    met = observed >= load.min_query_count if logged is None else logged
    waived = not met and stopped_at_max
    note = "waived: stopped at the maximum duration; not met by LoadGen's log" if waived else ""
    return Rule("min-query-count", met or waived, observed, load.min_query_count, note)


def max_duration(observed_s: float, load: Load, last_query_s: float) -> Rule:
    """The maximum duration; LoadGen checks the clock between queries, so the last one may end after it."""
    ok = load.max_duration_s == 0 or observed_s <= load.max_duration_s + 2 * last_query_s
    required = load.max_duration_s or "no limit"
    return Rule("max-duration", ok, round(observed_s, 3), required, "seconds, and the query under way")


def enough_for_percentile(observed: int, load: Load, logged: bool | None = None) -> Rule:
    """Early stopping: enough queries to estimate the percentile at 99 % confidence; LoadGen's log takes precedence.

    Waived for a benchmark that ignores it.
    """
    required = early_stopping.min_queries(load.percentile)
    met = observed >= required if logged is None else logged
    waived = not met and load.early_stopping is EarlyStopping.IGNORED
    note = f"queries for p{load.percentile * 100:g}"
    note = f"waived: the benchmark ignores early stopping; {note}" if waived else note
    return Rule("early-stopping", met or waived, observed, required, note)


def token_count(tokens: Mapping[str, Any], answers: int) -> Rule:
    """The rule that a run which generated nothing is not valid.

    Args:
        tokens: The values of :class:`mlperf_mobile.results.tokens.TokenFacts`.
        answers: The answers of the run.
    """
    short, empty = tokens["short"], tokens["empty"]
    note = "answers with a token"
    if short:
        note += f"; {short} of {answers} have no time per token, {empty} have no token"
    return Rule("token-count", empty < answers, answers - empty, 1, note)


def latency_bound(observed_ns: float, bound_ns: float, percentile: float) -> Rule:
    """The latency bound of queries that arrive on a schedule, in milliseconds (loadgen/results.cc, Server)."""
    note = f"milliseconds, p{percentile * 100:g}"
    return Rule("latency-bound", observed_ns <= bound_ns, observed_ns / 1e6, bound_ns / 1e6, note)


def enough_for_bound(observed: int, over: int, percentile: float, logged: bool | None = None) -> Rule:
    """Early stopping at a latency bound: enough queries, for those over it, to be sure of the percentile at 99 %.

    Args:
        observed: The queries.
        over: Those of them that took longer than the bound.
        percentile: The share that must meet the bound.
        logged: Whether the rule is met by LoadGen's log; None if the log does not say.
    """
    required = early_stopping.required_queries(over, percentile)
    ok = observed >= required if logged is None else logged
    return Rule(
        "early-stopping", ok, observed, required, f"queries for p{percentile * 100:g} with {over} over the bound"
    )
