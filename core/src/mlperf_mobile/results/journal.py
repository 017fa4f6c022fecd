"""A run's journal, ``events.jsonl``: its lock marks the run's owner, and its disk space is reserved in advance."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from mlperf_mobile.errors import OutputError

RESERVE = 1 << 18
"""Bytes of disk space reserved at a time, so that measurements can still be written when the disk fills up."""
_CHUNK = 1 << 16
_HEAD = 96
_KEEP_SIZE = 1
"""``FALLOC_FL_KEEP_SIZE`` (linux/falloc.h)."""


class JournalFile:
    """Appends whole lines. Lines that cannot be written are kept in memory, and retried with the next line."""

    def __init__(self, fd: int) -> None:
        """Take over an open file, its lock held; see :meth:`create` and :meth:`adopt`."""
        self._fd = fd
        self._waiting = bytearray()
        self._size = os.fstat(fd).st_size
        self._reserved = 0
        self.locked = True
        """False if the file system has no locks."""
        self.trouble: OSError | None = None
        """Why lines are waiting or progress is left out; None without an error."""

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new journal, owned by this process until it is closed.

        Raises:
            OSError: It cannot be made.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            if lock(fd) is False:
                raise BlockingIOError(
                    errno.EAGAIN, os.strerror(errno.EAGAIN)
                )  # another process is removing it as abandoned
            journal = cls(fd)
            journal._reserve()
        except BaseException:
            os.close(fd)
            raise
        return journal

    @classmethod
    def adopt(cls, path: Path) -> Self:
        """Take over the journal of a run that no process owns any more.

        Raises:
            OutputError: ``run-alive``: another process owns it.
            OSError: It cannot be opened.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            if (taken := lock(fd)) is False:
                hint = "wait until it has ended; a run can be recovered only after that"
                raise OutputError("run-alive", f"another command is still working on {path.parent}", hint)
            journal = cls(fd)
            journal.locked = bool(taken)
        except BaseException:
            os.close(fd)
            raise
        return journal

    def write(self, line: bytes, *, essential: bool = True) -> None:
        """Append a line.

        Args:
            line: The line, with its newline.
            essential: False for progress, which is left out once the disk is full.
        """
        if self.trouble and not essential:
            return
        self._waiting += line
        self.flush()
        if self._size + RESERVE // 2 > self._reserved and not self.trouble:
            self._reserve()

    def flush(self) -> bool:
        """Write pending lines; returns whether all were written."""
        try:
            while self._waiting:
                written = os.write(self._fd, self._waiting)
                self._size += written
                del self._waiting[:written]
        except OSError as error:
            self.trouble = error
            return False
        return True

    def sync(self) -> None:
        """Flush everything to disk, and free the unused reserve; errors are in ``trouble``."""
        if not self.flush():
            return
        try:
            os.ftruncate(self._fd, self._size)
            os.fsync(self._fd)
        except OSError as error:
            if error.errno != errno.EINVAL:  # not a file, such as /dev/null
                self.trouble = error

    def drop_torn_line(self) -> None:
        """Remove a last line that was incomplete when the launcher died."""
        end = self._size
        while end > 0:
            start = max(0, end - _CHUNK)
            if (found := os.pread(self._fd, end - start, start).rfind(b"\n")) >= 0:
                end = start + found + 1
                break
            end = start
        if end < self._size:
            os.ftruncate(self._fd, end)
            self._size = end

    def drop_end(self) -> None:
        """Remove the last line if it is the record of the end."""
        start = max(0, self._size - _CHUNK)
        lines = os.pread(self._fd, self._size - start, start).splitlines(keepends=True)
        if lines and b'"event":"concluded"' in lines[-1][:_HEAD]:
            self._size -= len(lines[-1])
            os.ftruncate(self._fd, self._size)

    def close(self) -> None:
        """Close the journal and release its lock."""
        with suppress(OSError):
            os.close(self._fd)

    def _reserve(self) -> None:
        """Reserve disk space after the end, if the file system supports it."""
        if not sys.platform.startswith("linux"):
            return
        allocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
        if allocate is None:
            return
        allocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if allocate(self._fd, _KEEP_SIZE, self._size, RESERVE) == 0:
            self._reserved = self._size + RESERVE
        elif (number := ctypes.get_errno()) in (errno.ENOSPC, errno.EDQUOT):
            self.trouble = OSError(number, os.strerror(number))


def lock(fd: int) -> bool | None:
    """Take an open file's lock; False if another process holds it, None if the file system has no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise
        return None
    return True
