"""Compares the numbers of an own result with their sources: LoadGen's logs, the saved latencies, the plan's load."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import COUNTED
from mlperf_mobile.errors import MobileError
from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results import latencies, store
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.results.parts import SystemFacts
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks import own_arrivals, own_rules, own_tokens
from mlperf_mobile_rounds.official.checks.own_scenarios import LOADGEN_SCENARIOS, MAX_LATENCIES
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import MAX_TEXTS, DetailLog, readable

_SPREAD_NS = {"SingleStream": 50_000, "MultiStream": 1_000_000, "Server": 10_000_000, "Offline": 100_000_000}
"""By scenario: ours starts when a query has reached us; offline, its only query may have millions of samples, and in
server, LoadGen's starts when the query is due, while Python may be busy."""
_COMPARED = ("p50", "p90", "p95", "p97")
"""Latencies that are not LoadGen's own may be a little longer than these, and the rare highest ones much longer."""
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p97": 0.97, "p99": 0.99, "p99_9": 0.999}
_PERCENTILE_OF = {"SingleStream": "single_stream", "MultiStream": "multi_stream", "Server": "server"}


def check(folder: Path, result: Result, log: DetailLog | None, report: Report) -> None:
    """Compare the performance of a result with the measured data in its files."""
    stored = result.performance
    if stored is None:
        return
    saved = _latencies(folder, result, stored, report)
    if result.status is not Status.COMPLETED:
        return  # LoadGen wrote no numbers
    own_rules.check(folder, result, stored, report)
    own_arrivals.check(folder, result, log, report)
    own_tokens.check(folder, result, log, report)
    if log is None:
        return
    place = Place(folder / store.RESULT, key="performance")
    for text in verdict.recompute(log).contradictions:
        report.error("numbers-agree", Place(log.path), f"contradictory numbers: {text}")
    _logged(folder, log, result, stored, report)
    _settings(log, result, report)
    duration = verdict.recompute(log).duration_s
    if duration is not None:
        ok = math.isclose(stored.duration_s, duration, rel_tol=0.01, abs_tol=1.0)
        wrong = f"the run lasted {stored.duration_s} s, by LoadGen's log {duration:.3f} s"
        report.require("own-logs", ok, Place(place.path, key="performance.duration_s"), wrong)
    if saved is not None:
        _counts(log, saved, place, report)


def _latencies(folder: Path, result: Result, stored: Performance, report: Report) -> int | None:
    """Percentiles and count from the saved latencies; how many there are."""
    path, place = folder / latencies.FILE, Place(folder / store.RESULT, key="performance")
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            values = np.fromfile(file, "<i8") if size <= 8 * MAX_LATENCIES else None
    except OSError as error:
        report.error("own-latencies", Place(path), f"cannot be read: {error.strerror}")
        return None
    if size % 8 and result.status is Status.COMPLETED:
        report.error("own-latencies", Place(path), "its last value is incomplete")
    count = size // 8
    wrong = f"{stored.samples} samples, but {count} saved latencies"
    report.require("own-latencies", stored.samples == count, place, wrong)
    if values is None:
        report.skip("own-latencies", Place(path), f"it has more than {MAX_LATENCIES} latencies")
    elif not count:
        report.error("own-latencies", Place(path), "there are no latencies in it")
    else:
        _percentiles(result, stored, values, place, report)
    if stored.duration_s > 0:
        ok = math.isclose(stored.throughput, stored.samples / stored.duration_s, rel_tol=1e-3)
        text = f"{stored.samples} samples in {stored.duration_s} s do not give {stored.throughput} samples/s"
        if result.status is Status.COMPLETED:
            report.require("own-latencies", ok, Place(place.path, key="performance.throughput"), text)
    return count


def _percentiles(result: Result, stored: Performance, values: Any, place: Place, report: Report) -> None:
    total = float(values.sum(dtype=np.float64))
    values.sort()
    count = len(values)
    counted = stored.latency_source == COUNTED
    spread = _SPREAD_NS[LOADGEN_SCENARIOS.get(result.scenario, verdict.OFFLINE)]
    found = {name: float(values[int(count * share)]) for name, share in _SHARES.items()}
    found |= {"min": float(values[0]), "max": float(values[-1])}
    for name, value in found.items():
        if name in stored.latency_ns and (counted or name in _COMPARED):
            ok = math.isclose(stored.latency_ns[name], value, rel_tol=0.02, abs_tol=spread)
            ok = stored.latency_ns[name] == value if counted else ok
            wrong = f"{name} is {stored.latency_ns[name]:.0f} ns, the saved latencies give {value:.0f} ns"
            report.require("own-latencies", ok, Place(place.path, key=f"performance.latency_ns.{name}"), wrong)
    if counted and result.status is Status.COMPLETED:
        _whole(result, stored, values, total, place, report)
    if result.status is Status.COMPLETED:  # one after the other, or side by side
        least = (total if LOADGEN_SCENARIOS.get(result.scenario) == verdict.SINGLE_STREAM else int(values[-1])) / 1e9
        wrong = f"the run lasted {stored.duration_s} s, but its latencies take {least:.3f} s"
        ok = stored.duration_s >= least * 0.99 - (0 if counted else spread / 1e9)
        report.require("own-latencies", ok, Place(place.path, key="performance.duration_s"), wrong)


def _whole(result: Result, stored: Performance, values: Any, total: float, place: Place, report: Report) -> None:
    """The mean, which depends on every latency, and the percentile that the run is about.

    LoadGen rounds the mean down, and the percentile of a query of several samples is that of its last sample.
    """
    mean, claimed = total / len(values), stored.latency_ns.get("mean")
    ok = None if claimed is None else math.isclose(claimed, mean, rel_tol=1e-12, abs_tol=1.0)
    wrong = f"the mean is {claimed} ns, the saved latencies give {mean:.1f} ns"
    report.require("own-latencies", ok, Place(place.path, key="performance.latency_ns.mean"), wrong)
    target = stored.latency_ns.get("target_percentile")
    if target is not None and LOADGEN_SCENARIOS.get(result.scenario) == verdict.SINGLE_STREAM:
        value = float(values[int(len(values) * result.load.percentile)])
        wrong = f"the target percentile is {target} ns, the saved latencies give {value:.0f} ns"
        key = "performance.latency_ns.target_percentile"
        report.require("own-latencies", target == value, Place(place.path, key=key), wrong)


def _logged(folder: Path, log: DetailLog, result: Result, stored: Performance, report: Report) -> None:
    """Latencies, verdict and counts as LoadGen logged them."""
    values = {key: entry.value for key, entry in log.entries.items()}
    numbers = {key: value for key, value in values.items() if isinstance(value, int | float)}
    for name, logged in (loadgen.latencies(numbers) | loadgen.query_latencies(numbers)).items():
        value = stored.latency_ns.get(name)
        near = value is not None and math.isclose(value, logged, rel_tol=1e-9, abs_tol=1.0)
        place = Place(folder / store.RESULT, key=f"performance.latency_ns.{name}")
        report.require("own-logs", near, place, f"{name} is {value} ns, LoadGen's log says {logged:.0f} ns")
    verdict_of_log = loadgen.verdict(values)
    claimed = stored.loadgen.model_dump(exclude_unset=True)
    for name, logged in verdict_of_log.items():
        if name in claimed and name != "errors" and claimed[name] != logged:
            place = Place(folder / store.RESULT, key=f"performance.loadgen.{name}")
            report.error("own-logs", place, f"{name} is {claimed[name]!r}, LoadGen's log says {logged!r}")
    _errors(folder, log, stored, report)
    if (target := stored.latency_ns.get("target_percentile")) is not None:
        try:
            logged = loadgen.target_latency(folder / "performance")
        except (MobileError, OSError) as error:
            report.error("own-logs", Place(folder / "performance" / loadgen.SUMMARY_LOG), str(error))
        else:
            place = Place(folder / store.RESULT, key="performance.latency_ns.target_percentile")
            report.require("own-logs", target == logged, place, f"it is {target}, LoadGen's summary says {logged}")
    for name, seed in result.load.seeds.items():
        logged_seed = log.integer(f"effective_{name}_rng_seed")
        wrong = f"seed {name} is {seed}, LoadGen's log says {logged_seed}"
        ok = None if logged_seed is None else logged_seed == seed
        report.require("own-logs", ok, Place(folder / store.RESULT, key=f"load.seeds.{name}"), wrong)


def _errors(folder: Path, log: DetailLog, stored: Performance, report: Report) -> None:
    """The texts of LoadGen's errors; results of early versions do not have them."""
    if "errors" not in stored.loadgen.model_fields_set:
        return
    claimed, logged = [readable(text) for text in stored.loadgen.errors], [str(entry.value) for entry in log.errors]
    wrong = f"LoadGen's errors are {claimed[:3]}, its log has {logged[:3]}"
    place = Place(folder / store.RESULT, key="performance.loadgen.errors")
    report.require("own-logs", claimed[:MAX_TEXTS] == logged, place, wrong)


def _settings(log: DetailLog, result: Result, report: Report) -> None:
    """LoadGen's requested settings equal the plan's."""
    for key, expected in _expected(result, result.load.model_dump(), result.system or SystemFacts()):
        found = log.entries[key].value if key in log.entries else None
        if found is None or expected is None:
            continue
        wrong = f"{key} is {found!r} in LoadGen's log, but {expected!r} in the result"
        report.require("own-logs", found == expected, Place(log.path, log.line(key)), wrong)


def _expected(result: Result, load: dict[str, Any], system: SystemFacts) -> Iterator[tuple[str, Any]]:
    changed = load.get("loadgen") or {}
    known = result.scenario in LOADGEN_SCENARIOS
    yield "requested_test_mode", verdict.PERFORMANCE
    yield "requested_scenario", LOADGEN_SCENARIOS.get(result.scenario)
    for name in ("min", "max"):
        seconds = load.get(f"{name}_duration_s")
        if isinstance(seconds, int | float) and f"{name}_duration_ms" not in changed and known:
            yield f"requested_{name}_duration_ms", round(seconds * 1000)
    if "min_query_count" not in changed and known:
        yield "requested_min_query_count", load.get("min_query_count")
    prefix = _PERCENTILE_OF.get(LOADGEN_SCENARIOS.get(result.scenario, ""))
    if prefix:
        yield f"requested_{prefix}_target_latency_percentile", load.get("percentile")
    if result.performance and (rate := result.performance.rate):
        yield "requested_server_target_latency_ns", rate.latency_bound_ns
    yield "qsl_reported_total_count", system.samples_in_data_set
    yield "qsl_reported_performance_count", system.performance_sample_count


def _counts(log: DetailLog, saved: int, place: Place, report: Report) -> None:
    """One latency per query or sample that LoadGen counted."""
    found = verdict.recompute(log)
    if found.samples is not None and not found.estimated:
        wrong = f"{saved} latencies were saved, but LoadGen's log has {found.samples} samples"
        report.require("own-logs", saved == found.samples, place, wrong)
