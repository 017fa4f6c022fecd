"""A worker or driver as a local process: its start, its log, and its end with all processes that it started."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from mlperf_mobile.launch.drivers import WORKER
from mlperf_mobile.launch.worker_log import WorkerLog
from mlperf_mobile.processes import has_ended, is_alive

GRACE_S = 0.5
"""How long a finished or cancelled worker may take to exit."""
DRIVER_GRACE_S = 60.0
"""How long a driver may take to stop its run on a device, and to copy what was measured."""
MARK = "_MLPERF_MOBILE_RUN"
"""An environment variable of a worker and its children; it identifies the run that a stray process belongs to."""
_SUBREAPER = (36, 37)
"""``PR_SET_CHILD_SUBREAPER`` and ``PR_GET_CHILD_SUBREAPER`` (linux/prctl.h)."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker process ended."""

    returncode: int
    killed: bool = False
    """Whether the launcher killed it because it did not exit by itself."""
    out_of_memory: bool = False
    """Whether the kernel's out-of-memory killer ended any process in the meantime."""
    left_behind: tuple[str, ...] = ()
    """Names and process ids of processes that it started and that could not be ended."""


class Worker:
    """A running worker; :meth:`end` must be called."""

    def __init__(self, folder: Path, mark: str, module: str, *, attach: bool = False) -> None:
        """Start the worker.

        Args:
            folder: An existing folder for its files, absolute.
            mark: Identifies the run.
            module: What to run: the core's worker, or the driver of another runner.
            attach: Whether a driver follows a run that an earlier one started.

        Raises:
            OSError: It cannot be started, or its log cannot be created.
        """
        self._mark, self._reaps = mark, _become_subreaper()
        self.measures = module == WORKER
        """Whether the measurement takes place in this process."""
        self.grace_s = GRACE_S if self.measures else DRIVER_GRACE_S
        """How long it may take to exit when it is cancelled."""
        self._ours = {child.pid for child in _children()}
        self._oom_kills = _oom_kills()
        self.log = WorkerLog(folder)
        read_fd, write_fd = os.pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [
                    sys.executable, "-P", "-m", module,
                    "--events-fd", str(write_fd), "--directory", str(folder), "--parent", str(os.getpid()),
                    *(["--attach"] if attach else []),
                ],
                stdin=subprocess.PIPE, stdout=self.log.fd, stderr=self.log.fd, pass_fds=(write_fd,),
                start_new_session=True, env=os.environ | {MARK: mark},
            )  # fmt: skip
        except BaseException:
            os.close(read_fd)
            self.log.close()
            raise
        finally:
            os.close(write_fd)
        self.events_fd = read_fd
        """The descriptor to read events from; the reader closes it."""

    def tell(self, line: bytes) -> None:
        """Write to its standard input; if it has died, its exit status says why."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def wait(self, seconds: float) -> None:
        """Wait at most this long for it to exit."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def end(self) -> Exit:
        """End the process, and all processes that it started."""
        killed = self.process.poll() is None
        strays = _descendants(self.process.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        left = _end_all([*strays, *self._adopted()])
        left = left or _end_all(self._adopted())  # children of a stray have been reparented to us by now
        if self._reaps:
            _prctl(_SUBREAPER[0], 0)
        self.log.close()
        oom = _oom_kills() > self._oom_kills
        return Exit(self.process.returncode, killed, oom, tuple(map(_named, left)))

    def _adopted(self) -> list[psutil.Process]:
        """Orphans of the worker that were reparented to this process.

        Children of this process's other threads are in its session, or have another run's mark.
        """
        found = []
        for child in _children():
            if child.pid in self._ours or child.pid == self.process.pid:
                continue
            mark = _mark_of(child)
            try:
                foreign = os.getsid(child.pid) != os.getsid(0)
            except OSError:
                continue
            if mark == self._mark or (mark is None and foreign and self._reaps):
                found.append(child)
        return found


def end_abandoned(pid: int, made: float, mark: str) -> None:
    """End the processes left behind by a run whose launcher is gone: the worker, and all processes that it started.

    Args:
        pid: The worker's process id.
        made: When the worker was created; a later process with the same id is left alone.
        mark: The run's mark.
    """
    found = [process for process in psutil.process_iter() if _mark_of(process) == mark]
    with suppress(psutil.Error, OSError):
        if is_alive(pid, made):
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
    _end_all(found)


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _children() -> list[psutil.Process]:
    try:
        return psutil.Process().children(recursive=True)
    except psutil.Error:
        return []


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _end_all(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Kill them; returns those that are still running."""
    found = list(dict.fromkeys(processes))
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    _, alive = psutil.wait_procs(found, timeout=2 * GRACE_S) if found else ([], [])
    return [process for process in alive if not has_ended(process)]


def _named(process: psutil.Process) -> str:
    try:
        return f"{process.name()} ({process.pid})"
    except psutil.Error:
        return f"({process.pid})"


def _become_subreaper() -> bool:
    """Make this process a subreaper; False if it already was one, or if that is not possible."""
    if not sys.platform.startswith("linux"):
        return False
    before = ctypes.c_int(0)
    if _prctl(_SUBREAPER[1], ctypes.byref(before)) != 0 or before.value:
        return False
    return _prctl(_SUBREAPER[0], 1) == 0


def _prctl(option: int, value: object) -> int:
    try:
        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0))
    except (OSError, AttributeError):
        return -1


def _oom_kills() -> int:
    """How many processes the kernel has killed because memory ran out (proc(5), vmstat); 0 if unknown."""
    try:
        found = re.search(r"^oom_kill (\d{1,18})$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
