"""Checks that an accuracy log is complete, has one response of the right size per sample, and is not a copy."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import answers, loadgen_logs, verdict
from mlperf_mobile_rounds.official.answers import LogContents
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.submission import ACCURACY, PERFORMANCE

RULE = "accuracy-log"
FEWEST = 10
"""From this count on, identical responses are wrong."""


def check(context: Context) -> None:
    """Check the accuracy log of every run."""
    seen: dict[str, LoggedRun] = {}
    for run in context.runs:
        paths = _parts(run, context.report)
        if run.mode == PERFORMANCE:
            _none(paths, context.report)
        if run.mode != ACCURACY:
            continue
        if not paths:
            severity = context.absent(run.folder.system)
            text = "there is no accuracy log, so the accuracy cannot be recomputed"
            context.report.add(RULE, severity, Place(run.folder.path), text)
            continue
        found = answers.read(paths)
        if _whole(found, paths[0], context.report):
            _samples(run, found, paths[0], context.report)
            _sizes(run, found, paths[0], context.report)
            _tokens(run, found, paths[0], context)
        task = benchmarks.task(benchmarks.task_of(run.benchmark))
        if _of_app(run) and task and task.placeholder_responses:
            continue
        _copied(run, found, paths[0], seen, context.report)


def _parts(run: LoggedRun, report: Report) -> list[Path]:
    try:
        return loadgen_logs.parts(run.folder.path, loadgen.ACCURACY_LOG)
    except OSError:  # reported where the detail log is looked for
        return []


def _none(paths: list[Path], report: Report) -> None:
    """A performance run logs no responses, unless configured to."""
    if not paths:
        return
    found = answers.read(paths)
    if found.damage and not found.truncated:
        report.error(RULE, Place(paths[0]), found.damage.removeprefix(f"{paths[0]}:"))
    wrong = f"{found.count} responses in the accuracy log of a performance run, which should have none"
    report.require(RULE, not found.count, Place(paths[0]), wrong)


def _whole(found: LogContents, path: Path, report: Report) -> bool:
    place = Place(path)
    if found.truncated:
        report.warning(
            RULE, place, "the log was truncated by MLCommons' truncate_accuracy_log.py and cannot be checked"
        )
        return False
    if found.damage:
        line, _, what = found.damage.removeprefix(f"{path}:").partition(": ")
        number = int(line) if line.isascii() and line.isdigit() else None
        report.error(RULE, Place(path, number), what if number else found.damage)
        return False
    report.require(RULE, found.count > 0, place, "it has no responses")
    return found.count > 0


def _samples(run: LoggedRun, found: LogContents, path: Path, report: Report) -> None:
    log = run.detail
    total = log.integer("qsl_reported_total_count") if log else None
    wrong = "a sample has two responses, or an index beyond any data set"
    report.require(RULE, found.repeated is None, Place(path, found.repeated), wrong)
    if log and verdict.scenario_of(log) == verdict.OFFLINE:  # logged as they are completed, by several threads
        wrong = "seq_id does not number the responses: one is missing, or occurs twice"
        report.require(RULE, found.numbered, Place(path, None if found.numbered else found.misnumbered), wrong)
    else:
        wrong = "seq_id is not the number of the item"
        report.require(RULE, found.misnumbered is None, Place(path, found.misnumbered), wrong)
    if total is None or log is None:
        report.skip(RULE, Place(path), "the detail log does not say how many samples there are")
        return
    wrong = f"{found.count} responses, but the detail log says {total} samples"
    report.require(RULE, found.count == total, Place(path), wrong)
    missing = total - found.distinct
    wrong = f"{abs(missing)} {'samples have no response' if missing > 0 else 'responses too many'}"
    report.require(RULE, missing == 0 and found.highest < total, Place(path), wrong)
    _order(log, found, path, report)


def _order(log: DetailLog, found: LogContents, path: Path, report: Report) -> None:
    """Offline, the samples are issued and logged in the order in which they were loaded."""
    if verdict.scenario_of(log) != verdict.OFFLINE or log.loaded is None or not log.loaded.whole:
        return
    if (log.text("loadgen_version") or "").startswith(("1.", "2.", "3.", "4.")):  # later versions shuffle
        wrong = "the order of the samples differs from loaded_qsl_set in the detail log"
        report.require(RULE, found.order == log.loaded.order, Place(path), wrong)


def _sizes(run: LoggedRun, found: LogContents, path: Path, report: Report) -> None:
    """The app's responses have a fixed size, or consist of whole detections."""
    task, place, app = benchmarks.task(benchmarks.task_of(run.benchmark)), Place(path, found.odd_line), _of_app(run)
    if task and task.record_bytes and app:
        ok = all(size % task.record_bytes == 0 for size in found.sizes)
        wrong = f"a response is not a list of detections of {task.record_bytes} bytes each"
        report.require(RULE, ok, place, wrong)
        report.require(RULE, max(found.sizes) > 0, Place(path), "all responses are empty")
    elif task and task.response_bytes is not None and app:
        expected = task.response_bytes
        wrong = (
            f"responses of {', '.join(str(s) for s in found.sizes[:5])} bytes; the app logs {expected} for each sample"
        )
        report.require(RULE, found.sizes == (expected,), place, wrong)
    if app and task and task.placeholder_responses:
        return
    if max(found.sizes) and found.count >= FEWEST:
        report.require(RULE, not found.constant, Place(path), "all responses are the same")


def _tokens(run: LoggedRun, found: LogContents, path: Path, context: Context) -> None:
    """Where LoadGen was told of tokens, no answer is longer than the round allows in any mode."""
    required = context.required(run.benchmark)
    limit = required.max_new_tokens if required else None
    if found.counts is None or limit is None:
        return
    low, high = found.counts
    wrong = f"answers of {low} to {high} tokens, but the limit of {run.benchmark} is {limit}"
    context.report.require("tokens", low >= 0 and high <= limit, Place(path), wrong)


def _of_app(run: LoggedRun) -> bool:
    """Whether the samples are from one of the app's libraries."""
    return run.detail is not None and run.detail.text("qsl_name") in benchmarks.known().libraries


def _copied(run: LoggedRun, found: LogContents, path: Path, seen: dict[str, LoggedRun], report: Report) -> None:
    """The same responses twice; possible for one model on similar accelerators, not for another model or vendor."""
    if not found.count or not found.sizes or not max(found.sizes):
        return
    first = seen.setdefault(found.digest, run)
    if first is run:
        return
    mine, other = benchmarks.task_of(run.benchmark), benchmarks.task_of(first.benchmark)
    if run.folder.system == first.folder.system and mine == other and run.scenario != first.scenario:
        return
    alike = mine == other and run.folder.system.submitter == first.folder.system.submitter
    text = f"the responses equal those of {first.benchmark} of {first.folder.system}, byte for byte"
    report.add("copied-log", Severity.WARNING if alike else Severity.ERROR, Place(path), text)
