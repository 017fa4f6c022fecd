"""Reserves devices for one campaign on this machine, so that no other one heats them in between.

The lock is a file in the system's folder for temporary files, and is released when its process ends, however that
happens. It is shared by all users of the machine who have the same folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.results.journal import lock


@contextmanager
def held(addresses: Iterable[str | None]) -> Iterator[None]:
    """Hold the locks of devices; None, this machine, has none.

    Raises:
        DeviceError: ``device-busy``: another process has one of them. ``device-lock``: the file cannot be opened.
    """
    with ExitStack() as locks:
        for address in sorted(filter(None, addresses)):
            locks.callback(os.close, _taken(address))
        yield


def _taken(address: str) -> int:
    name = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    folder = os.environ.get("TMPDIR") or tempfile.gettempdir()  # which does not see a variable that was set later
    path = Path(folder, f"mlperf-mobile-device-{name}.lock")
    try:
        fd = _opened(path)
    except OSError as error:
        summary = f"cannot open {path}, the lock of {address}: {error.strerror}"
        raise DeviceError("device-lock", summary, "remove the file, or set TMPDIR to another folder") from error
    if lock(fd) is False:
        owner = os.pread(fd, 20, 0).decode(errors="replace").strip()
        os.close(fd)
        by = f"process {owner}" if owner.isdigit() else "another process"
        raise DeviceError(
            "device-busy", f"{address} is in use by {by}", "wait until it has ended, or use another device"
        )
    with suppress(OSError):  # only the user who created it can write to it
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def _opened(path: Path) -> int:
    """The file, to write if it is this user's; the owner of a file in a shared folder may be somebody else."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with suppress(FileNotFoundError, PermissionError):
        return os.open(path, os.O_RDWR | flags)
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY | flags)
    return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
