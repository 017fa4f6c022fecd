"""``worker.log``: the output of the worker and its libraries; only the beginning and end of a large one are kept."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

from mlperf_mobile.results.store import WORKER_LOG

HEAD_BYTES = TAIL_BYTES = 1 << 20
LAST_WORDS_BYTES = 4096
"""Bytes of the log that an error quotes."""
_SLACK = 4096
"""Slack beyond them, so that the line about the omission causes no further cut."""
_PUNCH = 0x01 | 0x02
"""``FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE`` (linux/falloc.h)."""


class WorkerLog:
    """A file that the worker appends to. A pipe could block the worker until it is read."""

    def __init__(self, folder: Path) -> None:
        """Create the log.

        Raises:
            OSError: It cannot be created.
        """
        self._path = folder / WORKER_LOG
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self.fd = os.open(self._path, flags, 0o666)
        self._freed = HEAD_BYTES
        self._left_out = 0

    def trim(self) -> None:
        """Free the disk space of the middle while the worker keeps printing; the end stays in place."""
        with suppress(OSError):
            end = os.fstat(self.fd).st_size - TAIL_BYTES
            if end - self._freed < TAIL_BYTES:
                return
            if _punch(self.fd, self._freed, end - self._freed):
                self._freed = end
            else:
                self._cut()

    def close(self) -> None:
        """Keep the beginning, a line about the omission, and the end; called when the worker has ended."""
        with suppress(OSError):
            self._cut()
        with suppress(OSError):
            os.close(self.fd)

    def _cut(self) -> None:
        size = os.fstat(self.fd).st_size
        missing = size - HEAD_BYTES - TAIL_BYTES
        if missing <= _SLACK:
            return
        self._left_out += missing
        tail = os.pread(self.fd, TAIL_BYTES, size - TAIL_BYTES)
        fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)  # not for appending
        try:
            data = f"\n[... {self._left_out} bytes are left out here ...]\n".encode() + tail
            os.pwrite(fd, data, HEAD_BYTES)
            os.ftruncate(fd, HEAD_BYTES + len(data))
        finally:
            os.close(fd)
        self._freed = HEAD_BYTES


def _punch(fd: int, start: int, length: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    allocate = getattr(ctypes.CDLL(None), "fallocate64", None)
    if allocate is None:
        return False
    allocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return bool(allocate(fd, _PUNCH, start, length) == 0)


def last_words(folder: Path) -> str:
    """The end of the log in a run's folder; empty if it cannot be read."""
    try:
        with (folder / WORKER_LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_WORDS_BYTES))
            return file.read(LAST_WORDS_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""
