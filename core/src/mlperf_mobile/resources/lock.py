"""Keeps two processes from fetching the same file at the same time; the lock ends with the process that holds it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlperf_mobile.errors import DataError

POLL_S = 0.1


@contextmanager
def held(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock on the file ``path``, which is not removed; ``waiting`` is called between tries, and may raise.

    Raises:
        DataError: The file system does not support locks.
        OSError: The file cannot be created.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        while not _taken(descriptor, path):
            waiting()
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise
        hint = "choose a cache folder on a local file system"
        raise DataError("cache-lock", f"the file system of {path} cannot lock files", hint) from error
    return True
