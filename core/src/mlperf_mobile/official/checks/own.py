"""Does a result of this program say what its own logs and latencies say, and are they the files that it was made of?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mlperf_mobile import loadgen
from mlperf_mobile.errors import MobileError
from mlperf_mobile.official import loadgen_logs, verdict
from mlperf_mobile.official.as_result import is_official
from mlperf_mobile.official.findings import Place, Report
from mlperf_mobile.official.loadgen_logs import DetailLog
from mlperf_mobile.results import latencies, store
from mlperf_mobile.results.model import Performance, Result, Status

MAX_LATENCIES = 1 << 30
_SPREAD_NS = 50_000
_PRINTED = 1e-5
"""What the six digits that LoadGen prints leave open."""
_COMPARED = ("p50", "p90", "p95", "p97")
"""The saved latencies are measured beside LoadGen's, and a little longer; the rare highest ones may be much longer."""


def check(folder: Path, report: Report) -> None:
    """Check one result folder of this program."""
    path = folder / store.RESULT
    try:
        result = store.read(folder)
    except MobileError as error:
        report.error("own-result", Place(path), error.summary)
        return
    report.passed["own-result"] += 1
    _digests(folder, result, report)
    _verdict(result, Place(path), report)
    if is_official(result):
        report.skip("own-logs", Place(path), "it was imported; check the files that it came from")
        return
    if result.performance is not None:
        _latencies(folder, result, result.performance, report)
        _detail(folder, result, result.performance, report)
    if result.accuracy is not None:
        _accuracy(folder, result, report)


def _digests(folder: Path, result: Result, report: Report) -> None:
    if not result.logs:
        report.skip("own-digests", Place(folder / store.RESULT), "the result has no digests of its files")
        return
    found = store.digests(folder)
    for name, digest in result.logs.items():
        wrong = "is missing or cannot be read" if name not in found else "is not the file that the result was made of"
        report.require("own-digests", found.get(name) == digest, Place(folder / name), f"{name} {wrong}")
    for name in sorted(set(found) - set(result.logs)):
        report.error("own-digests", Place(folder / name), f"{name} was not there when the result was made")


def _verdict(result: Result, place: Place, report: Report) -> None:
    """The verdict follows from the rules, and each rule from what was observed."""
    expected = all(rule.ok for rule in result.rules if rule.scope == "result")
    wrong = f"valid is {result.valid}, and the rules say {expected}"
    report.require("own-verdict", result.valid == expected, Place(place.path, key="valid"), wrong)
    if result.submittable and not all(rule.ok for rule in result.rules):
        report.error("own-verdict", Place(place.path, key="submittable"), "submittable, and a rule is not met")
    if result.valid and result.status is not Status.COMPLETED:
        report.error("own-verdict", Place(place.path, key="status"), f"valid, but {result.status.value}")
    for number, rule in enumerate(result.rules):
        key = Place(place.path, key=f"rules[{number}] {rule.name}")
        if rule.name in ("min-duration", "early-stopping", "quality-target") and _numbers(rule.observed, rule.required):
            met = float(rule.observed) >= float(rule.required) * (1 - _PRINTED)  # type: ignore[arg-type]
            text = f"{rule.observed} of {rule.required} is told to be {'met' if rule.ok else 'not met'}"
            report.require("own-verdict", met == rule.ok, key, text)
    if not result.valid:
        report.error("valid", place, f"the result is {result.verdict}")


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _latencies(folder: Path, result: Result, told: Performance, report: Report) -> None:
    """Percentiles and count from the saved latencies."""
    path, place = folder / latencies.FILE, Place(folder / store.RESULT, key="performance")
    try:
        size = path.stat().st_size
    except OSError as error:
        report.skip("own-latencies", Place(path), f"cannot be read: {error.strerror}")
        return
    if size % 8:
        report.error("own-latencies", Place(path), "its last value is torn")
    if size > MAX_LATENCIES:
        report.skip("own-latencies", Place(path), f"larger than {MAX_LATENCIES >> 20} MB")
        return
    saved = latencies.read(path)
    if not saved:
        report.error("own-latencies", Place(path), "there are no latencies in it")
        return
    wrong = f"{told.samples} samples, and {len(saved)} latencies were saved"
    report.require("own-latencies", told.samples == len(saved), place, wrong)
    for name, value in latencies.summary(saved).items():
        if name in told.latency_ns and name in _COMPARED:
            ok = math.isclose(told.latency_ns[name], value, rel_tol=0.02, abs_tol=_SPREAD_NS)
            wrong = f"{name} is {told.latency_ns[name]:.0f} ns, the saved latencies give {value:.0f} ns"
            report.require("own-latencies", ok, Place(place.path, key=f"performance.latency_ns.{name}"), wrong)
    if told.duration_s > 0:
        ok = math.isclose(told.throughput, told.samples / told.duration_s, rel_tol=1e-3)
        text = f"{told.samples} samples in {told.duration_s} s are not {told.throughput} samples/s"
        report.require("own-latencies", ok, Place(place.path, key="performance.throughput"), text)
    _duration(result, told, saved, place, report)


def _duration(result: Result, told: Performance, saved: Any, place: Place, report: Report) -> None:
    """Queries of single-stream follow one another, so the run lasts at least as long as all of them."""
    least = sum(saved) / 1e9 if result.scenario == "single-stream" else max(saved) / 1e9
    wrong = f"the run lasted {told.duration_s} s, and its latencies take {least:.3f} s"
    ok = told.duration_s >= least * 0.99
    report.require("own-latencies", ok, Place(place.path, key="performance.duration_s"), wrong)


def _log(folder: Path, report: Report) -> DetailLog | None:
    try:
        paths = loadgen_logs.parts(folder, loadgen.DETAIL_LOG) if folder.is_dir() else []
        log = loadgen_logs.read_detail(paths) if paths else None
    except (MobileError, OSError) as error:
        report.error("unreadable", Place(folder), str(error))
        return None
    if log is None or not log.records:
        report.error("log-missing" if log is None else "log-empty", Place(folder), "there is no log of LoadGen")
        return None
    return log


def _detail(folder: Path, result: Result, told: Performance, report: Report) -> None:
    """What LoadGen wrote about the same run."""
    log = _log(folder / "performance", report)
    if log is None:
        return
    found, place = verdict.recompute(log), Place(folder / store.RESULT, key="performance")
    for text in found.contradictions:
        report.error("numbers-agree", Place(log.path), f"numbers that cannot be true together: {text}")
    for name, value in told.latency_ns.items():
        key = _LOGGED.get(name)
        logged = log.number(key) if key else None
        if logged is not None and key is not None:
            ok = math.isclose(value, logged, rel_tol=1e-9, abs_tol=1.0)
            wrong = f"{name} is {value:.0f} ns, LoadGen's log says {logged:.0f} ns"
            report.require("own-logs", ok, Place(log.path, log.line(key)), wrong)
    for name, seed in result.seeds.items():
        logged_seed = log.integer(f"effective_{name}_rng_seed")
        wrong = f"seed {name} is {seed}, LoadGen's log says {logged_seed}"
        report.require("own-logs", None if logged_seed is None else logged_seed == seed, place, wrong)
    if "valid" in told.loadgen:
        own = verdict.own_valid(log)
        wrong = f"LoadGen's verdict is told as {told.loadgen['valid']}, its log says {own}"
        report.require("own-logs", None if own is None else own == bool(told.loadgen["valid"]), place, wrong)


_LOGGED = {
    "p50": "result_50.00_percentile_latency_ns",
    "p90": "result_90.00_percentile_latency_ns",
    "p95": "result_95.00_percentile_latency_ns",
    "p97": "result_97.00_percentile_latency_ns",
    "p99": "result_99.00_percentile_latency_ns",
    "p99_9": "result_99.90_percentile_latency_ns",
    "mean": "result_mean_latency_ns",
    "min": "result_min_latency_ns",
    "max": "result_max_latency_ns",
}


def _accuracy(folder: Path, result: Result, report: Report) -> None:
    """The accuracy, by the answers; ``mlperf-mobile score`` computes the same."""
    from mlperf_mobile.config.scoring import scoring_of
    from mlperf_mobile.registry import Registry
    from mlperf_mobile.scoring import score

    told, path = result.accuracy, folder / "accuracy" / loadgen.ACCURACY_LOG
    if told is None:
        return
    place = Place(folder / store.RESULT, key="accuracy.value")
    if not path.is_file():
        report.error("log-missing", Place(path), "there is no accuracy log")
        return
    try:
        found = score(Registry(), scoring_of(store.read_plan(folder)), path)
    except MobileError as error:
        report.skip("accuracy-recomputed", place, f"the answers cannot be scored here: {error.summary}")
        return
    ok = math.isclose(found.value, told.value, rel_tol=1e-9, abs_tol=1e-9)
    wrong = f"the accuracy is {told.value}, the answers give {found.value}"
    report.require("accuracy-recomputed", ok, place, wrong)
    wrong = f"{told.samples} samples, the answers are of {found.samples}"
    report.require("accuracy-recomputed", told.samples == found.samples, place, wrong)
