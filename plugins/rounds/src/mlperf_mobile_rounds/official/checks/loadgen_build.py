"""Checks that LoadGen is released, unmodified, built before the test, and the same for all tests of a device."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Report, Severity
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.submission import System

SOURCES: Mapping[str, frozenset[str]] = {
    ".5a1": frozenset({"37809175f09ea66b"}),
    "1.1": frozenset({"e127f58387dc5181", "17287301a9242b36"}),
    "2.1": frozenset({"870718ad56c0f5e8"}),
    "3.0": frozenset({"4119b9aa7f5471ca"}),
    "3.1": frozenset({"61bebe10365892cb"}),
    "4.0": frozenset({"a3d76bf069597146", "5a798349de418c0a"}),
}
"""Digests of LoadGen's list of its own sources, by version, as all published logs of v1.1 to v5.0 have them."""
_ZONES = timedelta(hours=26)
_BUILD = ("loadgen_build_date_local", "loadgen_build_date_utc")
_SAME = (
    "loadgen_version", "loadgen_git_commit_date", "loadgen_git_log_message", "loadgen_git_status_message",
    "loadgen_file_sha1", "sut_name", "effective_enforce_max_duration",
)  # fmt: skip
"""What all tests of a device have in common."""


def check(context: Context) -> None:
    """Check every log by itself, and those of a device together."""
    by_system: dict[System, list[LoggedRun]] = defaultdict(list)
    for run in context.runs:
        if run.detail:
            _sources(run, run.detail, context.report)
            _dates(run, run.detail, context.report)
            by_system[run.folder.system].append(run)
    for system, runs in by_system.items():
        for key in _SAME:
            _same(key, system, runs, context.report, Severity.ERROR)
        for key in _BUILD:
            _same(key, system, runs, context.report, Severity.WARNING)
    _sites(context)


def _sources(run: LoggedRun, log: DetailLog, report: Report) -> None:
    text = log.text("loadgen_version") or ""
    version, _, commit = (part.strip() for part in text.partition(" @ "))
    known = bool(re.fullmatch(r"\d+\.\d+(\.\d+)?", version))
    wrong = f"LoadGen {text!r} is not a released version"
    report.require("loadgen-version", known, run.place("loadgen_version"), wrong, Severity.WARNING)
    digest = log.text("loadgen_file_sha1")
    if not digest or version not in SOURCES:
        why = "the log does not list LoadGen's sources" if not digest else f"no sources of LoadGen {version} are known"
        report.skip("loadgen-sources", run.place("loadgen_file_sha1"), why)
    else:
        wrong = f"LoadGen {version} was built from sources that no published result has"
        report.require("loadgen-sources", digest in SOURCES[version], run.place("loadgen_file_sha1"), wrong)
    status = log.text("loadgen_git_status_message")
    if status is not None:
        wrong = f"LoadGen's sources were modified; git status says {status[:80]!r}"
        report.require("loadgen-sources", status in ("", "NA"), run.place("loadgen_git_status_message"), wrong)
    message = log.text("loadgen_git_log_message")
    if message is not None and commit:
        wrong = f"the version names commit {commit!r}, but the git log begins with {message[:12]!r}"
        report.require("loadgen-version", message.startswith(commit), run.place("loadgen_git_log_message"), wrong)


def _dates(run: LoggedRun, log: DetailLog, report: Report) -> None:
    found = {key: _time(log.text(key)) for key in _BUILD}
    for key, when in found.items():
        if when is None and log.text(key) is not None:
            report.error("loadgen-build", run.place(key), f"{key} is not a time: {(log.text(key) or '')[:40]!r}")
    local, utc = found["loadgen_build_date_local"], found["loadgen_build_date_utc"]
    if local and utc:
        apart = (local - utc).total_seconds()
        ok = abs(apart) < 15 * 3600 and abs((apart + 450) % 900 - 450) < 2
        wrong = f"local and UTC time of the build are {apart:.0f} s apart, which is not a time zone offset"
        report.require("loadgen-build", ok, run.place("loadgen_build_date_utc"), wrong)
    tested = verdict.wall_clock(log.text("test_datetime"))
    if utc and tested:
        wrong = f"LoadGen was built at {utc.isoformat()}, after the test at {tested.isoformat()}"
        report.require("loadgen-build", utc < tested + _ZONES, run.place("loadgen_build_date_utc"), wrong)
    committed = _time(log.text("loadgen_git_commit_date"))
    if committed is None and log.text("loadgen_git_commit_date") not in ("NA", None):
        report.error("loadgen-build", run.place("loadgen_git_commit_date"), "the commit date is not a time")
    if committed and utc:
        wrong = f"LoadGen was built at {utc.isoformat()}, before its commit at {committed.isoformat()}"
        report.require("loadgen-build", committed < utc + _ZONES, run.place("loadgen_git_commit_date"), wrong)


def _time(text: str | None) -> datetime | None:
    """A time of the build, without its zone."""
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=None)
    except ValueError:
        return None


def _same(key: str, system: System, runs: list[LoggedRun], report: Report, severity: Severity) -> None:
    values = [(run.detail.text(key) or str(run.detail.flag(key)), run) for run in runs if run.detail]
    counts = Counter(text for text, _ in values)
    if len(counts) < 2:
        return
    usual = counts.most_common(1)[0][0]
    rule = {"loadgen_version": "loadgen-version", "sut_name": "sut-name"}.get(key, "loadgen-build")
    for text, run in values:
        if text != usual:
            words = f"{key} is {text[:80]!r}, but {usual[:80]!r} in other tests of {system}"
            report.add(rule, severity, run.place(key), words)


def _sites(context: Context) -> None:
    """A given LoadGen writes each key from one source line."""
    usual: dict[tuple[str, str], Counter[tuple[str, int]]] = defaultdict(Counter)
    for run in context.runs:
        for key, site in run.detail.sites.items() if run.detail else ():
            usual[run.detail.text("loadgen_version") or "", key][site] += 1  # type: ignore[union-attr]
    for run in context.runs:
        for key, site in run.detail.sites.items() if run.detail else ():
            known = usual[run.detail.text("loadgen_version") or "", key]  # type: ignore[union-attr]
            first, count = known.most_common(1)[0]
            if site != first and count > known[site]:
                words = f"{key} was written by {site[0]}:{site[1]}, but in other logs by {first[0]}:{first[1]}"
                context.report.error("log-record", run.place(key), words)
