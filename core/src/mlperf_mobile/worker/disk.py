"""Detects that a run failed because of a full disk, which is then reported in place of the first error."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path

from mlperf_mobile.errors import MobileError, OutputError

PROBE_BYTES = 1 << 16
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRITING = ("log-incomplete", "output-unwritable", "accuracy-log", "accuracy-log-incomplete")
"""Errors that a full disk causes when LoadGen's logs are read."""


def full_disk(folder: Path, error: BaseException) -> OutputError | None:
    """The error if the disk is full; None if it is not, or if ``error`` has another cause.

    Args:
        folder: The run's folder.
        error: The run's error: an ``OSError`` while writing, or a defect of a log.
    """
    cause = error.errno if isinstance(error, OSError) else None
    if cause is None and isinstance(error.__cause__, OSError):
        cause = error.__cause__.errno
    suspicious = isinstance(error, MobileError) and error.code in _WRITING
    if cause in _FULL or (suspicious and (_too_large(folder) or _is_full(folder))):
        why = "a file reached the size limit of this process (ulimit -f)" if _too_large(folder) else "no space left"
        return OutputError(
            "disk-full",
            f"{why} for {folder}; LoadGen's logs are incomplete",
            "free disk space, or choose another --output",
        )
    return None


def _is_full(folder: Path) -> bool:
    """Whether a file of 64 KB cannot be written because the disk is full."""
    probe = folder / ".room"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        return error.errno in _FULL
    try:
        left = PROBE_BYTES
        while left:
            left -= os.write(fd, bytes(left))
        os.fsync(fd)
    except OSError as error:
        return error.errno in _FULL
    finally:
        os.close(fd)
        with suppress(OSError):
            probe.unlink()
    return False


def _too_large(folder: Path) -> bool:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return False
    with suppress(OSError):
        return any(path.lstat().st_size >= limit for path in folder.rglob("*") if path.is_file())
    return False
