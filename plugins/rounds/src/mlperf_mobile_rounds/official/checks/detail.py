"""Checks that a detail log has all keys of LoadGen, and the settings of a benchmark run with their consequences.

Source: mlcommons/inference, loadgen/test_settings_internal.cc and loadgen.cc; all public logs of v1.1 to v5.0 agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.context import LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.token_latencies import TPOT_TEXT, TTFT_TEXT
from mlperf_mobile_rounds.official.verdict import OFFLINE, SINGLE_STREAM

FIXED = {
    "max_query_count": 0,
    "accuracy_log_rng_seed": 0,
    "accuracy_log_probability": 0,
    "accuracy_log_sampling_target": 0,
    "print_timestamps": False,
    "performance_issue_unique": False,
    "performance_issue_same": False,
    "performance_issue_same_index": 0,
}
"""Settings that no benchmark run changes; the log has each as requested and as effective."""

_BOTH = (
    "scenario", "test_mode", "min_duration_ms", "max_duration_ms", "min_query_count",
    "qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed", *FIXED,
)  # fmt: skip
_ALWAYS = (
    "loadgen_version", "loadgen_build_date_local", "loadgen_build_date_utc", "loadgen_git_commit_date",
    "loadgen_git_log_message", "loadgen_git_status_message", "loadgen_file_sha1", "test_datetime", "sut_name",
    "qsl_name", "qsl_reported_total_count", "qsl_reported_performance_count",
    "requested_performance_sample_count_override", "effective_samples_per_query", "effective_target_qps",
    "effective_target_latency_ns", "effective_target_latency_percentile", "effective_max_async_queries",
    "effective_target_duration_ms", "effective_min_sample_count", "effective_performance_sample_count",
    "generic_message", "generated_query_count", "generated_samples_per_query", "generated_query_duration",
    "logger_swap_request_slots_retry_count", "logger_swap_request_slots_retry_retry_count",
    "logger_swap_request_slots_retry_reencounter_count", "logger_start_reading_entries_retry_count",
    "logger_tls_total_log_cas_fail_count", "logger_tls_total_swap_buffers_slot_retry_count", "power_begin", "power_end",
    *(f"{kind}_{name}" for kind in ("requested", "effective") for name in _BOTH),
)  # fmt: skip
_OF_SCENARIO = {
    SINGLE_STREAM: (
        "requested_single_stream_expected_latency_ns", "requested_single_stream_target_latency_percentile",
    ),
    OFFLINE: ("requested_offline_expected_qps",),
}  # fmt: skip
_TIMED = (
    "result_validity", "result_min_duration_met", "result_min_queries_met", "result_min_latency_ns",
    "result_max_latency_ns", "result_mean_latency_ns",
    *(f"result_{each}_percentile_latency_ns" for each in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")),
)  # fmt: skip
_TIMED_OF = {
    SINGLE_STREAM: ("result_qps_with_loadgen_overhead", "result_qps_without_loadgen_overhead"),
    OFFLINE: ("result_samples_per_second",),
}
_SINCE_2 = ("get_sut_name_duration_ns",)
_TIMED_SINCE_2 = ("early_stopping_met", "result_query_count")
_OF_TOKENS = (
    TTFT_TEXT, TPOT_TEXT, "result_token_throughput_with_loadgen_overhead", "result_token_throughput",
    "result_completed_tokens_per_second",
    *(f"result_first_token_{name}_latency_ns" for name in ("min", "max", "mean")),
    *(f"result_time_to_output_token_{name}" for name in ("min", "max", "mean")),
)  # fmt: skip
"""With ``use_token_latencies``; percentiles are checked with the other token latencies."""
_PRINTED_WHOLE = 10**6
"""LoadGen prints six digits of a fraction such as the expected latency: larger ones are rounded."""
_ENDS = "Ending naturally: Minimum query count and test duration met."
_STARTS = {verdict.PERFORMANCE: "Starting performance mode", verdict.ACCURACY: "Starting accuracy mode"}


def check(run: LoggedRun, log: DetailLog, report: Report) -> None:
    """Check one detail log by itself."""
    for odd in log.odd:
        report.error("log-record", Place(log.path, odd.line), f"LoadGen does not write this: {odd.value}")
    missing = [key for key in _expected(log) if key not in log.entries and not (key == "loadgen_file_sha1" and log.odd)]
    wrong = f"missing keys of LoadGen: {', '.join(missing[:8])}{' and more' if len(missing) > 8 else ''}"
    report.require("log-keys", not missing, Place(log.path), wrong)
    for name, value in FIXED.items():
        for key in (f"requested_{name}", f"effective_{name}"):
            if key in log.entries:
                wrong = f"{key} is {log.entries[key].value}, but is {value} in a run of the benchmark"
                report.require("setting", _equal(log.entries[key].value, value), run.place(key), wrong)
    for key, expected, why in _follows(log):
        found = log.entries[key].value if key in log.entries else None
        wrong = f"{key} is {found}; {why} {expected if isinstance(expected, str) else f'{expected:.10g}'}"
        if found is None:
            report.skip("settings-agree", run.place(key), f"{key} is not in the log")
        else:
            report.require("settings-agree", _equal(found, expected), run.place(key), wrong)
    started = _STARTS.get(verdict.mode_of(log) or "")
    if log.messages and started:
        wrong = f"a message says {log.messages[0]!r}, but the mode is {verdict.mode_of(log)}"
        report.require("settings-agree", log.messages[0] == started, run.place("generic_message"), wrong)
    if verdict.mode_of(log) == verdict.PERFORMANCE and verdict.own_valid(log) and not log.errors:
        last = log.messages[1:2]
        wrong = f"LoadGen ends a valid run with {_ENDS!r}, this log with {(last or ('nothing',))[0]!r}"
        report.require("settings-agree", last == (_ENDS,), run.place("generic_message"), wrong)
    if run.verdict:
        _flags(run, log, report)
        _early_stopping(run, log, report)


def _expected(log: DetailLog) -> Iterator[str]:
    scenario, timed = verdict.scenario_of(log) or "", verdict.mode_of(log) == verdict.PERFORMANCE
    version = (log.text("loadgen_version") or "").partition(" ")[0]
    new = "get_sut_name_duration_ns" in log.entries or not version.startswith((".", "0.", "1."))
    yield from _ALWAYS
    yield from _OF_SCENARIO.get(scenario, ())
    if new:
        yield from _SINCE_2
    if timed:
        yield from _TIMED
        yield from _TIMED_OF.get(scenario, ())
        yield from _TIMED_SINCE_2 if new else ()
        of_tokens = log.flag("requested_use_token_latencies") and scenario == SINGLE_STREAM
        yield from _OF_TOKENS if of_tokens else ("early_stopping_result",) if new else ()
        yield from ("early_stopping_latency_ss", "early_stopping_latency_ms") if new and scenario != OFFLINE else ()
    if version.startswith("4.0"):  # the app's own patch of LoadGen
        yield "effective_enforce_max_duration"


def _equal(found: object, expected: object) -> bool:
    """Equal, numbers within the six digits that LoadGen prints of fractions."""
    if isinstance(found, bool) or isinstance(expected, bool | str):
        return found is expected or (isinstance(found, str) and found == expected)
    if isinstance(found, int) and isinstance(expected, int):
        return found == expected
    if isinstance(found, int | float) and isinstance(expected, int | float) and abs(found) < 1e300:
        return math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-9)
    return False


def _follows(log: DetailLog) -> Iterator[tuple[str, float | int | str, str]]:
    """Settings that follow from others: key, value and why."""
    scenario = verdict.scenario_of(log)
    for name in _BOTH:
        requested = log.entries.get(f"requested_{name}")
        if requested and name not in FIXED and not (scenario == OFFLINE and name == "min_query_count"):
            value = requested.value
            if isinstance(value, str | float) or log.count(f"requested_{name}") is not None:
                yield f"effective_{name}", value, f"requested_{name} is"
    override, reported = log.count("requested_performance_sample_count_override"), None
    reported = override or log.count("qsl_reported_performance_count")
    if reported is not None:
        yield "effective_performance_sample_count", reported, "the sample library or the override says"
    least, per_query = log.count("effective_min_query_count"), log.count("effective_samples_per_query")
    if least is not None and per_query is not None:
        yield "effective_min_sample_count", least * per_query, "queries times samples per query are"
    if per_query is not None:
        yield from _samples_of_a_query(log, scenario, per_query)
    yield "effective_max_async_queries", 1, "in this scenario it is"
    yield "effective_target_latency_ns", 0, "in this scenario it is"
    duration, rate = log.number("effective_min_duration_ms"), log.number("effective_target_qps")
    if scenario == SINGLE_STREAM:
        yield "effective_samples_per_query", 1, "in single-stream it is"
        latency = log.number("requested_single_stream_expected_latency_ns")
        if latency is not None:
            yield "effective_target_qps", 1e9 / latency if latency else 0.0, "the expected latency gives"
        if (percentile := log.number("requested_single_stream_target_latency_percentile")) is not None:
            yield "effective_target_latency_percentile", percentile, "requested was"
        if duration is not None:
            yield "effective_target_duration_ms", duration, "effective_min_duration_ms is"
    elif scenario == OFFLINE:
        asked_rate, asked_count = log.number("requested_offline_expected_qps"), log.count("requested_min_query_count")
        if asked_rate is not None:
            yield "effective_target_qps", asked_rate, "requested was"
        if asked_rate is not None and asked_count is not None and duration is not None:
            rated = 1.1 * asked_rate * duration / 1000 + 1e-9
            needed = max(asked_count, math.floor(rated) if math.isfinite(rated) else rated)
            yield "effective_samples_per_query", needed, "requested counts and rate give"
        yield "effective_target_latency_percentile", 0.99, "offline it is"
        yield "effective_min_query_count", 1, "offline it is"
        if verdict.mode_of(log) == verdict.PERFORMANCE:
            yield "result_query_count", 1, "offline it is"
            yield "early_stopping_result", "", "offline it is empty:"
        yield "effective_target_duration_ms", 0, "offline it is"
    yield from _generated(log, scenario, duration, rate)
    if "effective_enforce_max_duration" in log.entries and log.flag("effective_enforce_max_duration") is not True:
        yield "effective_enforce_max_duration", "true", "the app sets"


def _samples_of_a_query(log: DetailLog, scenario: str | None, per_query: int) -> Iterator[tuple[str, int, str]]:
    """The samples of a generated query: as many as requested, or those of a loadable set in an accuracy run offline.

    There, LoadGen 6.0 logs what it issues in one query, earlier versions what a performance run would have.
    """
    total, found = log.count("qsl_reported_total_count"), log.count("generated_samples_per_query")
    if scenario == OFFLINE and verdict.mode_of(log) == verdict.ACCURACY and total:
        loaded = min(log.count("qsl_reported_performance_count") or total, total) or total
        if found in (loaded, total % loaded) and found != 0:
            return
    yield "generated_samples_per_query", per_query, "effective_samples_per_query is"


def _generated(
    log: DetailLog, scenario: str | None, duration_ms: float | None, rate: float | None
) -> Iterator[tuple[str, float | int | str, str]]:
    """The queries that LoadGen generated before the test: enough for twice the duration, or all samples."""
    count = log.count("generated_query_count")
    if count is None or not rate:
        return
    latency = log.count("requested_single_stream_expected_latency_ns") if scenario == SINGLE_STREAM else None
    exact = 10**9 if scenario == OFFLINE and rate == 1 else None
    if latency:
        exact = _interval_ns(latency, log.count("generated_query_duration"), count)
    yield "generated_query_duration", count * exact if exact else count / rate * 1e9, "count and rate of queries give"
    if scenario == OFFLINE:
        yield "generated_query_count", 1, "offline it is"
    elif scenario == SINGLE_STREAM and verdict.mode_of(log) == verdict.PERFORMANCE and duration_ms is not None:
        least = log.count("effective_min_query_count") or 0
        needed = 2 * duration_ms * (1e6 / exact if exact else rate / 1000) + 1
        if not math.isclose(count, max(needed, least), rel_tol=1e-5, abs_tol=1.01):
            expected = max(needed, least)
            whole = round(expected) if math.isfinite(expected) else expected
            yield "generated_query_count", whole, "duration and rate give"
    elif scenario == SINGLE_STREAM and verdict.mode_of(log) == verdict.ACCURACY:
        total = log.count("qsl_reported_total_count")
        if total is not None and log.generated and sum(log.generated) != total:
            last = total - sum(log.generated[:-1])
            yield "generated_query_count", last, f"each of the {total} samples is issued once, which gives"


def _interval_ns(latency: int, duration: int | None, count: int) -> int:
    """The whole nanoseconds between two generated queries of single-stream, for an expected latency of six digits.

    LoadGen cuts them off, and so has one less than the latency for every seventh one (loadgen.cc,
    ``ScheduleDistribution``).
    """
    unknown = 0.0 if latency < _PRINTED_WHOLE else 0.5 * 10.0 ** (math.floor(math.log10(latency)) - 5)
    least, most = (int(1.0 / (1e9 / each) * 1e9) for each in (latency - unknown, latency + unknown))
    return min(max(least, round((duration or 0) / max(count, 1))), most)


def _flags(run: LoggedRun, log: DetailLog, report: Report) -> None:
    """LoadGen's verdicts on its individual rules."""
    assert run.verdict
    words = {"min-duration": "result_min_duration_met", "early-stopping": "early_stopping_met"}
    for rule in run.verdict.rules:
        key, ok = words.get(rule.name), rule.ok
        if rule.name == "early-stopping" and rule.logged is not None:
            ok = rule.logged
        if rule.name == "min-query-count" and rule.observed is not None and rule.required is not None:
            key, ok = "result_min_queries_met", rule.observed >= rule.required
            if run.verdict.estimated and abs(rule.observed - rule.required) <= 0.05 * rule.required:
                ok = None
        if key and ok is not None and (flag := log.flag(key)) is not None:
            wrong = f"{key} is {str(flag).lower()}, but the run has {rule.observed} of {rule.required}"
            report.require("verdict", flag == ok, run.place(key), wrong)


def _early_stopping(run: LoggedRun, log: DetailLog, report: Report) -> None:
    """The estimates are in a text and in keys of their own."""
    text = log.text(TTFT_TEXT if log.flag("requested_use_token_latencies") else "early_stopping_result")
    if text is None or verdict.scenario_of(log) != SINGLE_STREAM or "early_stopping_latency_ss" not in log.entries:
        return
    for key, percent in (("early_stopping_latency_ss", "90"), ("early_stopping_latency_ms", "99")):
        estimate = re.search(rf"{percent}(?:\.0)?th percentile estimate: (\d{{1,18}})", text)
        value, expected = log.count(key), int(estimate[1]) if estimate else 0
        wrong = f"{key} is {value}, but the early stopping text says {expected or 'nothing about it'}"
        report.require("numbers-agree", value == expected, run.place(key), wrong)
