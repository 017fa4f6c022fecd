"""The worker's way of saying things: a file descriptor that nothing else writes to."""

from __future__ import annotations

import os
import select
import sys
import threading
import traceback
from contextlib import suppress

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode, MobileError, described


class Channel:
    """Sends events, whole lines at a time, from any thread."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._fd, self._pid = fd, os.getpid()
        self._file = _identity(fd)
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def send(self, event: events.Event) -> None:
        """Write one event; when nobody listens any more, the run has no purpose and the process ends.

        A child that a library forked has nothing to say: what it knows was told already, or will be by its parent.
        """
        if os.getpid() != self._pid:
            return
        data = events.encode(event)
        with self._lock:
            self._check()
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except BrokenPipeError:
                os._exit(0)

    def is_heard(self) -> bool:
        """Whether anybody still has the other end open."""
        self._check()
        poll = select.poll()
        poll.register(self._fd, 0)
        return not poll.poll(0)

    def _check(self) -> None:
        """End the process when a library has closed the channel: its number may be another file's by now."""
        if _identity(self._fd) != self._file:
            with suppress(OSError):
                os.write(2, b"the channel to the launcher was closed by a library in this process\n")
            os._exit(ExitCode.WORKER_DIED)

    def _forked(self) -> None:
        with suppress(OSError):
            if _identity(self._fd) == self._file:
                os.close(self._fd)

    def failed(self, error: BaseException) -> int:
        """Tell why the run cannot go on, and trace it on stderr; returns the exit code for it."""
        trace = "".join(traceback.format_exception(error))
        with suppress(OSError):  # worker.log may be on a disk that is full
            sys.stderr.write(trace)
            sys.stderr.flush()
        told = _told(error)
        self.send(events.Failed.model_validate(told.record() | {"trace": trace[-8000:]}))
        return told.exit_code

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


def _told(error: BaseException) -> MobileError:
    if isinstance(error, MobileError):
        return error
    if isinstance(error, MemoryError):
        summary, hint = "the run needs more memory than there is", "lower performance_sample_count"
        return MobileError("out-of-memory", summary, hint, ExitCode.INTERNAL)
    return MobileError("internal", described(error), "see worker.log in the result folder", ExitCode.INTERNAL)
