"""Whether processes still run. One that has ended does not, even if its parent never collects its exit code."""

from __future__ import annotations

from contextlib import suppress

import psutil


def created(pid: int) -> float:
    """When a process was created, in seconds since the epoch; 0 if it does not exist or has ended."""
    try:
        process = psutil.Process(pid)
        return 0.0 if has_ended(process) else float(process.create_time())
    except (psutil.Error, ValueError, OverflowError):
        return 0.0


def exists(pid: int) -> bool:
    """Whether a process with this id is running, one of another user included."""
    with suppress(psutil.Error):
        return not has_ended(psutil.Process(pid))
    return psutil.pid_exists(pid)


def is_alive(pid: int, made: float) -> bool:
    """Whether a process created at that time is still running; its id may have been reused."""
    found = created(pid)
    return found > 0 and abs(found - made) <= 1


def has_ended(process: psutil.Process) -> bool:
    """Whether a process is gone, or a zombie, which stays where nobody collects exit codes, as in many containers."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
