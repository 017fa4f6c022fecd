"""Tries an observer without a run: in a thread of its own, as a run has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.contracts import ObservedRun, Observer
from mlperf_mobile.worker.observing import LIMIT_S, Keeper


@contextmanager
def watched(
    observer: Observer, run: ObservedRun, phase: str = "performance", limit_s: float = LIMIT_S
) -> Iterator[Keeper]:
    """Have an observer watch one phase, which lasts as long as the context.

    Args:
        observer: What watches.
        run: What it is told about the run.
        phase: The phase's name.
        limit_s: Seconds that each of its methods may take.

    Yields:
        What keeps it; its ``trouble`` says why it is not called any more.
    """
    keeper = Keeper("observer", lambda: observer)
    keeper.start()

    def tell(step: str, *given: object) -> None:
        if not keeper.post(step, *given).wait(limit_s):
            keeper.give_up(f"{step} did not return within {limit_s:g} s")

    tell("start", run)
    tell("begin", phase)
    try:
        yield keeper
    finally:
        tell("end", phase)
        tell("stop")
