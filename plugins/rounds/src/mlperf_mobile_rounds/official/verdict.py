"""LoadGen's verdict on a performance run, computed again from its detail log.

Source of the rules: mlcommons/inference, loadgen/results.cc (v1.1 to v5.1). The detail log has no individual latencies,
so counts and durations are recomputed from its rates, as exactly as the six digits allow that LoadGen prints.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from mlperf_mobile import early_stopping
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

PERFORMANCE = "PerformanceOnly"
ACCURACY = "AccuracyOnly"
OFFLINE = "Offline"
SINGLE_STREAM = "SingleStream"
SERVER = "Server"
MULTI_STREAM = "MultiStream"
_PERCENTILES = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")
_DIGITS = 6
_MOST_OVER = 10**9


@dataclass(frozen=True, slots=True)
class LoadGenRule:
    """One rule as LoadGen applies it; ``ok`` is None if the log does not say enough."""

    name: str
    ok: bool | None
    observed: float | int | None
    required: float | int | None
    note: str = ""
    logged: bool | None = None
    """What LoadGen says of it, where the benchmark waives what LoadGen asks for; else None."""


@dataclass(frozen=True, slots=True)
class LoadGenVerdict:
    """The verdict that follows from a detail log; durations in seconds, latencies in nanoseconds."""

    scenario: str | None
    rules: tuple[LoadGenRule, ...]
    queries: int | None
    samples: int | None
    estimated: bool
    """The count is not in the log, and follows from rate and time."""
    duration_s: float | None
    p90_ns: float | None
    throughput: float | None
    """Samples per second, recomputed: offline of all samples, in single-stream with LoadGen's overhead."""
    contradictions: tuple[str, ...] = field(default=())
    """Numbers of the log that cannot be true together."""
    token_ns: float | None = None
    """Mean time per output token, where LoadGen measured tokens."""

    @property
    def valid(self) -> bool | None:
        """Whether every rule is met; None if one cannot be decided and none is broken."""
        oks = [rule.ok for rule in self.rules]
        return False if False in oks else None if None in oks or not oks else True

    @property
    def loadgen_valid(self) -> bool | None:
        """What LoadGen itself must say: it does not know what the benchmark waives."""
        return False if any(rule.logged is False for rule in self.rules) else self.valid

    @property
    def score(self) -> float | None:
        """The number that the app shows: 1 / p90 in single-stream, samples per second offline, tokens per second."""
        if self.token_ns is not None:
            return 1e9 / self.token_ns if self.token_ns > 0 else None
        if self.scenario == OFFLINE:
            return self.throughput
        return 1e9 / self.p90_ns if self.p90_ns else None


def scenario_of(log: DetailLog) -> str | None:
    """LoadGen's name of the scenario: ``SingleStream``, ``Offline``."""
    return log.text("effective_scenario") or log.text("requested_scenario")


def mode_of(log: DetailLog) -> str | None:
    """``PerformanceOnly`` or ``AccuracyOnly``."""
    return log.text("effective_test_mode") or log.text("requested_test_mode")


def recompute(log: DetailLog, *, early_stopping_ignored: bool = False, stops_at_max: bool = False) -> LoadGenVerdict:
    """The verdict on a performance run.

    Args:
        log: The detail log.
        early_stopping_ignored: Whether the benchmark ignores early stopping in single-stream.
        stops_at_max: Whether it waives the minimum count at the maximum duration, as only the app's LoadGen does.
    """
    scenario = scenario_of(log)
    wrong = tuple(_contradictions(log, scenario))
    p90 = log.number("result_90.00_percentile_latency_ns")
    if scenario == OFFLINE:
        return _offline(log, p90, wrong)
    if scenario in (SERVER, MULTI_STREAM):
        return _several(log, scenario, p90, wrong)
    if scenario != SINGLE_STREAM:
        return LoadGenVerdict(scenario, (), None, None, False, None, p90, None, wrong)
    rate = log.number("result_qps_with_loadgen_overhead")
    queries, estimated = log.count("result_query_count"), False
    if queries is None and rate is not None and (window := window_s(log)) and math.isfinite(window * rate):
        queries, estimated = round(window * rate) + 1, True
    duration = (queries - 1) / rate if rate and queries else None
    throughput = (queries - 1) / duration if queries and duration else None
    least = _min_queries(log, queries, duration, estimated, stops_at_max=stops_at_max)
    rules = [_min_duration(log, duration), least]
    if "early_stopping_met" in log.entries:  # since LoadGen 2.0
        percentile = log.number("requested_single_stream_target_latency_percentile")
        percentile = percentile or log.number("effective_target_latency_percentile") or 0.9
        required = early_stopping.min_queries(percentile) if 0.5 <= percentile < 1 else None
        enough = None if queries is None or required is None else queries >= required
        if enough is False and early_stopping_ignored:
            note = "waived: the benchmark ignores early stopping"
            rules.append(LoadGenRule("early-stopping", True, queries, required, note, logged=False))
        else:
            rules.append(LoadGenRule("early-stopping", enough, queries, required))
    token = log.number("result_time_to_output_token_mean") if log.flag("requested_use_token_latencies") else None
    return LoadGenVerdict(scenario, tuple(rules), queries, queries, estimated, duration, p90, throughput, wrong, token)


def _offline(log: DetailLog, p90: float | None, wrong: tuple[str, ...]) -> LoadGenVerdict:
    per_query, queries = log.count("effective_samples_per_query"), log.count("result_query_count") or 1
    samples = per_query * queries if per_query else None
    longest = log.number("result_max_latency_ns")
    duration = longest / 1e9 if longest else None
    required = log.count("requested_min_query_count")
    enough = None if samples is None or required is None else samples >= required
    rules = (_min_duration(log, duration), LoadGenRule("min-query-count", enough, samples, required))
    throughput = samples / duration if samples and duration else None
    return LoadGenVerdict(OFFLINE, rules, queries, samples, False, duration, p90, throughput, wrong)


def _several(log: DetailLog, scenario: str, p90: float | None, wrong: tuple[str, ...]) -> LoadGenVerdict:
    """The verdict in server and multi-stream; the log has no duration of multi-stream."""
    queries = log.count("result_query_count")
    per_query = log.count("effective_samples_per_query") if scenario == MULTI_STREAM else 1
    samples = queries * per_query if queries is not None and per_query is not None else None
    rate = log.number("result_scheduled_samples_per_sec")
    lasted = (queries - 1) / rate if queries and rate else None
    percentile = log.number("effective_target_latency_percentile") or 0.99
    over = log.count("result_overlatency_query_count") if scenario == SERVER else None
    required = None
    if 0.5 <= percentile < 1:
        required = (
            early_stopping.min_queries(percentile)
            if scenario == MULTI_STREAM
            else early_stopping.required_queries(min(max(0, over), _MOST_OVER), percentile)
            if over is not None
            else None
        )
    enough = None if queries is None or required is None else queries >= required
    rules = [
        _min_duration(log, lasted), _min_queries(log, queries, lasted, estimated=False),
        LoadGenRule("early-stopping", enough, queries, required),
    ]  # fmt: skip
    completed = log.number("result_completed_samples_per_sec")
    if scenario == SERVER:
        late = log.number(f"result_{percentile * 100:.2f}_percentile_latency_ns")  # if it is one that LoadGen logs
        bound = log.number("effective_target_latency_ns")
        met = None if late is None or bound is None else late <= bound
        rules.append(LoadGenRule("latency-bound", met, late, bound, "nanoseconds"))
    return LoadGenVerdict(scenario, tuple(rules), queries, samples, False, None, p90, completed, wrong)


def _min_duration(log: DetailLog, duration_s: float | None) -> LoadGenRule:
    """If the printed digits do not decide, LoadGen's own flag does."""
    required = log.number("effective_min_duration_ms")
    ok = None
    if required == 0:
        ok = True
    elif duration_s is not None and required is not None:
        doubt = duration_s * 10 ** (1 - _DIGITS)
        ok = duration_s >= required / 1000
        if abs(duration_s - required / 1000) <= doubt:
            ok = log.flag("result_min_duration_met")
    return LoadGenRule("min-duration", ok, duration_s, None if required is None else required / 1000)


def _min_queries(
    log: DetailLog, queries: int | None, duration_s: float | None, estimated: bool, *, stops_at_max: bool = False
) -> LoadGenRule:
    """Waived at the maximum duration, as the app's LoadGen does since v4.1."""
    required, longest = log.count("effective_min_query_count"), log.number("effective_max_duration_ms")
    if queries is None or required is None:
        return LoadGenRule("min-query-count", None, queries, required)
    if estimated and abs(queries - required) <= 0.05 * required:
        logged = log.flag("result_min_queries_met")  # too close to decide from an estimate
        note = "the count is an estimate, so this is LoadGen's own verdict"
        return LoadGenRule("min-query-count", logged, queries, required, note)
    if queries < required and longest and duration_s is not None and duration_s >= longest / 1000:
        logged = False if stops_at_max and not log.flag("effective_enforce_max_duration") else None
        note = "waived: stopped at the maximum duration"
        return LoadGenRule("min-query-count", True, queries, required, note, logged)
    return LoadGenRule("min-query-count", queries >= required, queries, required)


def window_s(log: DetailLog) -> float | None:
    """Seconds between the wall-clock times that LoadGen writes at begin and end of the timed run."""
    began, ended = wall_clock(log.text("power_begin")), wall_clock(log.text("power_end"))
    return (ended - began).total_seconds() if began and ended and ended > began else None


def wall_clock(text: str | None) -> datetime | None:
    """A time as LoadGen writes it: ``03-02-2023 17:23:11.082`` or ``2023-09-01T13:53:09Z``, without its zone."""
    for form in ("%m-%d-%Y %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text or "", form)
        except ValueError:
            continue
    return None


def own_valid(log: DetailLog) -> bool | None:
    """LoadGen's own verdict; None without one."""
    text = log.text("result_validity")
    return None if text is None else text == "VALID"


def same(a: float | None, b: float | None, digits: int = _DIGITS) -> bool | None:
    """Whether two numbers are equal within one unit of the last of ``digits``; None if one is missing."""
    if a is None or b is None:
        return None
    return math.isclose(a, b, rel_tol=10 ** (1 - digits), abs_tol=1e-12)


def _contradictions(log: DetailLog, scenario: str | None) -> Iterator[str]:
    percentiles = [(name, log.number(f"result_{name}_percentile_latency_ns")) for name in _PERCENTILES]
    ladder = [("min", log.number("result_min_latency_ns")), *percentiles, ("max", log.number("result_max_latency_ns"))]
    known = [(name, value) for name, value in ladder if value is not None]
    for (low, a), (high, b) in pairwise(known):
        if a > b:
            yield f"latency {low} ({a:.0f} ns) is above latency {high} ({b:.0f} ns)"
    mean = log.number("result_mean_latency_ns")
    if mean is not None and known and not known[0][1] - 1 <= mean <= known[-1][1] + 1:
        yield f"the mean latency {mean:.0f} ns is outside of minimum and maximum"
    if scenario == OFFLINE:
        per_query, longest = log.count("effective_samples_per_query"), log.number("result_max_latency_ns")
        rate = log.number("result_samples_per_second")
        if per_query and longest and rate is not None and not same(per_query / longest * 1e9, rate):
            yield f"{per_query} samples in {longest:.0f} ns are not {rate:g} samples per second"
        if longest:
            yield from _clock(log, longest / 1e9, 0.0)
    if scenario == SINGLE_STREAM:
        rate, busy = log.number("result_qps_without_loadgen_overhead"), log.number("result_qps_with_loadgen_overhead")
        if rate and mean and not math.isclose(rate * mean, 1e9, rel_tol=1e-5, abs_tol=abs(rate) + 1):
            yield f"a mean latency of {mean:.0f} ns is not {rate:g} queries per second"
        queries, longest = log.count("result_query_count"), log.number("result_max_latency_ns") or 0.0
        if rate and busy and busy > _most_with_overhead(rate, queries, longest) * 1.001:
            yield f"{busy:g} queries per second with overhead are more than {rate:g} without"
        if queries and busy:
            yield from _clock(log, (queries - 1) / busy, (log.number("result_max_latency_ns") or 0) / 1e9)
        yield from _early_stopping(log, dict(known).get("90.00"))


def _most_with_overhead(rate: float, queries: int | None, longest_ns: float) -> float:
    """The largest rate with overhead: LoadGen leaves out the last query, which may be the longest (results.cc)."""
    others_s = (queries / rate - longest_ns / 1e9) if queries else 0.0
    return max(rate, (queries - 1) / others_s) if queries and others_s > 0 else rate


def _clock(log: DetailLog, lasted_s: float, last_s: float) -> Iterator[str]:
    """The wall clock, which LoadGen also logs; in all published logs it agrees within milliseconds.

    Args:
        log: The log.
        lasted_s: How long the run lasted by its rates, up to the issue of the last query.
        last_s: How long the last query may have taken.
    """
    window = window_s(log)
    if window is not None and not lasted_s * 0.995 - 0.05 <= window <= lasted_s * 1.005 + last_s + 0.05:
        yield f"the run took {window:.3f} s by the clock, and {lasted_s:.3f} s by count and rate"


def _early_stopping(log: DetailLog, p90: float | None) -> Iterator[str]:
    estimate = log.number("early_stopping_latency_ss")
    queries, text = log.count("result_query_count"), log.text("early_stopping_result") or ""
    of_latency = not log.flag("requested_use_token_latencies")  # with tokens, it is of the time to the first one
    of_p90 = of_latency and log.number("requested_single_stream_target_latency_percentile") == 0.9
    if of_p90 and estimate and p90 and estimate < p90:
        yield f"the early stopping estimate {estimate:.0f} ns is below p90 {p90:.0f} ns"
    found = re.search(r"Processed at least \d+ queries \((\d+)\)", text)
    if found and queries is not None and int(found[1][:18]) != queries:
        yield f"early stopping saw {found[1]} queries, the log says {queries}"
