"""The worker's event channel: a file descriptor that nothing else writes to."""

from __future__ import annotations

import os
import select
import sys
import threading
import traceback
from contextlib import suppress

from mlperf_mobile import events
from mlperf_mobile.errors import WORKER_LOG, ExitCode, MobileError, described


class Channel:
    """Sends events as whole lines, from any thread."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._fd, self._pid = fd, os.getpid()
        self._file = _identity(fd)
        self._lock = threading.Lock()
        self.has_end = False
        """Whether the end of the run has been sent, or why it failed."""
        os.register_at_fork(after_in_child=self._forked)

    def send(self, event: events.Event) -> None:
        """Write one event; if the launcher is gone, the run has no purpose and the process ends.

        In a child process that a library forked, this does nothing: its parent sends the events.
        """
        self._write(events.encode(event))
        self.has_end |= isinstance(event, events.Ended | events.Failed)

    def beat(self) -> None:
        """Write an empty line, because the run waits on purpose: without lines, the launcher takes it for hung."""
        self._write(b"\n")

    def _write(self, data: bytes) -> None:
        if os.getpid() != self._pid:
            return
        with self._lock:
            self._check()
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except BrokenPipeError:
                os._exit(0)

    def is_open(self) -> bool:
        """Whether the launcher still has the other end open."""
        self._check()
        poll = select.poll()
        poll.register(self._fd, 0)
        return not poll.poll(0)

    def _check(self) -> None:
        """End the process if a library closed the channel, because the descriptor may now be another file."""
        if _identity(self._fd) != self._file:
            with suppress(OSError):
                os.write(2, b"the channel to the launcher was closed by a library in this process\n")
            os._exit(ExitCode.WORKER_DIED)

    def _forked(self) -> None:
        with suppress(OSError):
            if _identity(self._fd) == self._file:
                os.close(self._fd)

    def failed(self, error: BaseException) -> int:
        """Report why the run cannot go on, with a traceback on stderr; returns the exit code."""
        trace = "".join(traceback.format_exception(error))
        with suppress(OSError):  # worker.log may be on a disk that is full
            sys.stderr.write(trace)
            sys.stderr.flush()
        failure = _failure(error)
        self.send(events.Failed.model_validate(failure.record() | {"trace": trace[-8000:]}))
        return failure.exit_code

    def phase(self, name: str, step: str = "") -> None:
        self.send(events.Phase(name=name, step=step[:200]))

    def measured(self, part: events.PartName, value: object) -> None:
        self.send(events.Measured(part=part, value=value))


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _failure(error: BaseException) -> MobileError:
    if isinstance(error, MobileError):
        return error
    if isinstance(error, MemoryError):
        summary, hint = "the run needs more memory than is available", "lower performance_sample_count"
        return MobileError("out-of-memory", summary, hint, ExitCode.INTERNAL)
    return MobileError("internal", described(error), f"see {WORKER_LOG}", ExitCode.INTERNAL)
