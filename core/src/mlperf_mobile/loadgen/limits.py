"""Settings that would hang LoadGen or take all memory, refused before a test starts.

LoadGen checks none of them: at a rate of 0 it never schedules a second query, and it prepares every query of a run in
advance (mlcommons/inference, loadgen/loadgen.cc, ``GenerateQueries``).
"""

from __future__ import annotations

import math
from typing import Any

from mlperf_mobile.errors import UsageError

MAX_GENERATED_QUERIES = 3_000_000
"""The samples that LoadGen may prepare for one run, at about 400 bytes each (measured)."""
LONGEST_S = 86_400.0
"""A day, as for the durations of a load."""
_RATES = {
    "SingleStream": "single_stream_expected_latency_ns",
    "MultiStream": "multi_stream_expected_latency_ns",
    "Server": "server_target_qps",
    "Offline": "offline_expected_qps",
}
_HINT = "choose a number above zero"


def check(settings: Any) -> None:
    """Refuse the settings of a test that LoadGen could not run.

    Args:
        settings: LoadGen's ``TestSettings``.

    Raises:
        UsageError: ``bad-load``; names LoadGen's setting.
    """
    scenario = settings.scenario.name
    name = _RATES[scenario]
    value = float(getattr(settings, name))
    if not (math.isfinite(value) and value > 0):
        raise UsageError("bad-load", f"LoadGen's {name} is {value:g}, not a number above zero", _HINT)
    if scenario == "MultiStream" and settings.multi_stream_samples_per_query < 1:
        raise UsageError("bad-load", "LoadGen's multi_stream_samples_per_query is 0", _HINT)
    if scenario == "Server":
        schedule(value, settings.min_query_count, settings.min_duration_ms / 1000, name)
        if not settings.server_target_latency_ns:
            raise UsageError("bad-load", "LoadGen's server_target_latency_ns is 0", _HINT)


def schedule(rate: float, count: int, seconds: float, name: str = "target_qps") -> None:
    """Refuse a schedule of arrivals that is too long for memory or for anybody's patience.

    Args:
        rate: Mean queries per second, above zero.
        count: The minimum of queries.
        seconds: The minimum duration.
        name: The setting of the rate, for the message.

    Raises:
        UsageError: ``bad-load``.
    """
    if count / rate > LONGEST_S:
        summary = f"{count:,} queries at a {name} of {rate:g} take {count / rate / 3600:,.0f} hours"
        raise UsageError("bad-load", summary, "raise the rate, or lower min_query_count")
    if rate * seconds > MAX_GENERATED_QUERIES:
        summary = f"a {name} of {rate:g} for {seconds:g} s is {rate * seconds:,.0f} queries; at most "
        summary += f"{MAX_GENERATED_QUERIES:,} fit into memory"
        raise UsageError("bad-load", summary, "lower the rate, or min_duration_s")
