"""Process state that libraries may change, with an effect on our files."""

from __future__ import annotations

import ctypes
import locale
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

MAP = "MLPERF_MOBILE_MAP"
"""A variable with the path of a file that gets this process's memory map, which names the libraries that it loaded."""
_MOST_MAP = 4 << 20
_PARENT_DEATH = 1
"""``PR_SET_PDEATHSIG`` (linux/prctl.h)."""


class Surroundings:
    """The umask and the locale of this process at its start."""

    def __init__(self) -> None:
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._locale = locale.setlocale(locale.LC_ALL)

    def restore(self) -> None:
        """Restore them, so that files get the user's modes, and numbers in LoadGen's logs a decimal point."""
        os.umask(self._umask)
        with suppress(locale.Error):
            if locale.setlocale(locale.LC_ALL) != self._locale:
                locale.setlocale(locale.LC_ALL, self._locale)


def save_map() -> None:
    """Copy ``/proc/self/maps`` to the file that the environment names, if it names one; called after the timed run."""
    if place := os.environ.get(MAP):
        with suppress(OSError), Path("/proc/self/maps").open("rb") as source:
            text = source.read(_MOST_MAP)
            Path(place).write_bytes(text)


def die_with(parent: int) -> None:
    """End this process immediately when its parent dies, even while no Python code runs.

    If the system does not support this, the watch notices within a moment.
    """
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # the parent had already ended


def leave(code: int) -> NoReturn:
    """Write out standard output and error, and end this process.

    Unlike ``sys.exit``, this runs no destructors: threads of vendor libraries or an aborted LoadGen may crash there.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)
