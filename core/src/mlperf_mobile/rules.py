"""The run rules by name: what was seen, what is required, and whether a number therefore counts.

To add a rule, add a function here.
"""

from __future__ import annotations

from mlperf_mobile import early_stopping
from mlperf_mobile.contracts import Load, Rule


def min_duration(observed_s: float, load: Load, logged: bool | None = None, ran_out: bool = False) -> Rule:
    """Compared in milliseconds, which is LoadGen's resolution; LoadGen's log decides where it says.

    Args:
        observed_s: By LoadGen's clock: until the issue of the last query, or offline until the last completion.
        load: What was asked for.
        logged: Whether LoadGen's log says that it was met.
        ran_out: Whether all queries that LoadGen had prepared were used up.
    """
    ok = round(observed_s * 1000) >= round(load.min_duration_s * 1000) if logged is None else logged
    note = "seconds; LoadGen ran out of queries; lower expected_latency_ns to prepare more"
    return Rule(
        "min-duration", ok, round(observed_s, 3), load.min_duration_s, note if ran_out and not ok else "seconds"
    )


def min_query_count(observed: int, load: Load, stopped_at_max: bool = False, logged: bool | None = None) -> Rule:
    """Waived when the run was stopped at its maximum duration, as the reference app does.

    Args:
        observed: Queries, or offline samples.
        load: What was asked for.
        stopped_at_max: Whether LoadGen stopped at the maximum duration.
        logged: Whether LoadGen's log says that it was met.
    """
    met = observed >= load.min_query_count if logged is None else logged
    waived = not met and stopped_at_max
    note = "waived: stopped at the maximum duration; not met by LoadGen's log" if waived else ""
    return Rule("min-query-count", met or waived, observed, load.min_query_count, note)


def max_duration(observed_s: float, load: Load, last_query_s: float) -> Rule:
    """The clock is checked between queries, so the last one may end after the limit, by its own length at most."""
    ok = load.max_duration_s == 0 or observed_s <= load.max_duration_s + 2 * last_query_s
    required = load.max_duration_s or "no limit"
    return Rule("max-duration", ok, round(observed_s, 3), required, "seconds, and the query under way")


def enough_for_percentile(observed: int, load: Load, logged: bool | None = None) -> Rule:
    """Early stopping: the percentile is an estimate with 99 % confidence; LoadGen's log decides where it says."""
    required = early_stopping.min_queries(load.percentile)
    ok = observed >= required if logged is None else logged
    return Rule("early-stopping", ok, observed, required, f"queries for p{load.percentile * 100:g}")
