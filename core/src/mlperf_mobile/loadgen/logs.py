"""Reads LoadGen's detail, summary and accuracy logs.

To add a LoadGen field, read it here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import LIVE
from mlperf_mobile.errors import OutputError
from mlperf_mobile.loadgen import accuracy_log

SUMMARY_LOG = "mlperf_log_summary.txt"
DETAIL_LOG = "mlperf_log_detail.txt"
ACCURACY_LOG = "mlperf_log_accuracy.json"
LATENCY_SOURCE = "latency_source"
"""The key that :func:`mlperf_mobile.loadgen.run` adds to LoadGen's keys."""
_MLLOG = ":::MLLOG "
_MAX_LINE = 64 << 20


def read_details(path: Path) -> dict[str, Any]:
    """Every key of a detail log with its last value; ``errors`` holds the texts of all error lines."""
    details: dict[str, Any] = {}
    errors = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        while line := lines.readline(_MAX_LINE):
            if not line.startswith(_MLLOG):
                continue
            try:
                record = json.loads(line[len(_MLLOG) :])
                details[record["key"]] = record["value"]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            if str(record["key"]).startswith("error"):
                errors.append(str(record["value"]))
    return details | {"errors": errors}


def latencies(details: Mapping[str, Any]) -> dict[str, float]:
    """``p50 p90 p95 p97 p99 p99_9 mean min max`` of the samples' latencies in nanoseconds, as LoadGen logged them."""
    return _summary(details, "result_{}_latency_ns", "result_{}_percentile_latency_ns")


def first_token_latencies(details: Mapping[str, Any]) -> dict[str, float]:
    """``p50 p90 p95 p97 p99 p99_9 mean min max`` of the times to the first token in nanoseconds, as LoadGen logs them.

    LoadGen rounds the mean down; empty for a run without token latencies.
    """
    return _summary(details, "result_first_token_{}_latency_ns", "result_first_token_{}_percentile_latency_ns")


def times_per_token(details: Mapping[str, Any]) -> dict[str, float]:
    """The same of the times per output token."""
    return _summary(details, "result_time_to_output_token_{}", "result_time_per_output_token_{}_percentile_ns")


def _summary(details: Mapping[str, Any], bound: str, percentile: str) -> dict[str, float]:
    """A latency summary, by the patterns of LoadGen's keys for mean and bounds, and for percentiles."""
    names = {bound.format(name): name for name in ("mean", "min", "max")}
    for percent in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90"):
        names[percentile.format(percent)] = "p" + percent.rstrip("0").rstrip(".").replace(".", "_")
    return {short: float(details[key]) for key, short in names.items() if key in details}


def query_latencies(details: Mapping[str, Any]) -> dict[str, float]:
    """``query_p50 query_p90 query_p99 query_mean query_min query_max`` in nanoseconds, as multi-stream logs them."""
    names = {f"result_{name}_query_latency_ns": f"query_{name}" for name in ("mean", "min", "max")}
    names |= {f"result_{percent}.00_percentile_per_query_latency_ns": f"query_p{percent}" for percent in (50, 90, 99)}
    return {short: float(details[key]) for key, short in names.items() if key in details}


def target_latency(logs: Path) -> float:
    """The latency in nanoseconds at single-stream's target percentile, which only the summary log has.

    Raises:
        OutputError: The log does not have it.
    """
    text = (logs / SUMMARY_LOG).read_text(errors="replace")
    if found := re.search(r"^[\d.]+th percentile latency \(ns\) : (\d+)$", text, re.MULTILINE):
        return float(found[1])
    raise OutputError(
        "log-incomplete", f"{logs / SUMMARY_LOG} has no percentile latency", "check whether the disk is full"
    )


def verdict(details: Mapping[str, Any]) -> dict[str, Any]:
    """LoadGen's own verdict, as a result records it."""
    return {
        "version": details.get("loadgen_version"),
        "valid": details.get("result_validity") == "VALID",
        "reason": details.get("result_invalid_reason"),
        "errors": list(details.get("errors", [])),
        "early_stopping_latency_ns": details.get("early_stopping_latency_ss"),
        "effective_min_query_count": details.get("effective_min_query_count"),
        "effective_performance_sample_count": details.get("effective_performance_sample_count"),
    }


def read_responses(path: Path) -> Iterator[tuple[int, bytes]]:
    """(sample index, response) of every item in an accuracy log, in the order of the log.

    Raises:
        DataError: The log is missing or damaged; names the line.
    """
    for item in accuracy_log.read([path]):
        yield item.index, item.data


def latency_source(details: Mapping[str, Any]) -> str:
    """Whether the latencies of a run are LoadGen's, or were taken around the calls of the system."""
    return str(details.get(LATENCY_SOURCE, LIVE))


def issued_s(details: Mapping[str, Any], queries: int) -> float:
    """Seconds from LoadGen's start to the issue of the last of ``queries`` in single-stream, to six digits.

    LoadGen compares this with the minimum duration, and logs its rate: ``(queries - 1) / issued``
    (mlcommons/inference, loadgen/results.cc).
    """
    rate = float(details.get("result_qps_with_loadgen_overhead") or 0.0)
    return (queries - 1) / rate if rate else 0.0
