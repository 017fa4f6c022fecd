"""Threads that stay for the next work, because LoadGen may crash when a thread that completed queries ends.

LoadGen frees the log buffer of a thread that ends, although its own thread may still have to look at it
(loadgen/logging.cc, ``threads_to_swap_deferred_``).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

__all__ = ["begin", "in_threads"]


class _Kept(threading.Thread):
    """A thread that does one job after another, and never ends."""

    def __init__(self) -> None:
        super().__init__(name="work", daemon=True)
        self.jobs: SimpleQueue[tuple[Callable[[], None], threading.Event]] = SimpleQueue()
        self.start()

    def run(self) -> None:
        while True:
            job, done = self.jobs.get()
            try:
                job()
            except BaseException:  # noqa: BLE001  reported as that of any thread
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), self)))
            del job  # what it used may be freed
            _idle.append(self)
            done.set()
            del done


_idle: list[_Kept] = []
os.register_at_fork(after_in_child=_idle.clear)


def begin(work: Callable[[], None]) -> threading.Event:
    """Call ``work()`` in another thread; the event is set when it has ended."""
    done = threading.Event()
    try:
        thread = _idle.pop()
    except IndexError:
        thread = _Kept()
    thread.jobs.put((work, done))
    return done


def in_threads(work: Callable[[int, list[BaseException]], None], sessions: int) -> None:
    """Call ``work(0, failures) … work(sessions - 1, failures)`` in parallel; they stop once ``failures`` is not empty.

    The first call is made in the caller's thread. The first failure is raised here.
    """
    failures: list[BaseException] = []

    def guarded(session: int) -> None:
        try:
            work(session, failures)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            failures.append(error)

    ends = [begin(partial(guarded, n)) for n in range(1, sessions)]
    guarded(0)
    for end in ends:
        end.wait()
    if failures:
        raise failures[0]
