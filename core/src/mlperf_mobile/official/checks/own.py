"""Does a result of this program say what its own logs and latencies say, and are they the files that it was made of?"""

from __future__ import annotations

import math
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlperf_mobile import loadgen
from mlperf_mobile.errors import MobileError
from mlperf_mobile.official import loadgen_logs, verdict
from mlperf_mobile.official.findings import Place, Report
from mlperf_mobile.official.loadgen_logs import DetailLog
from mlperf_mobile.results import latencies, store
from mlperf_mobile.results.model import Performance, Result, Status

DIGESTED = ("plan.json", "latencies.bin", "performance", "accuracy")
"""Files, and folders of files, whose digests a result may have."""
MAX_LATENCIES = 1 << 30


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files that a result is made of, by their path in its folder.

    Raises:
        OSError: One cannot be read.
    """
    paths = []
    for name in DIGESTED:
        path = folder / name
        paths += sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    found = {}
    for path in paths:
        if path.is_file():
            with path.open("rb") as file:
                digest = sha256()
                while data := file.read(1 << 20):
                    digest.update(data)
            found[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return found


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
    if getattr(result, "origin", None):
        report.skip("own-logs", Place(path), "it was imported; check the files that it came from")
        return
    if result.performance is not None:
        _latencies(folder, result, result.performance, report)
        _detail(folder, result, result.performance, report)
    if result.accuracy is not None:
        _accuracy(folder, result, report)


def _digests(folder: Path, result: Result, report: Report) -> None:
    told: dict[str, str] = getattr(result, "digests", None) or {}
    if not told:
        report.skip("own-digests", Place(folder / store.RESULT), "the result has no digests of its files")
        return
    try:
        found = digests(folder)
    except OSError as error:
        report.error("unreadable", Place(folder), f"cannot be read: {error.strerror}")
        return
    for name, digest in told.items():
        wrong = "is missing" if name not in found else "is not the file that the result was made of"
        report.require("own-digests", found.get(name) == digest, Place(folder / name), f"{name} {wrong}")
    for name in sorted(set(found) - set(told)):
        report.error("own-digests", Place(folder / name), f"{name} was not there when the result was made")


def _verdict(result: Result, place: Place, report: Report) -> None:
    """The verdict follows from the rules, and each rule from what was observed."""
    expected = all(rule.ok for rule in result.rules)
    wrong = f"valid is {result.valid}, and the rules say {expected}"
    report.require("own-verdict", result.valid == expected, Place(place.path, key="valid"), wrong)
    if result.valid and result.status is not Status.COMPLETED:
        report.error("own-verdict", Place(place.path, key="status"), f"valid, but {result.status.value}")
    for number, rule in enumerate(result.rules):
        key = Place(place.path, key=f"rules[{number}] {rule.name}")
        if rule.name in ("min-duration", "early-stopping", "quality-target") and _numbers(rule.observed, rule.required):
            met = rule.observed >= rule.required  # type: ignore[operator]
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
        if name in told.latency_ns:
            ok = math.isclose(told.latency_ns[name], value, rel_tol=1e-9, abs_tol=1.0)
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
    ok = told.duration_s >= least * 0.999
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
