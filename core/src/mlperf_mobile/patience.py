"""Limits how long a plugin's module may take to import, or its hook to answer, so that it does not stop the others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

NOTICE_S = 5.0
"""After this time, a line on standard error names the plugin."""
LIMIT_S = 30.0
"""After this time, the plugin is left out."""


@contextmanager
def limited(what: str, remedy: str) -> Iterator[None]:
    """Name on standard error what takes long, and raise :class:`TimeoutError` in it when it takes too long.

    It interrupts Python code in the main thread; a native function that never returns cannot be interrupted.

    Args:
        what: What is waited for: ``"the import of acme (acme-npu 1.0)"``.
        remedy: What the user can do: ``"MLPERF_MOBILE_BLOCK=acme leaves it out"``.
    """
    import signal

    started, is_announced = monotonic(), False

    def tick(number: int, frame: object) -> None:
        nonlocal is_announced
        if monotonic() - started >= LIMIT_S:
            raise TimeoutError(f"{what} takes more than {LIMIT_S:g} s")
        if not is_announced:
            is_announced = True
            print(f"mlperf-mobile: waiting for {what}; {remedy}", file=sys.stderr, flush=True)

    try:
        before = signal.signal(signal.SIGALRM, tick)
    except (AttributeError, ValueError):  # not on this system, or not in the main thread
        yield
        return
    left, interval = signal.setitimer(signal.ITIMER_REAL, NOTICE_S, NOTICE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)
        if left:  # the alarm of a program that uses this as a library
            signal.setitimer(signal.ITIMER_REAL, max(left - (monotonic() - started), 1e-3), interval)
