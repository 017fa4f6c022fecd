"""Keeps the process of a command alive when a plugin's code calls ``os._exit``: exit code 0 would look like success.

A crash, ``os.abort`` and the end of a process by a native library cannot be caught.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def kept_alive() -> Iterator[None]:
    """Raise :class:`RuntimeError` in this thread's code where it calls ``os._exit``; other threads end the process."""
    end, inside = os._exit, (os.getpid(), get_ident())
    kept = True

    def refuse(status: int) -> NoReturn:
        if not kept or (os.getpid(), get_ident()) != inside:  # such as a child process that the plugin forked
            end(status)
        caller = sys._getframe(1).f_globals.get("__name__", "a module")
        raise RuntimeError(f"{caller} called os._exit({status!r:.20}), which would end the whole process")

    os._exit = refuse
    try:
        yield
    finally:
        kept, os._exit = False, end
