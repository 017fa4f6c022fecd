"""Watches the run from a separate thread: reports progress, saves latencies as they arrive, and obeys ``cancel``."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlperf_mobile import events
from mlperf_mobile.contracts.scenario import LIVE
from mlperf_mobile.errors import ExitCode, OutputError
from mlperf_mobile.results.latencies import FILE, replace, summary, write_at
from mlperf_mobile.results.store import WORKER_LOG
from mlperf_mobile.results.tokens import TOKENS
from mlperf_mobile.streams import guard
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.disk import full_disk
from mlperf_mobile.worker.surroundings import Surroundings
from mlperf_mobile.worker.witness import Witness

INTERVAL_S = 0.25


@dataclass
class Meter:
    """The progress of one phase: its count and minimum duration; without a count, the elapsed time."""

    phase: str
    total: int | Callable[[], int]
    done: Callable[[], int] | None
    min_s: float = 0.0
    started: float = field(default_factory=time.monotonic)
    reported: int = 0
    counted_s: float = 0.0
    """When the count last grew, since the beginning."""
    alive: int = 0
    """The last count of signs of life."""

    def progress(self, alive: int = 0, first_ns: int = 0) -> events.Progress | None:
        """The progress; None if there was none since the last call.

        Args:
            alive: A count of signs of life between two samples, such as tokens.
            first_ns: How long the first thing took: before it, a phase may prepare what it does not count.
        """
        if self.done is None:
            elapsed = time.monotonic() - self.started
            if int(elapsed) == self.reported:
                return None
            self.reported = int(elapsed)
            return events.Progress(phase=self.phase, done=0, total=0, fraction=None, elapsed_s=elapsed)
        done = self.done()
        total = self.total() if callable(self.total) else self.total
        if done == self.reported and alive == self.alive:
            return None
        self.alive = alive
        if done and not self.reported:
            self.started = max(self.started, time.monotonic() - INTERVAL_S - first_ns / 1e9)
        elapsed = time.monotonic() - self.started
        if done != self.reported or not done:
            self.reported, self.counted_s = done, elapsed
        fraction: float | None = None
        if done or total:
            fraction = min(1.0, done / total if total else 1.0, elapsed / self.min_s if self.min_s else 1.0)
        left = elapsed * (1 - fraction) / fraction if fraction else None
        return events.Progress(
            phase=self.phase, done=done, total=total, fraction=fraction, elapsed_s=self.counted_s, left_s=left
        )


class Watch(threading.Thread):
    """A daemon thread whose meter and latencies change with the phases of the run."""

    def __init__(self, channel: Channel, control_fd: int, directory: Path) -> None:
        super().__init__(name="watch", daemon=True)
        self._channel, self._control, self._directory = channel, control_fd, directory
        self._meter: Meter | None = None
        self._performance: Meter | None = None
        self._latencies: array[int] = array("q")
        self._saved = 0
        self._saving = threading.Lock()
        self._witness: Witness | None = None
        self._timed = ""
        self._alive: Callable[[], int] = int
        self._tokens: array[int] = array("q")
        self._tokens_saved = 0
        self._begun: Callable[[str], None] = lambda phase: None
        self._ended: Callable[[str], None] = lambda phase: None
        self._done = threading.Event()
        self._surroundings = Surroundings()

    def follow(self, begun: Callable[[str], None], ended: Callable[[str], None]) -> None:
        """Call these with the name of each phase at its beginning and end, from now on."""
        self._begun, self._ended = begun, ended

    @contextmanager
    def phase(
        self, name: str, total: int | Callable[[], int] = 0, done: Callable[[], int] | None = int, min_s: float = 0.0
    ) -> Iterator[None]:
        """Announce a phase and report its progress; the enclosing phase continues afterwards."""
        around = self._meter
        self._recover_from_libraries()
        self._channel.phase(name)
        self._begun(name)
        self._meter = Meter(name, total, done, min_s)
        if name == "performance":
            self._performance = self._meter
        try:
            yield
        finally:
            self._meter = around
            self._recover_from_libraries()
            self._ended(name)
            if self._witness and around and around.phase == self._timed:
                self._witness.begin()  # the samples are encoded; the timed part follows

    def expect(self, phase: str, done: int, total: int, elapsed_s: float, left_s: float) -> None:
        """Report how long a phase will take that is still to come, from a part of it that was tried."""
        fraction = min(1.0, done / total) if total else None
        self._channel.send(
            events.Progress(phase=phase, done=done, total=total, fraction=fraction, elapsed_s=elapsed_s, left_s=left_s)
        )

    @contextmanager
    def attesting(self, done: Callable[[], int], report: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        """Look for interruptions of the current phase, and report them at its end.

        Args:
            done: The number of answered samples.
            report: Called with :meth:`Witness.observations`, unless the run fails.
        """
        self._timed = self._meter.phase if self._meter else ""
        self._witness = witness = Witness(done)
        try:
            yield
        finally:
            self._witness = None
        report(witness.observations())

    def save(self, latencies_ns: array[int]) -> None:
        """Write these latencies to a file as they grow; it is created now, before a library can change the umask."""
        self._latencies, self._saved = latencies_ns, 0
        with suppress(OSError):
            write_at(self._directory / FILE, 0, self._latencies)

    def save_tokens(self, tokens: array[int]) -> None:
        """Write the answers of a run with tokens to a file as they grow, like the latencies."""
        self._tokens, self._tokens_saved = tokens, 0
        with suppress(OSError):
            write_at(self._directory / TOKENS, 0, tokens)

    def alive(self, count: Callable[[], int]) -> None:
        """Report progress also when this count has grown: a query of many tokens takes long, and is no hang."""
        self._alive = count

    def run(self) -> None:
        control = [self._control]
        while not self._done.wait(INTERVAL_S):  # the end of a run does not wait for the rest of an interval
            try:
                readable, _, _ = select.select(control, [], [], 0)
            except (OSError, ValueError):  # a library closed it
                control = readable = []
            guard(self._directory / WORKER_LOG)
            try:
                self._tick()
            except OSError as error:
                if error.errno != errno.EBADF:  # a library closed the file during writing, which is repeated
                    self._give_up(error)
            if not self._channel.is_open():
                os._exit(ExitCode.OK)  # the launcher is gone
            if readable:
                control = self._obey(control)

    def _obey(self, control: list[int]) -> list[int]:
        try:
            message = os.read(self._control, 4096)
        except OSError:
            return []
        if b"cancel" in message:
            with suppress(OSError):
                self._tick()
            os._exit(ExitCode.INTERRUPTED)
        return control if message else []  # the launcher closed its end

    def _recover_from_libraries(self) -> None:
        """Undo changes that plugins made to this process, where they affect our files."""
        guard(self._directory / WORKER_LOG)
        self._surroundings.restore()

    def _give_up(self, error: OSError) -> None:
        """End the run because its files cannot be written; measurements go into the journal, which has space."""
        self.rescue()
        lost = self._lost(error)
        os._exit(self._channel.failed(full_disk(self._directory, error) or lost))

    def _lost(self, error: OSError) -> OutputError:
        reason = f"cannot save latencies in {self._directory}: {error.strerror}"
        return OutputError("output-unwritable", reason, "choose another --output")

    def rescue(self) -> None:
        """Send a summary of the latencies if they could not all be saved."""
        meter, values = self._performance, self._latencies[:]
        if len(values) <= self._saved or not meter:
            return
        seconds = max(time.monotonic() - meter.started, 1e-9)
        self._channel.measured(
            "rescued",
            {
                "latency_ns": summary(values),
                "throughput": len(values) / seconds,
                "queries": len(values),
                "samples": len(values),
                "duration_s": seconds,
                "latency_source": LIVE,
            },
        )

    def stop(self) -> None:
        """End the thread and save the remaining latencies."""
        self._done.set()
        self.join()
        try:
            self._tick()
        except OSError as error:
            self.rescue()
            raise self._lost(error) from error

    def replace(self) -> bool:
        """Save all latencies again after their values changed; False if that fails and the earlier file stays."""
        with self._saving:
            try:
                replace(self._directory / FILE, self._latencies)
                if self._tokens:
                    replace(self._directory / TOKENS, self._tokens)
            except OSError:
                return False
            self._saved, self._tokens_saved = len(self._latencies), len(self._tokens)
        return True

    def _tick(self) -> None:
        meter, latencies = self._meter, self._latencies
        if witness := self._witness:
            witness.look()
        with self._saving:
            if (count := len(latencies)) > self._saved:
                write_at(self._directory / FILE, self._saved, latencies[self._saved : count])
                self._saved = count
            if (count := len(self._tokens)) < self._tokens_saved:
                self._tokens_saved = 0  # the answers of a search's trials were forgotten
            if count > self._tokens_saved:
                write_at(self._directory / TOKENS, self._tokens_saved, self._tokens[self._tokens_saved : count])
                self._tokens_saved = count
        first_ns = latencies[0] if latencies and meter is self._performance else 0
        if meter and (progress := meter.progress(self._alive(), first_ns)):
            self._channel.send(progress)
