"""Composes a result from its folder alone: the plan, the journal, and the files of an interrupted run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode, OutputError, described
from mlperf_mobile.installed import version
from mlperf_mobile.plan import Plan
from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results import observed, store, unfinished
from mlperf_mobile.results.digests import folder_digests
from mlperf_mobile.results.measured import Parts
from mlperf_mobile.results.model import ErrorFacts, Result, Status, compose

MOST_PARTS = 64 << 20
"""Maximum bytes of all measured parts; a larger journal is refused."""

_IMPOSSIBLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Exceptions of composing if the parts in a journal are not a worker's."""
_PARTS_OF = {
    "scenario": ("performance", "rescued"),
    "task": ("accuracy",),
    "backend": ("backend", "compiled", "placement", "repeated", "report", "system"),
}
"""The parts of a run by the kind of plugin that they come from."""
_MOST_UNKNOWN = 100
_PHASE = re.compile(rb'"event":"phase","name":"([\w-]{1,40})"', re.ASCII)
_MOST_PHASES = 64
_HEAD = 96
"""An event has its kind within the first bytes of its line."""


@dataclass(slots=True)
class Ending:
    """How a run ended, as observed by its launcher."""

    status: Status
    error: ErrorFacts | None
    directory: str
    """The folder of the result."""
    program: str = ""
    """The program that composed the result; empty if the journal was not concluded."""


@dataclass(slots=True)
class Journal:
    """The content of a run's journal."""

    parts: dict[str, Any] = field(default_factory=dict)
    failure: events.Failed | None = None
    timed: events.Progress | None = None
    """The last progress of the timed run."""
    phase: str = ""
    """The last phase that began."""
    phases: set[str] = field(default_factory=set)
    """The first phases that began, at most :data:`_MOST_PHASES`."""
    started: events.Started | None = None
    """The processes of the run; None in earlier versions."""
    ended: bool = False
    """Whether the worker reported its end."""
    concluded: events.Concluded | None = None
    """The launcher's record of the end; None in earlier versions."""
    first: float | None = None
    """Times of the first and last complete event, in seconds since 1970."""
    last: float | None = None
    unknown: list[int] = field(default_factory=list)
    """Numbers of the first lines that no run writes."""

    def take(self, event: events.Event) -> None:
        """Add an event; if a part was measured twice, the last one counts."""
        self.first = event.time if self.first is None else min(self.first, event.time)
        self.last = event.time if self.last is None else max(self.last, event.time)
        if isinstance(event, events.Measured):
            self.parts[event.part] = event.value
        elif isinstance(event, events.Failed):
            self.failure = event
        elif isinstance(event, events.Progress) and event.phase == "performance":
            self.timed = event
        elif isinstance(event, events.Phase):
            self.phase = event.name
        elif isinstance(event, events.Ended):
            self.ended = True

    def begin_again(self) -> None:
        """Forget the events: the run was taken up on its device, and reports them again."""
        self.parts, self.failure, self.timed, self.phase, self.ended = {}, None, None, "", False
        self.phases = set()
        self.last = None

    @property
    def has_numbers(self) -> bool:
        """Whether it has measurements that would be lost with it."""
        return not self.parts.keys().isdisjoint(("performance", "accuracy", "rescued"))


@cache
def program() -> str:
    """The name and version of this program."""
    return f"mlperf-mobile {version('mlperf-mobile')}"


def concluded(ending: Ending) -> events.Concluded:
    """The last entry of a journal: how the run ended."""
    return events.Concluded(
        status=ending.status.value,
        error=ending.error.model_dump(mode="json") if ending.error else None,
        directory=ending.directory,
        program=ending.program,
    )


def read_journal(path: Path) -> Journal:
    """Read the events of a journal from which a result is composed.

    Raises:
        OutputError: It cannot be read, or is not a journal.
    """
    journal, size, timed, phase = Journal(), 0, b"", b""
    try:
        with open_regular(path) as file:
            for number, line in enumerate(_lines(file), 1):
                head = line[:_HEAD]
                if b'"event":"progress"' in head or b'"event":"phase"' in head:
                    if b'"phase":"performance"' in head:
                        timed = line
                    elif b'"event":"phase"' in head:
                        phase = line
                        if (named := _PHASE.search(head)) and len(journal.phases) < _MOST_PHASES:
                            journal.phases.add(named[1].decode())
                    continue
                size += len(line)
                if size > MOST_PARTS:
                    raise OutputError("result-damaged", f"{path} holds more than {MOST_PARTS >> 20} MB of parts")
                _take(journal, line, number)
    except OSError as error:
        raise OutputError("no-result", f"cannot read {path}: {error.strerror}", "give a result folder") from error
    for last in (timed, phase):
        if last.endswith(b"\n"):
            _take(journal, last, 0)
    return journal


def _lines(file: BufferedReader) -> Iterator[bytes]:
    while line := file.readline(events.MAX_LINE + 2):
        yield line


def _take(journal: Journal, line: bytes, number: int) -> None:
    try:
        if journal.concluded is not None and number:
            pass  # nothing follows the end
        elif b'"event":"concluded"' in line[:_HEAD]:
            journal.concluded = events.Concluded.model_validate_json(line)
            journal.last = journal.concluded.time
            return
        elif b'"event":"started"' in line[:_HEAD]:
            started = events.Started.model_validate_json(line)
            if journal.started is not None:
                journal.begin_again()
            journal.started, journal.first = started, started.time
            return
        else:
            journal.take(events.decode(line))
            return
    except ValueError:
        pass
    if len(journal.unknown) < _MOST_UNKNOWN:
        journal.unknown.append(number)


def recompose(folder: Path, ending: Ending) -> Result:
    """The result of a folder, derived from everything in it except ``result.json``.

    Args:
        folder: The folder of the run.
        ending: The end to assume if the journal has none, because of an earlier version or a launcher that died.

    Raises:
        OutputError: The plan or the journal is missing or damaged.
    """
    plan, journal = store.read_plan(folder), read_journal(folder / store.EVENTS)
    return of_journal(folder, plan, journal, ending, folder_digests(folder))


def of_journal(folder: Path, plan: Plan, journal: Journal, ending: Ending, logs: dict[str, str]) -> Result:
    """The result of a plan and a journal that have been read; see :func:`recompose`.

    Raises:
        OutputError: The journal is not that of a run.
    """
    try:
        end = _ending(journal, ending)
        parts, invalid = Parts.read(journal.parts)
        if end.status is not Status.COMPLETED:
            parts = unfinished.rescued(folder, plan.scenario, parts, journal.timed)
        if parts.observed is None:  # of an earlier version
            torn = parts.performance is not None and "performance" not in journal.parts
            found = observed.earlier(plan, folder, parts.telemetry, torn=torn)
            parts = parts.model_copy(update={"observed": found})
        status, error = (Status.FAILED, _reported(invalid, plan)) if invalid else (end.status, end.error)
        return compose(plan, parts, status, error, end.directory, logs, end.program)
    except _IMPOSSIBLE as error:
        text = f"{folder}: {store.PLAN} and {store.EVENTS} are not those of a run: {described(error)}"[:500]
        raise OutputError("result-damaged", text, "a file was changed by hand") from error


def _reported(invalid: str, plan: Plan) -> ErrorFacts:
    """The error of a run with an invalid part, which is left out; the other measurements are kept."""
    part = invalid.partition(":")[0].partition(".")[0]
    kind = next((kind for kind, parts in _PARTS_OF.items() if part in parts), "")
    who = f"{kind} {getattr(plan, kind)}" if kind else "a plugin"
    text = f"{who} reported an invalid value: {invalid}"
    return ErrorFacts(code="plugin-broken", summary=text, hint="see events.jsonl", exit_code=ExitCode.BACKEND)


def _ending(journal: Journal, ending: Ending) -> Ending:
    """The end recorded by the launcher, else the one implied by the worker's events, else ``ending``."""
    if end := journal.concluded:
        try:
            error = ErrorFacts.model_validate(end.error) if end.error is not None else None
            return Ending(Status(end.status), error, end.directory, end.program)
        except ValueError:
            journal.unknown.append(0)
    if journal.failure:
        failed = journal.failure
        tail = ending.error.stderr_tail if ending.error else ""
        error = ErrorFacts(
            code=failed.code, summary=failed.summary, hint=failed.hint, exit_code=failed.exit_code, stderr_tail=tail
        )
        return Ending(Status.FAILED, error, ending.directory)
    if journal.ended:
        return Ending(Status.COMPLETED, None, ending.directory)
    if ending.status is Status.COMPLETED:
        return Ending(Status.INTERRUPTED, ending.error, ending.directory)
    return ending
