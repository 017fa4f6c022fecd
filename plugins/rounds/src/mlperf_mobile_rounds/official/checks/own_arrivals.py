"""Compares times of arrival, rates and the steps of a search with the files and logs that they come from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import COUNTED
from mlperf_mobile.errors import MobileError
from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results import latencies, store
from mlperf_mobile.results.measured import Performance, SearchedRate
from mlperf_mobile.results.model import Result
from mlperf_mobile_rounds.official import loadgen_logs
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

MOST = 32 << 20
"""More times of arrival, which are 256 MB, are not read."""
_PRINTED = 1e-5
"""The rounding of the six digits that LoadGen prints."""
_LATE_S = 0.1
"""How much later than scheduled a query may have been issued, where its live time of arrival was saved."""


def check(folder: Path, result: Result, log: DetailLog | None, report: Report) -> None:
    """Compare arrivals, rates and the steps of a search with the saved files and LoadGen's logs."""
    stored = result.performance
    assert stored is not None
    if (folder / latencies.ARRIVALS).exists():
        _arrivals(folder, stored, report)
    if stored.rate is not None:
        _rate(folder, stored, log, report)
    for number, step in enumerate(stored.search, 1):
        last = number == len(stored.search)
        logs = folder / "performance" if last else folder / "performance" / "trials" / f"{number:03d}"
        _step(folder, number, step, logs, report)


def _arrivals(folder: Path, stored: Performance, report: Report) -> None:
    """One for each latency; together they give the duration, and alone the scheduled rate."""
    path, place = folder / latencies.ARRIVALS, Place(folder / store.RESULT, key="performance")
    found, taken = _read(path), _read(folder / latencies.FILE)
    if found is None or taken is None:
        report.skip("own-arrivals", Place(path), f"it cannot be read, or has more than {MOST} times")
        return
    ok = len(found) == len(taken) == stored.samples
    wrong = f"{stored.samples} samples, but {len(found)} times of arrival and {len(taken)} latencies"
    report.require("own-arrivals", ok, place, wrong)
    if not ok or not len(found):
        return
    report.require("own-arrivals", int(found.min()) == 0, Place(path), "the first sample did not arrive at 0")
    lasted = float((found.astype(np.float64) + taken).max()) / 1e9
    wrong = f"the run lasted {stored.duration_s} s, by its arrivals and latencies {lasted:.6f} s"
    ok = math.isclose(stored.duration_s, lasted, rel_tol=1e-6, abs_tol=1e-6)
    report.require("own-arrivals", ok, Place(place.path, key="performance.duration_s"), wrong)
    last = float(found.max()) / 1e9
    if stored.rate is not None and len(found) > 1 and last > 0:
        scheduled = (len(found) - 1) / last
        counted = stored.latency_source == COUNTED
        spread = 0.0 if counted else scheduled * _LATE_S / last
        wrong = f"the scheduled rate is {stored.rate.scheduled}, by the arrivals {scheduled:.6g}"
        ok = math.isclose(stored.rate.scheduled, scheduled, rel_tol=_PRINTED, abs_tol=spread)
        report.require("own-arrivals", ok, Place(place.path, key="performance.rate.scheduled"), wrong)


def _rate(folder: Path, stored: Performance, log: DetailLog | None, report: Report) -> None:
    rate = stored.rate
    assert rate is not None
    place = folder / store.RESULT
    logged = _logged(log) if log is not None else {}
    for name in ("target", "scheduled", "completed", "over_bound"):
        value, found = getattr(rate, name), logged.get(name)
        wrong = f"{name} is {value}, LoadGen's log says {found}"
        ok = None if found is None else math.isclose(value, found, rel_tol=_PRINTED)
        report.require("own-logs", ok, Place(place, key=f"performance.rate.{name}"), wrong)
    score = stored.score
    if score is not None and score.unit == "queries/s":
        wrong = f"the score is {score.value}, the scheduled rate is {rate.scheduled}"
        report.require("own-rate", score.value == rate.scheduled, Place(place, key="performance.score"), wrong)


def _step(folder: Path, number: int, step: SearchedRate, logs: Path, report: Report) -> None:
    """One searched rate against the logs of its own run."""
    place = Place(folder / store.RESULT, key=f"performance.search[{number - 1}]")
    try:
        paths = loadgen_logs.parts(logs, loadgen.DETAIL_LOG) if logs.is_dir() else []
        log = loadgen_logs.read_detail(paths) if paths else None
    except (MobileError, OSError) as error:
        report.error("own-search", place, str(error))
        return
    if log is None:
        report.error("own-search", place, f"there is no LoadGen log of this step in {logs}")
        return
    found = _logged(log)
    wrong = [
        f"{name} is {getattr(step, name)}, its log says {found[name]}"
        for name in ("target", "scheduled", "completed", "over_bound", "queries")
        if name in found and not math.isclose(getattr(step, name), found[name], rel_tol=_PRINTED)
    ]
    taken = {key: entry.value for key, entry in log.entries.items() if isinstance(entry.value, int | float)}
    wrong += [
        f"{name} is {step.latency_ns[name]:.0f} ns, its log says {value:.0f} ns"
        for name, value in loadgen.latencies(taken).items()
        if name in step.latency_ns and step.latency_ns[name] != value
    ]
    in_time = log.flag("result_perf_constraints_met") is True and not log.text("error_runtime")
    holds = log.text("result_validity") == "VALID" if step.full else in_time
    if step.valid != holds:
        wrong.append(f"valid is {step.valid}, by its log it is {holds}")
    for text in wrong:
        report.error("own-search", place, text)
    if not wrong:
        report.passed["own-search"] += 1


def _logged(log: DetailLog) -> dict[str, Any]:
    """The numbers of a server run in its log, by their names in a result."""
    keys = {
        "target": "effective_target_qps", "scheduled": "result_scheduled_samples_per_sec",
        "completed": "result_completed_samples_per_sec", "over_bound": "result_overlatency_query_count",
        "queries": "result_query_count",
    }  # fmt: skip
    return {name: value for name, key in keys.items() if (value := log.number(key)) is not None}


def _read(path: Path) -> Any:
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            return np.fromfile(file, "<i8") if size <= 8 * MOST else None
    except OSError:
        return None
