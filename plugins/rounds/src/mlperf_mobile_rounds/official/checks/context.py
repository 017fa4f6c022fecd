"""The data that all checks share: the round, the runs with their logs, the result files, and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.app_results import AppFile, AppResult
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.json_places import Places
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog, SummaryLog
from mlperf_mobile_rounds.official.rounds import Round, RoundBenchmark
from mlperf_mobile_rounds.official.submission import ACCURACY, PERFORMANCE, LogFolder, Submission, System
from mlperf_mobile_rounds.official.verdict import LoadGenVerdict

Key = tuple[System, str, str]
"""System, benchmark and scenario."""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run and its logs."""

    folder: LogFolder
    detail: DetailLog | None
    summary: SummaryLog | None
    verdict: LoadGenVerdict | None
    """Of a performance run."""

    @property
    def mode(self) -> str | None:
        """``performance`` or ``accuracy``, by the log; by its place if the log does not say."""
        logged = verdict.mode_of(self.detail) if self.detail else None
        return {verdict.PERFORMANCE: PERFORMANCE, verdict.ACCURACY: ACCURACY}.get(logged or "", self.folder.mode)

    @property
    def scenario(self) -> str:
        """By the log; by its place if the log does not say."""
        logged = verdict.scenario_of(self.detail) if self.detail else None
        return self.folder.scenario or logged or verdict.SINGLE_STREAM

    @property
    def benchmark(self) -> str:
        """The canonical benchmark; the submitter's name for an unknown one."""
        return benchmarks.canonical(self.folder.name, self.scenario) or self.folder.name

    @property
    def key(self) -> Key:
        return (self.folder.system, self.benchmark, self.scenario)

    def place(self, name: str = "") -> Place:
        """The line of the detail log with a key; the folder without a log."""
        return Place(self.detail.path, self.detail.line(name)) if self.detail else Place(self.folder.path)


@dataclass(frozen=True, slots=True)
class FileOf:
    """A result file and the system that it belongs to."""

    path: Path
    system: System
    content: AppFile
    places: Places = field(default_factory=Places)

    def place(self, key: str) -> Place:
        """The key, and its line."""
        return Place(self.path, self.places.line(key), key=key)


@dataclass(slots=True)
class Context:
    """Everything that was read."""

    report: Report
    submission: Submission
    rounds: Mapping[str, Round]
    round: Round | None = None
    runs: list[LoggedRun] = field(default_factory=list)
    files: list[FileOf] = field(default_factory=list)

    def required(self, benchmark: str) -> RoundBenchmark | None:
        """The round's requirements for a benchmark; None without a round, or if the round lacks it."""
        known = self.round.benchmarks if self.round else {}
        return known.get(benchmark)

    def absent(self, system: System) -> Severity:
        """The severity of a missing large file: an error in a whole submission, a warning in an excerpt.

        Collections of results are often passed on without code, pictures and large logs.
        """
        return Severity.ERROR if self.submission.whole(system) else Severity.WARNING

    def of(self, mode: str) -> dict[Key, LoggedRun]:
        """The runs of a mode; of several with the same key the first."""
        found: dict[Key, LoggedRun] = {}
        for run in self.runs:
            if run.mode == mode:
                found.setdefault(run.key, run)
        return found

    def results(self) -> Iterator[tuple[FileOf, AppResult, Key, Place]]:
        """Every benchmark of every result file, with the key that its logs have."""
        for file in self.files:
            for result in file.content.results:
                name = benchmarks.canonical(result.benchmark_id, result.scenario) or result.benchmark_id
                line = file.places.line(result.key)
                place = Place(file.path, line, key=f"{result.key} {result.benchmark_id}")
                yield file, result, (file.system, name, result.scenario), place
