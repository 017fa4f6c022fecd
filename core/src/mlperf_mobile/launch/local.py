"""Runs a Plan in a process of its own on this machine; whatever becomes of it, there is a Result."""

from __future__ import annotations

import json
import os
import selectors
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mlperf_mobile import events
from mlperf_mobile.launch import endings
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.launch.process import GRACE_S, Exit, Worker, created
from mlperf_mobile.launch.stops import Stops
from mlperf_mobile.launch.worker_log import last_words
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import latencies, observed, store
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.results.model import ErrorFacts, Result, Status
from mlperf_mobile.results.recompose import Ending, Journal, concluded, of_journal, program


def launch(plan: Plan, output: Path, listen: Callable[[events.Event], None]) -> Result:
    """Run ``plan``, store its result under ``output``, and return it.

    Args:
        plan: What to run.
        output: The folder for results; made when it is not there.
        listen: Called with every event, as it comes.

    Raises:
        OutputError: The run's folder cannot be made; nothing was started.
        Unstored: The result cannot be stored; it is in the error, and what it is made of in the hidden folder.
    """
    folder = store.Folder.create(output, plan)
    try:
        with Interrupts() as interrupts:
            run = Run(plan, folder.path, listen, folder.journal)
            try:
                status, error = run.until_ended(interrupts)
            except BaseException:
                if not run.told.has_numbers and not (folder.path / latencies.FILE).exists():
                    folder.discard()
                raise
            return close(folder, plan, run.told, Ending(status, error, str(folder.final), program()))
    finally:
        folder.close()


def close(folder: store.Folder, plan: Plan, told: Journal, ending: Ending) -> Result:
    """Write how a run ended into its journal, compose its result, and store it.

    What observers found is read here where the worker ended before it could do that.

    Raises:
        Unstored: There is no room for it.
    """
    folder.tidy()
    if observed.OBSERVED not in told.parts:
        found = observed.read(Registry(), plan, folder.path, told.parts)
        event = events.Measured(part=observed.OBSERVED, value=found.model_dump(mode="json"))
        told.take(event)
        folder.journal.write(events.encode(event))
    if told.concluded is None:
        told.concluded = concluded(ending)
        folder.journal.write(events.encode(told.concluded))
    result = of_journal(folder.path, plan, told, ending, store.digests(folder.path))
    folder.commit(result)
    return result


class Run:
    """One worker process, from its start to its end.

    Args:
        plan: What it is told to do.
        folder: An existing folder for its logs, absolute.
        listen: Called with every event, as it comes.
        journal: Takes every event down.
    """

    def __init__(
        self, plan: CompilePlan, folder: Path, listen: Callable[[events.Event], None], journal: JournalFile
    ) -> None:
        self.told = Journal()
        self._plan, self._folder, self._listen, self._journal = plan, folder, listen, journal
        self._compiling: float | None = None
        """Since when it compiles."""
        self._heard = time.monotonic()

    def until_ended(self, interrupts: Interrupts) -> tuple[Status, ErrorFacts | None]:
        """Start the worker and listen until it is gone.

        Args:
            interrupts: The context that it runs in; it raises no interrupt any more when this returns.
        """
        with store.output_errors(self._folder):
            worker = Worker(self._folder, self._plan.run_id)
        interrupted = silent = False
        try:
            with os.fdopen(worker.events_fd, "rb", buffering=0) as pipe:
                self._journal.write(events.encode(_started(worker.process.pid)))
                worker.tell(json.dumps(self._plan.to_json()).encode() + b"\n")
                silent = not self._hear(pipe, worker)
            if not silent:
                worker.wait(GRACE_S)
        except KeyboardInterrupt:
            interrupted = True
            worker.tell(b"cancel\n")
            worker.wait(GRACE_S)
        finally:
            interrupts.hold()
            end = worker.end()
        if end.left_behind:
            left = events.Measured(part="left_behind", value=list(end.left_behind))
            self.told.take(left)
            self._journal.write(events.encode(left))
        return self._verdict(end, interrupted, silent)

    def _hear(self, pipe: BinaryIO, worker: Worker) -> bool:
        """Take in events until the worker closes its end or ends; False when it said nothing for too long."""
        stops = Stops(worker.process.pid)

        def is_over() -> bool:
            stops.look()
            return worker.process.poll() is not None

        for line in _lines(pipe, self._left_s, is_over):
            worker.log.trim()
            if line is None:
                if self._left_s() <= 0:
                    return False
                continue
            if self._compiling is not None and self._left_s() <= 0:
                return False
            self._heard = time.monotonic()
            try:
                event = events.decode(line)
            except ValueError:
                continue  # not ours: a library wrote to a descriptor it does not own
            self._journal.write(line + b"\n", essential=not isinstance(event, events.Progress))
            self._take(event)
        if "performance" in self.told.parts and stops.possible:
            seen = events.Measured(part="stops", value=stops.told())
            self.told.take(seen)
            self._journal.write(events.encode(seen))
        return True

    def _left_s(self) -> float:
        """How long it may go on without a word; a compiler may take its time, but not for ever."""
        if self._compiling is not None:
            return self._compiling + self._plan.compile_timeout_s - time.monotonic()
        return self._heard + self._plan.silence_timeout_s - time.monotonic()

    def _take(self, event: events.Event) -> None:
        self.told.take(event)
        if isinstance(event, events.Phase):
            self._compiling = (self._compiling or time.monotonic()) if event.name == "compile" else None
        self._listen(event)

    def _verdict(self, end: Exit, interrupted: bool, silent: bool) -> tuple[Status, ErrorFacts | None]:
        if interrupted:
            return Status.INTERRUPTED, endings.interrupted()
        if self.told.failure:
            return Status.FAILED, endings.told(self.told.failure, last_words(self._folder))
        if self.told.ended:
            return Status.COMPLETED, None
        words = last_words(self._folder)
        if silent and self._compiling is not None:
            return Status.FAILED, endings.too_slow_to_compile(self._plan, words)
        if silent:
            return Status.FAILED, endings.silent(self._plan, words)
        return Status.FAILED, endings.died(self._plan, end, words)


def _started(pid: int) -> events.Started:
    mine = os.getpid()
    return events.Started(pid=pid, created=created(pid), launcher=mine, launcher_created=created(mine))


def _lines(pipe: BinaryIO, left_s: Callable[[], float], is_over: Callable[[], bool]) -> Iterator[bytes | None]:
    """Whole lines as they come; None about twice a second when there are none. Memory is bounded.

    They end with the pipe, or when nothing more is in it and ``is_over()``: a child of the worker may hold it open.
    """
    held = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            over, left = is_over(), left_s()
            if not selector.select(0 if over else min(max(0.0, left), GRACE_S)):
                if over:
                    return
                yield None
                continue
            data = pipe.read(65536)
            if not data:
                return
            held += data
            *lines, rest = held.split(b"\n")
            held = bytearray(rest) if len(rest) <= events.MAX_LINE else bytearray()
            for line in lines:
                yield bytes(line)
