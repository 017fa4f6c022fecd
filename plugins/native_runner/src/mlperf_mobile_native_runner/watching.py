"""Watches a run of the native runner on this machine, as the worker does: by the plan's observers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.observing import Observers

TIMED = "performance"


class Watching:
    """What watches one run.

    Args:
        plan: Names the observers.
        channel: Takes their parts.
        directory: The run's folder.
        is_here: Whether it takes place on this machine; on a device, observers see nothing.
    """

    def __init__(self, plan: Plan, channel: Channel, directory: Path, *, is_here: bool) -> None:
        self._answered = _Answered()
        self._observers = (
            Observers(installed_plugins(), plan, channel, directory, self._answered, {}) if is_here else None
        )
        self._phase = ""
        self._after = ExitStack()

    def begin(self) -> None:
        """The run begins now."""
        if self._observers:
            self._after.enter_context(self._observers)

    def take(self, event: events.Event) -> None:
        """An event of the run."""
        if isinstance(event, events.Progress) and event.phase == TIMED:
            self._answered.done = event.done
        elif isinstance(event, events.Phase) and self._observers and event.name != self._phase:
            if self._phase:
                self._observers.end(self._phase)
            self._phase = event.name
            self._observers.begin(event.name)

    def timed_run_is_over(self) -> None:
        """The timed run is over."""
        if self._observers and self._phase == TIMED:
            self._observers.end(self._phase)
            self._phase = ""

    def end(self) -> None:
        """The run is over."""
        self._after.close()


class _Answered(Sequence[int]):
    """As long as the number of samples that were answered, which is all that observers ask."""

    def __init__(self) -> None:
        self.done = 0

    def __len__(self) -> int:
        return self.done

    def __getitem__(self, place: object) -> int:  # type: ignore[override]
        raise IndexError(place)

    def __iter__(self) -> Iterator[int]:
        return iter(())
