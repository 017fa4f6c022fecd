"""Compares each line of the summary log with the detail log."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.context import LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog, SummaryLog
from mlperf_mobile_rounds.official.token_latencies import TPOT_TEXT, TTFT_TEXT
from mlperf_mobile_rounds.official.verdict import OFFLINE, SINGLE_STREAM

_PARAMETERS = {
    "target_latency (ns)": "target_latency_ns",
    "min_duration (ms)": "min_duration_ms",
    "max_duration (ms)": "max_duration_ms",
    **{
        name: name
        for name in (
            "samples_per_query", "target_qps", "max_async_queries", "min_query_count", "max_query_count",
            "qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed", "accuracy_log_rng_seed",
            "accuracy_log_probability", "accuracy_log_sampling_target", "print_timestamps", "performance_issue_unique",
            "performance_issue_same", "performance_issue_same_index", "performance_sample_count",
        )
    },
}  # fmt: skip
_LATENCIES = {
    "Min latency (ns)": "result_min_latency_ns",
    "Max latency (ns)": "result_max_latency_ns",
    "Mean latency (ns)": "result_mean_latency_ns",
    **{
        f"{each} percentile latency (ns)": f"result_{each}_percentile_latency_ns"
        for each in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")
    },
}
_OF_TOKENS = {
    **{
        line.format(name.capitalize()): key.format(name)
        for name in ("min", "max", "mean")
        for line, key in (
            ("{} First Token latency (ns)", "result_first_token_{}_latency_ns"),
            ("{} Time per Output Token (ns)", "result_time_to_output_token_{}"),
        )
    },
    **{
        line.format(each): key.format(each)
        for each in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")
        for line, key in (
            ("{} percentile first token latency (ns)", "result_first_token_{}_percentile_latency_ns"),
            ("{} percentile time to output token (ns)", "result_time_per_output_token_{}_percentile_ns"),
        )
    },
}
"""Lines with ``use_token_latencies``."""
_WORDS = {
    "Min duration satisfied": "result_min_duration_met",
    "Min queries satisfied": "result_min_queries_met",
    "Early stopping satisfied": "early_stopping_met",
}
_HEADINGS = ("MLPerf Results Summary", "Additional Stats", "Test Parameters Used")


def check(run: LoggedRun, log: DetailLog, summary: SummaryLog, report: Report) -> None:
    """Compare both logs of a run."""
    missing = []
    if verdict.mode_of(log) == verdict.ACCURACY:
        ok = summary.text("Result is") is None
        report.require(
            "summary-agrees", ok, Place(summary.path), "it has a verdict, but the detail log is of an accuracy run"
        )
    for name, expected, digits in _expected(log):
        text, place = summary.text(name), Place(summary.path, summary.line(name))
        if text is None:
            missing.append(name)
        elif isinstance(expected, str):
            ok = text == expected or (name == "Min queries satisfied" and text == "Skipped")
            report.require("summary-agrees", ok, place, f"{name}: {text} in the summary, {expected} in the detail log")
        else:
            number = summary.number(name)
            equal = number == expected or bool(digits and verdict.same(number, expected, digits))
            if isinstance(expected, int) and text.isascii() and text.isdigit():
                equal = int(text[:30]) == expected
            elif name.startswith(("QPS", "TPS")):
                equal = _in_hundredths(number, expected)
            wrong = f"{name}: {text} in the summary, {expected:.20g} in the detail log"
            report.require("summary-agrees", equal, place, wrong)
    if missing:
        wrong = f"it lacks {', '.join(missing[:8])}"
        report.error(
            "summary-agrees", Place(summary.path), f"{wrong}; LoadGen writes everything that is in the detail log"
        )
    for heading in _HEADINGS if verdict.mode_of(log) == verdict.PERFORMANCE else ():
        count = summary.body.splitlines().count(heading)
        wrong = f"the heading {heading!r} is {f'there {count} times' if count else 'missing'}"
        report.require("summary-agrees", count == 1, Place(summary.path), wrong)
    _counts(log, summary, report)
    if run.verdict:
        _early_stopping(log, summary, report)


def _in_hundredths(number: float | None, rate: float) -> bool:
    """Whether a number is a rate, of which six digits are known, in hundredths: cut off by old versions, then rounded.

    The six digits of 83751.2 stand for everything from 83751.15 to 83751.25.
    """
    if not math.isfinite(rate * 101):
        return number == rate
    half = 0.499 * 10.0 ** (math.floor(math.log10(rate)) - 5) if rate > 0 else 0.0
    least, most = math.floor((rate - half) * 100), max(math.floor((rate + half) * 100), round((rate + half) * 100))
    return number is not None and least <= round(number * 100, 3) <= most


def _expected(log: DetailLog) -> Iterator[tuple[str, str | float, int]]:
    """Name, value and how many digits of it are printed; 0: all."""
    if verdict.mode_of(log) != verdict.PERFORMANCE:  # LoadGen writes nothing but the last lines
        return
    for name, text in (
        ("SUT name", log.text("sut_name")),
        ("Scenario", verdict.scenario_of(log)),
        ("Mode", verdict.mode_of(log)),
        ("Result is", log.text("result_validity")),
    ):
        if text is not None:
            yield name, text.strip(), 0
    for name, key in _WORDS.items():
        if (flag := log.flag(key)) is not None:
            yield name, "Yes" if flag else "NO", 0
    tokens = log.flag("requested_use_token_latencies") and verdict.scenario_of(log) == SINGLE_STREAM
    for name, key in (_LATENCIES | (_OF_TOKENS if tokens else {})).items():
        if (value := log.number(key)) is not None:
            yield name, value, 15
    for name, key in _PARAMETERS.items():
        entry = log.entries.get(f"effective_{key}")
        if tokens and key == "target_latency_ns":  # there are targets of both token latencies instead
            continue
        if entry and isinstance(entry.value, int | float) and abs(entry.value) < 2**64:  # others are a finding already
            yield name, float(entry.value) if isinstance(entry.value, float) else int(entry.value), 0
    if verdict.scenario_of(log) == OFFLINE:
        if (rate := log.number("result_samples_per_second")) is not None:
            yield "Samples per second", rate, 6
        return
    percentile = log.number("effective_target_latency_percentile")
    p90 = log.number("result_90.00_percentile_latency_ns")
    if percentile == 0.9 and p90 is not None:
        newer = tokens or (log.text("early_stopping_result") or "").find("90.0th") >= 0
        yield f"{'90.0' if newer else '90'}th percentile latency (ns)", p90, 15
    first = log.number("result_first_token_90.00_percentile_latency_ns")
    if tokens and percentile == 0.9 and first is not None:
        yield "90.0th first token percentile latency (ns)", first, 15
    if tokens:
        yield from _token_rates(log)
    for name, key in (("w/", "with"), ("w/o", "without")):
        if (rate := log.number(f"result_qps_{key}_loadgen_overhead")) is not None:
            yield f"QPS {name} loadgen overhead", rate, 0


def _token_rates(log: DetailLog) -> Iterator[tuple[str, float, int]]:
    """Tokens per second, which LoadGen multiplies by 10^9 in the summary alone."""
    busy, plain = log.number("result_token_throughput_with_loadgen_overhead"), log.number("result_token_throughput")
    if busy is not None:
        yield "TPS w/ loadgen overhead", busy, 0
    if busy is not None and plain is not None:
        yield "TPS w/o loadgen overhead", plain * 1e9 if plain < busy / 1e6 else plain, 0


def _counts(log: DetailLog, summary: SummaryLog, report: Report) -> None:
    """The last lines: how many warnings and errors there were."""
    errors = sum("Max test duration reached" not in str(error.value) for error in log.errors)  # the app's LoadGen
    for word, found in (("warning", log.warnings), ("error", errors)):
        count, line = summary.counts.get(word, (None, None))
        if count is None and summary.ended:
            report.error("summary-agrees", Place(summary.path), f"it does not say how many {word}s there were")
        elif count is not None and len(log.errors) < 100:
            wrong = f"{count} {word}s in the summary, {found} in the detail log"
            report.require("summary-agrees", count == found, Place(summary.path, line), wrong)
    number = log.integer("num_errors")
    if number is not None:
        wrong = f"num_errors is {number}, but {len(log.errors)} errors are logged"
        report.require("numbers-agree", number == len(log.errors), Place(log.path, log.line("num_errors")), wrong)


def _early_stopping(log: DetailLog, summary: SummaryLog, report: Report) -> None:
    """The text about early stopping stands in both logs."""
    for key, kind in (("early_stopping_result", ""), (TTFT_TEXT, "TTFT "), (TPOT_TEXT, "TPOT ")):
        logged = log.text(key)
        if not logged or len(logged) >= 500:
            continue
        ok = "".join(f"{kind}EarlyStoppingResult:{logged}".split()) in "".join(summary.body.split())
        ok = ok and f"{kind}Early Stopping Result:" in summary.body.splitlines()
        report.require("summary-agrees", ok, Place(summary.path), "early stopping differs from the detail log")
