"""The run rules by name: what was seen, what is required, and whether a number therefore counts."""

from __future__ import annotations

from mlperf_mobile import early_stopping
from mlperf_mobile.contracts import Load, Rule


def min_duration(observed_s: float, load: Load) -> Rule:
    """Compared in milliseconds, which is LoadGen's resolution."""
    ok = round(observed_s * 1000) >= round(load.min_duration_s * 1000)
    return Rule("min-duration", ok, round(observed_s, 3), load.min_duration_s, "seconds")


def min_query_count(observed: int, load: Load, stopped_at_max: bool = False) -> Rule:
    """Waived when the run was stopped at its maximum duration, as the reference app does."""
    short = observed < load.min_query_count
    note = "waived: stopped at the maximum duration" if short and stopped_at_max else ""
    return Rule("min-query-count", not short or stopped_at_max, observed, load.min_query_count, note)


def max_duration(observed_s: float, load: Load, last_query_s: float) -> Rule:
    """The clock is looked at between queries, so the last one may end after the limit, by its own length at most."""
    ok = load.max_duration_s == 0 or observed_s <= load.max_duration_s + 2 * last_query_s
    required = load.max_duration_s or "no limit"
    return Rule("max-duration", ok, round(observed_s, 3), required, "seconds, and the query under way")


def enough_for_percentile(observed: int, load: Load) -> Rule:
    """Early stopping: the percentile is an estimate with 99 % confidence."""
    required = early_stopping.min_queries(load.percentile)
    return Rule("early-stopping", observed >= required, observed, required, f"queries for p{load.percentile * 100:g}")
