"""Process state that libraries may change, with an effect on our files."""

from __future__ import annotations

import ctypes
import locale
import os
import signal
import sys
from contextlib import suppress

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
