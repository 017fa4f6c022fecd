"""Compares the fields of a benchmark in the app's result file with its logs, scenario and benchmark."""

from __future__ import annotations

import math
import re
from datetime import datetime

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.app_results import OFFLINE, AppResult, Run
from mlperf_mobile_rounds.official.checks.context import Context, FileOf, LoggedRun
from mlperf_mobile_rounds.official.findings import Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.submission import ACCURACY, PERFORMANCE

RULE = "result-fields"
_QUARTER_S = 900


def check(context: Context) -> None:
    """Check the fields of every result."""
    performance, accuracy = context.of(PERFORMANCE), context.of(ACCURACY)
    for file, result, key, _ in context.results():
        _settings(file, result, context.report)
        for run, logged, name in (
            (result.performance, performance.get(key), "performance_run"),
            (result.accuracy, accuracy.get(key), "accuracy_run"),
        ):
            if run is None:
                continue
            log = logged.detail if logged else None
            app = log is None or log.text("qsl_name") in benchmarks.known().libraries
            _dataset(file, result, run, log, name, context.report, app=app)
            if log is not None and logged is not None:
                _asked(file, result, log, context.report)
                _times(file, result, run, log, name, context.report, app=app)
                _samples(file, result, run, logged, log, name, context.report, app=app)


def _settings(file: FileOf, result: AppResult, report: Report) -> None:
    """What the benchmark's own names say."""
    task, scenario = benchmarks.task_of(benchmarks.canonical(result.benchmark_id) or ""), result.scenario
    if scenario not in benchmarks.SCENARIOS.values():
        report.error(RULE, file.place(f"{result.key}.loadgen_scenario"), f"{scenario!r} is not a scenario of LoadGen")
    offline = "offline" in result.benchmark_id.lower()
    wrong = f"the benchmark is {result.benchmark_id}, but the scenario {scenario}"
    if offline or task is not None:  # other benchmarks, such as a user's own, have one name for both scenarios
        report.require(RULE, offline == (scenario == OFFLINE), file.place(f"{result.key}.loadgen_scenario"), wrong)
    if file.content.form == "flat":
        return
    title = benchmarks.squeezed(result.name)
    if task is not None:
        wrong = f"the benchmark is {result.benchmark_id}, but its name {result.name!r}"
        ok = _titled(title) == task and ("offline" in title) == offline
        report.require(RULE, ok, file.place(f"{result.key}.benchmark_name"), wrong)
    for run, name in ((result.performance, "accuracy"), (result.accuracy, "throughput")):
        if file.content.form != "extended":  # v2.1 has an accuracy of the performance run, too
            break
        value = run and (run.accuracy if name == "accuracy" else run.throughput)
        kind = "performance_run" if name == "accuracy" else "accuracy_run"
        wrong = f"a {kind} has no {name}"
        report.require(RULE, value is None, file.place(f"{result.key}.{kind}.{name}"), wrong)
    _accelerator(file, result, report)
    early = file.content.app_version.startswith(("1.", "2.", "3.0"))  # which wrote 0
    batch, place = result.batch, file.place(f"{result.key}.backend_settings.batch_size")
    if batch is not None and scenario != OFFLINE:
        wrong = f"the batch is {batch}, but single-stream has one sample per query"
        report.require(RULE, batch == 1 or (batch == 0 and early), place, wrong)
    elif batch and result.min_samples and result.performance and result.performance.samples:
        expected = -(-result.min_samples // batch) * batch
        wrong = f"{result.performance.samples} samples, but batches of {batch} for {result.min_samples} make {expected}"
        report.require(RULE, result.performance.samples in (expected, result.min_samples), place, wrong)


def _titled(title: str) -> str | None:
    """The task that a title of the app's names, such as ``objectdetectionv2``; None of any other title."""
    return next((
        task.name for task in benchmarks.known().tasks.values() for word in task.titles
        if re.fullmatch(rf"(v\d+)?(image)?{word}(v\d)?(offline)?(v\d)?", title)
    ), None)  # fmt: skip


def _accelerator(file: FileOf, result: AppResult, report: Report) -> None:
    """Three fields name the accelerator; each has a word of the others in it."""
    code, delegate = result.accelerator_code, result.delegate
    reported, described = result.accelerator, result.accelerator_desc
    if described and reported:
        a, b = (set(re.findall(r"[a-z0-9]+", text.lower())) for text in (described, reported))
        wrong = f"the accelerator is {described!r} in the settings, but the backend says {reported!r}"
        report.require(RULE, a <= b or b <= a, file.place(f"{result.key}.backend_info.accelerator_name"), wrong)
    word = benchmarks.squeezed(code.replace(" ", "_").rpartition("_")[2])
    if code and delegate and word:
        said = benchmarks.squeezed(delegate + reported + described)
        wrong = f"the accelerator is {code!r}, the delegate {delegate!r}, but the backend says {reported!r}"
        report.require(RULE, word in said, file.place(f"{result.key}.backend_settings.accelerator_code"), wrong)


def _dataset(
    file: FileOf, result: AppResult, run: Run, log: DetailLog | None, name: str, report: Report, *, app: bool
) -> None:
    task = benchmarks.task_of(benchmarks.canonical(result.benchmark_id) or "")
    known = benchmarks.task(task)
    if file.content.form == "flat" or known is None:
        return
    key = f"{result.key}.{name}.dataset"
    kind = benchmarks.known().types.get(run.data_type)
    wrong = f"the data set is of type {run.data_type!r}, but the benchmark is {result.benchmark_id}"
    report.require(RULE, kind == task, file.place(f"{key}.type"), wrong)
    if not app:
        return
    for field, text in (("name", run.dataset), ("data_path", run.data_path)):
        ok = any(word in benchmarks.squeezed(text) for word in known.words)
        wrong = f"{field} is {text[:80]!r}, which is not a data set of {result.benchmark_id}"
        report.require(RULE, ok, file.place(f"{key}.{field}"), wrong)
    truth, place = run.groundtruth_path, file.place(f"{key}.groundtruth_path")
    if name == "performance_run":
        if file.content.form == "extended":
            report.require(RULE, not truth, place, "a performance run has no ground truth")
    elif file.content.form == "extended" and not known.generative:
        ok = any(word in benchmarks.squeezed(truth) for word in known.words)
        report.require(
            RULE, ok, place, f"the ground truth is {truth[:80]!r}, which is not that of {result.benchmark_id}"
        )


def _asked(file: FileOf, result: AppResult, log: DetailLog, report: Report) -> None:
    """The minimum counts, as requested of LoadGen."""
    if verdict.mode_of(log) != verdict.PERFORMANCE:
        return
    count, least_ms = log.integer("requested_min_query_count"), log.number("requested_min_duration_ms")
    if result.min_samples is not None and count is not None:
        wrong = f"min_samples is {result.min_samples}, but {count} was requested from LoadGen"
        report.require(RULE, result.min_samples == count, file.place(f"{result.key}.min_samples"), wrong)
    if result.min_duration_s is not None and least_ms is not None:
        wrong = f"min_duration is {result.min_duration_s} s, but {least_ms / 1000} s was requested from LoadGen"
        ok = abs(result.min_duration_s * 1000 - least_ms) < 1
        report.require(RULE, ok, file.place(f"{result.key}.min_duration"), wrong)


def _times(file: FileOf, result: AppResult, run: Run, log: DetailLog, name: str, report: Report, *, app: bool) -> None:
    place = file.place(f"{result.key}.{name}.measured_duration")
    lasted = max(log.times_ms.values(), default=0.0) / 1000
    claimed, window = run.duration_s, verdict.window_s(log) or 0.0
    if claimed is not None and file.content.form == "extended" and lasted:
        after = 0.05 if result.scenario == OFFLINE or name == "accuracy_run" else 0.2
        least, most = (lasted - 0.01, lasted + after) if app else (window - 0.1, lasted + 60)
        wrong = f"measured_duration is {claimed:.3f} s, but the test took {lasted:.3f} s by the log"
        report.require(RULE, least <= claimed <= most, place, wrong)
    mean, busy = log.number("result_mean_latency_ns"), run.busy_s
    if file.content.form != "extended" and name == "performance_run":
        busy, place = claimed, file.place(f"{result.key}.{name}.measured_duration_ms")
    elif busy is not None:
        place = file.place(f"{result.key}.{name}.loadgen_info.duration")
    if busy is not None and mean and run.samples:
        total = mean * (run.samples if result.scenario != OFFLINE else 1) / 1e9
        wrong = f"the queries took {busy:.3f} s, but {run.samples} of {mean:.0f} ns take {total:.3f} s"
        report.require(RULE, math.isclose(busy, total, rel_tol=1e-3, abs_tol=0.01), place, wrong)
    _started(file, result, run, log, name, report, app=app)


def _started(
    file: FileOf, result: AppResult, run: Run, log: DetailLog, name: str, report: Report, *, app: bool
) -> None:
    if not run.started or file.content.form == "flat":  # of which every record has the time of writing
        return
    place = file.place(f"{result.key}.{name}.start_datetime")
    started, tested = moment(run.started), verdict.wall_clock(log.text("test_datetime"))
    if started is None:
        report.error(RULE, place, f"start_datetime is not a time: {run.started[:40]!r}")
    elif tested is not None and app:
        apart = (started - tested).total_seconds()
        if file.content.form == "list":  # marked as UTC, and LoadGen's as well, which is local
            apart = (apart + _QUARTER_S / 2) % _QUARTER_S - _QUARTER_S / 2
        wrong = f"it began at {started.isoformat()}, but at {tested.isoformat()} by the log"
        report.require(RULE, -15 <= apart <= 2, place, wrong)


def _samples(
    file: FileOf,
    result: AppResult,
    run: Run,
    logged: LoggedRun,
    log: DetailLog,
    name: str,
    report: Report,
    *,
    app: bool,
) -> None:
    place, total = file.place(f"{result.key}.{name}.measured_samples"), log.integer("qsl_reported_total_count")
    if run.samples is None:
        return
    if name == "performance_run" and logged.verdict and logged.verdict.samples is not None:
        found = logged.verdict
        if result.scenario == OFFLINE:
            ok = (found.samples or 0) <= run.samples <= (found.samples or 0) + (result.batch or 0)
        else:
            ok = abs(run.samples - (found.samples or 0)) <= (5 if found.estimated else 0)
        wrong = f"measured_samples is {run.samples}, but the log says {found.samples}"
        report.require(RULE, ok, place, wrong)
    elif name == "accuracy_run" and total is not None and file.content.form == "extended":
        whole = run.samples == total
        batch = result.batch or 1
        if result.scenario == OFFLINE and batch > 1 and app:  # the app counts the padding of each of its batches
            whole = run.samples >= total and (run.samples % batch == 0 or run.samples == total)
        report.require(RULE, whole, place, f"measured_samples is {run.samples}, but the log says {total} samples")


def moment(text: str | None) -> datetime | None:
    """A time as the app writes it, without its zone."""
    try:
        return datetime.fromisoformat((text or "").strip()).replace(tzinfo=None)
    except ValueError:
        return None
