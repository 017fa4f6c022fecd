"""Opens untrusted files: a pipe, a device or a folder is refused, because reading it might never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

__all__ = ["read_regular"]


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read it.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except ValueError as error:  # a lone surrogate or a null character
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: It cannot be read, is not a regular file, or has more than ``most`` bytes.
    """
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"more than {most >> 20} MB", str(path))
    return data
