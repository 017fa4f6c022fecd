"""Sustained: single-stream, long enough to show throttling by comparing the first and the last minute."""

from __future__ import annotations

from array import array
from dataclasses import replace

from mlperf_mobile.contracts import LoggedRun, Measurement
from mlperf_mobile.results.latencies import summary
from mlperf_mobile.results.tokens import answers, decode_rate
from mlperf_mobile.scenarios.single_stream import SingleStream

MINUTE_S = 60.0


class Sustained(SingleStream):
    """LoadGen's SingleStream, which also reports the latencies of the first and the last minute.

    They are ``first_minute_p50``, ``first_minute_p90``, ``last_minute_p50`` and ``last_minute_p90``. In a run of less
    than ten minutes they are those of its first and last tenth: ``first_tenth_p50``. A run with tokens also reports
    their rates at both ends.
    """

    def measurement(self, run: LoggedRun) -> Measurement:
        measured = super().measurement(run)
        latency = {**measured.latency_ns, **ends(run.latencies_ns, measured.duration_s)}
        if run.tokens is None or measured.tokens is None:
            return replace(measured, latency_ns=latency)
        rates = token_rates(run.tokens, run.latencies_ns, measured.duration_s)
        return replace(measured, latency_ns=latency, tokens={**measured.tokens, "ends": rates})


def ends(latencies_ns: array[int], duration_s: float) -> dict[str, float]:
    """p50 and p90 of both ends of a run, in nanoseconds.

    The time between queries is LoadGen's, and is assumed to be constant.
    """
    part, first, last = split(latencies_ns, duration_s)
    summaries = {"first": summary(latencies_ns[:first]), "last": summary(latencies_ns[-last:])}
    return {f"{end}_{part}_{name}": values[name] for end, values in summaries.items() for name in ("p50", "p90")}


def token_rates(tokens: array[int], latencies_ns: array[int], duration_s: float) -> dict[str, float]:
    """Tokens per second after the first ones at both ends: ``first_minute`` and ``last_minute``, or tenths."""
    part, first, last = split(latencies_ns, duration_s)
    found = list(answers(tokens, latencies_ns))
    rates = {f"first_{part}": decode_rate(found[:first]), f"last_{part}": decode_rate(found[-last:])}
    return {name: rate for name, rate in rates.items() if rate is not None}


def split(latencies_ns: array[int], duration_s: float) -> tuple[str, int, int]:
    """``minute`` or ``tenth``, and how many queries the first and the last one of a run have."""
    part = "minute" if round(duration_s * 1000) >= 10 * MINUTE_S * 1000 else "tenth"
    limit = sum(latencies_ns) * (MINUTE_S / duration_s if part == "minute" else 0.1)
    return part, until(latencies_ns, limit), until(array("q", reversed(latencies_ns)), limit)


def until(latencies_ns: array[int], limit: float) -> int:
    """The number of queries, at least 1, whose latencies add up to ``limit`` nanoseconds."""
    passed = 0
    for count, latency in enumerate(latencies_ns, 1):
        passed += latency
        if passed >= limit:
            return count
    return len(latencies_ns)
