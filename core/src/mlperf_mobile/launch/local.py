"""Runs a Plan in a separate process on this machine; there is always a Result, even if the process dies."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.launch import endings
from mlperf_mobile.launch.drivers import driver_of
from mlperf_mobile.launch.incoming import Incoming
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.launch.observed import read_parts
from mlperf_mobile.launch.process import GRACE_S, Exit, Worker
from mlperf_mobile.launch.stops import Stops
from mlperf_mobile.launch.worker_log import last_words
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.processes import created
from mlperf_mobile.results import latencies, store
from mlperf_mobile.results.digests import folder_digests
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.results.model import ErrorFacts, Result, Status
from mlperf_mobile.results.observed import OBSERVED
from mlperf_mobile.results.recompose import Ending, Journal, concluded, of_journal, program


def launch(plan: Plan, output: Path, listen: Callable[[events.Event], None]) -> Result:
    """Run ``plan``, store its result under ``output``, and return it.

    Args:
        plan: What to run.
        output: The folder for results; created if missing.
        listen: Called with every event as it arrives.

    Raises:
        OutputError: The run's folder cannot be created; nothing was started.
        Unstored: The result cannot be stored; the error holds it, and the hidden folder its journal.
    """
    folder = store.Folder.create(output, plan)
    try:
        with Interrupts() as interrupts:
            run = Run(plan, folder.path, listen, folder.journal)
            try:
                status, error = run.until_ended(interrupts)
            except BaseException:
                if not run.journal.has_numbers and not (folder.path / latencies.FILE).exists():
                    folder.discard()
                raise
            return close(folder, plan, run.journal, Ending(status, error, str(folder.final), program()))
    finally:
        folder.close()


def close(folder: store.Folder, plan: Plan, journal: Journal, ending: Ending) -> Result:
    """Write the ending of a run into its journal, compose its result, and store it.

    The observers' parts are read here if the worker ended before it could read them.

    Raises:
        Unstored: There is not enough disk space.
    """
    folder.tidy()
    if OBSERVED not in journal.parts:
        event = events.Measured(part=OBSERVED, value=read_parts(plan, folder.path).model_dump(mode="json"))
        journal.take(event)
        folder.journal.write(events.encode(event))
    if journal.concluded is None:
        journal.concluded = concluded(ending)
        folder.journal.write(events.encode(journal.concluded))
    result = of_journal(folder.path, plan, journal, ending, folder_digests(folder.path))
    folder.commit(result)
    return result


class Run:
    """One worker process, from its start to its end.

    Args:
        plan: The plan for the worker.
        folder: An existing folder for its logs, absolute.
        listen: Called with every event as it arrives.
        file: The journal on disk, which records every event.
        attach: Whether to follow a run that is on its device already.
    """

    def __init__(
        self,
        plan: CompilePlan,
        folder: Path,
        listen: Callable[[events.Event], None],
        file: JournalFile,
        *,
        attach: bool = False,
    ) -> None:
        self.journal, self._attach = Journal(), attach
        self._plan, self._folder, self._listen, self._file = plan, folder, listen, file
        self._compiling: float | None = None
        """When compiling started."""
        self._heard = time.monotonic()

    def until_ended(self, interrupts: Interrupts) -> tuple[Status, ErrorFacts | None]:
        """Start the worker and listen until it has ended.

        Args:
            interrupts: The enclosing context, which raises no more interrupts when this returns.
        """
        driver = driver_of(self._plan)
        with store.output_errors(self._folder):
            worker = Worker(self._folder, self._plan.run_id, driver, attach=self._attach)
        interrupted = silent = overdue = False
        try:
            with Incoming(worker.events_fd) as incoming:
                try:
                    self._file.write(events.encode(_started(worker.process.pid)))
                    worker.tell(json.dumps(self._plan.to_json()).encode() + b"\n")
                    silent = not self._hear(incoming, worker, interrupts)
                    if not silent:
                        worker.wait(GRACE_S)
                    elif not worker.measures:
                        overdue = not self._cancel(incoming, worker, interrupts)
                except KeyboardInterrupt:
                    interrupted = True
                    overdue = not self._cancel(incoming, worker, interrupts)
        finally:
            interrupts.hold()
            end = worker.end()
        if end.left_behind:
            left = events.Measured(part="left_behind", value=list(end.left_behind))
            self.journal.take(left)
            self._file.write(events.encode(left))
        return self._verdict(end, interrupted, silent, overdue)

    def _hear(self, incoming: Incoming, worker: Worker, interrupts: Interrupts) -> bool:
        """Receive events until the worker closes its end or exits; False if it was silent for too long."""
        stops = Stops(worker.process.pid) if worker.measures else None

        def is_over() -> bool:
            if stops:
                stops.look()
            return worker.process.poll() is not None

        for line in incoming.lines(self._left_s, is_over, interrupts):
            worker.log.trim()
            if line is None:
                if self._left_s() <= 0:
                    return False
                continue
            if self._compiling is not None and self._left_s() <= 0:
                return False
            self._heard = time.monotonic()
            self._receive(line)
        if "performance" in self.journal.parts and stops and stops.possible:
            seen = events.Measured(part="stops", value=stops.intervals())
            self.journal.take(seen)
            self._file.write(events.encode(seen))
        return True

    def _cancel(self, incoming: Incoming, worker: Worker, interrupts: Interrupts) -> bool:
        """Cancel the worker, and receive what it still sends: one that cannot write to its launcher ends at once.

        A driver would leave its run on the device then.

        Returns:
            Whether it has ended in time.
        """
        worker.tell(b"cancel\n")
        end = time.monotonic() + worker.grace_s
        for line in incoming.lines(
            lambda: end - time.monotonic(), lambda: worker.process.poll() is not None, interrupts
        ):
            if line:
                self._receive(line)
            if end <= time.monotonic():
                break
        worker.wait(max(0.0, end - time.monotonic()))  # it has closed its end, and is about to exit
        return worker.process.poll() is not None

    def _receive(self, line: bytes) -> None:
        try:
            event = events.decode(line)
        except ValueError:
            return  # not ours: a library wrote to a descriptor it does not own
        self._file.write(line + b"\n", essential=not isinstance(event, events.Progress))
        self._take(event)

    def _left_s(self) -> float:
        """Seconds until the silence timeout, or while compiling, until the compile timeout."""
        if self._compiling is not None:
            return self._compiling + self._plan.compile_timeout_s - time.monotonic()
        return self._heard + self._plan.silence_timeout_s - time.monotonic()

    def _take(self, event: events.Event) -> None:
        self.journal.take(event)
        if isinstance(event, events.Phase):
            self._compiling = (self._compiling or time.monotonic()) if event.name == "compile" else None
        self._listen(event)

    def _verdict(self, end: Exit, interrupted: bool, silent: bool, overdue: bool) -> tuple[Status, ErrorFacts | None]:
        lost = self._lost(end, overdue)
        if interrupted:
            return Status.INTERRUPTED, endings.interrupted(lost)
        if lost:
            return Status.FAILED, lost
        if self.journal.failure:
            return Status.FAILED, endings.failure(self.journal.failure, last_words(self._folder))
        if self.journal.ended:
            return Status.COMPLETED, None
        words = last_words(self._folder)
        if silent and self._compiling is not None:
            return Status.FAILED, endings.too_slow_to_compile(self._plan, words)
        if silent:
            return Status.FAILED, endings.silent(self._plan, words)
        return Status.FAILED, endings.died(self._plan, end, words)

    def _lost(self, end: Exit, overdue: bool) -> ErrorFacts | None:
        """The error if the run may still go on on its device: its driver says so, or has not brought it to its end."""
        words = last_words(self._folder)
        if failed := self.journal.failure:
            return endings.failure(failed, words) if failed.code == endings.LOST else None
        if self._plan.device is None or self.journal.ended or end.returncode == ExitCode.INTERRUPTED:
            return None
        if overdue:
            return endings.left_on_device(self._plan, words)
        reached = self._attach or "device" in self.journal.parts
        return endings.driver_died(self._plan, end, words) if reached else None


def _started(pid: int) -> events.Started:
    mine = os.getpid()
    return events.Started(pid=pid, created=created(pid), launcher=mine, launcher_created=created(mine))
