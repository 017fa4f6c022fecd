"""Compares the times of a test with one another, with other tests of its device, and with today."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.submission import System

RULE = "clock"
FIRST = datetime(2020, 1, 1)
"""Before the first round."""
_ZONES = timedelta(hours=26)
"""The largest difference of two local times."""
_QUARTER_S = 900
_LATE_S = 5.0
"""LoadGen's log is written at most this long after the end of the test (1.3 s in the public logs)."""


_FLUSH_S = 1.5
"""LoadGen's last records are written while the next test begins."""


def check(context: Context) -> None:
    """Check the times of every test."""
    by_system: dict[System, list[LoggedRun]] = defaultdict(list)
    for run in context.runs:
        if run.detail:
            _one(run, run.detail, context.report)
            _power(run.detail, context.report)
            by_system[run.folder.system].append(run)
    for system, runs in by_system.items():
        _zones(system, runs, context.report)
        _order(system, runs, context.report)


def _one(run: LoggedRun, log: DetailLog, report: Report) -> None:
    today = datetime.now()
    for key in ("test_datetime", "power_begin", "power_end"):
        text = log.text(key)
        when = verdict.wall_clock(text)
        if when is None:
            if text is not None:
                report.error(RULE, run.place(key), f"{key} is not a time: {text[:40]!r}")
            continue
        wrong = f"{key} is {text}, which is {'in the future' if when > FIRST else 'before MLPerf Mobile existed'}"
        report.require(RULE, FIRST < when < today + _ZONES, run.place(key), wrong)
    began, ended = verdict.wall_clock(log.text("power_begin")), verdict.wall_clock(log.text("power_end"))
    if began is None or ended is None:
        return
    window = (ended - began).total_seconds()
    report.require(RULE, window >= 0, run.place("power_end"), "power_end is before power_begin")
    made, written = log.times_ms.get("generated_query_count"), log.times_ms.get("power_begin")
    if made is None or written is None:
        return
    spent = (written - made) / 1000
    wrong = f"power_begin and power_end are {window:.3f} s apart, but their records {spent:.3f} s"
    report.require(RULE, -0.1 <= spent - window <= _LATE_S, run.place("power_end"), wrong)
    offset = _offset_s(log)
    if offset is not None:
        wrong = "power_begin does not match test_datetime plus the time between them in any time zone"
        report.require(RULE, -0.1 <= offset % _QUARTER_S <= 1.2, run.place("power_begin"), wrong)


def _power(log: DetailLog, report: Report) -> None:
    """An accuracy run has a pair of these times for each part of the data set; all are of one clock.

    ``power_begin`` follows ``generated_query_count``, though both times are written at the end of the part.
    """
    first: float | None = None
    for key, text, written_ms, line in log.power:
        when = verdict.wall_clock(text)
        if when is None:
            wrong = f"{key} is not a time: {text[:40]!r}"
            report.require(RULE, text == log.text(key), Place(log.path, line), wrong)  # the last one is reported above
            continue
        apart = (when - FIRST).total_seconds() - written_ms / 1000
        first = apart if first is None else first
        wrong = f"{key} is {text}, {apart - first:+.1f} s off the times of the records since the first power_begin"
        report.require(RULE, abs(apart - first) <= _LATE_S, Place(log.path, line), wrong)


def _offset_s(log: DetailLog) -> float | None:
    """Seconds from ``test_datetime``, which is whole seconds of one time zone, to ``power_begin`` in another."""
    began, started = verdict.wall_clock(log.text("power_begin")), verdict.wall_clock(log.text("test_datetime"))
    made = log.times_ms.get("generated_query_count")
    if began is None or started is None or made is None:
        return None
    return (began - started).total_seconds() - made / 1000 + 0.01


def _zones(system: System, runs: list[LoggedRun], report: Report) -> None:
    """All tests of a device in one time zone: the same number of quarters of an hour between both clocks."""
    seen: dict[int, LoggedRun] = {}
    for run in runs:
        offset = _offset_s(run.detail) if run.detail else None
        if offset is not None:
            seen.setdefault(int(offset // _QUARTER_S), run)
    if len(seen) > 1:
        hours = " and ".join(f"{each / 4:g} h" for each in sorted(seen))
        wrong = f"{system}: test_datetime and power_begin differ by {hours}; a device stays in one time zone"
        report.error(RULE, list(seen.values())[1].place("test_datetime"), wrong)


def _order(system: System, runs: list[LoggedRun], report: Report) -> None:
    """One test at a time."""
    timed: list[tuple[datetime, float, LoggedRun]] = []
    for run in runs:
        began = verdict.wall_clock(run.detail.text("test_datetime")) if run.detail else None
        if run.detail and began:
            timed.append((began, max(run.detail.times_ms.values(), default=0.0) / 1000, run))
    timed.sort(key=lambda each: each[0])
    for (first, lasted, before), (second, _, run) in pairwise(timed):
        gap = (second - first).total_seconds() + 1.0 - lasted  # both are cut off to whole seconds
        text = f"{system}: {run.benchmark} ({run.mode}) began at {second.isoformat()}, before the end of"
        wrong = f"{text} {before.benchmark} ({before.mode}), which began at {first.isoformat()} and took {lasted:.1f} s"
        place = Place(run.detail.path, run.detail.line("test_datetime")) if run.detail else Place(run.folder.path)
        report.require(RULE, gap >= -_FLUSH_S, place, wrong)
