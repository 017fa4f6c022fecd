"""Runs an observer for tests: in a separate thread, as in a run, but without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.contracts import ObservedRun, Observer
from mlperf_mobile.worker.observing import LIMIT_S, Keeper

__all__ = ["watched"]


@contextmanager
def watched(
    observer: Observer, run: ObservedRun, phase: str = "performance", limit_s: float = LIMIT_S
) -> Iterator[Keeper]:
    """Run an observer for one phase, which lasts as long as the context.

    Args:
        observer: The observer.
        run: The run that is passed to it.
        phase: The phase's name.
        limit_s: Timeout in seconds of each of its methods.

    Yields:
        The keeper of the observer; its ``trouble`` is why the observer is no longer called, or empty.
    """
    keeper = Keeper("observer", lambda: observer)
    keeper.start()

    def call(step: str, *given: object) -> None:
        if not keeper.post(step, *given).wait(limit_s):
            keeper.give_up(f"{step} did not return within {limit_s:g} s")

    call("start", run)
    call("begin", phase)
    try:
        yield keeper
    finally:
        call("end", phase)
        call("stop")
