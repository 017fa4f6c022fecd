"""The contract of an observer, which watches the device during a run, writes a file, and adds a part to the result.

To add a power meter, a thermal camera or a profiler, write an observer.

An observer cannot change a measurement. If it raises, or does not return in time, the result has a warning, and the
observer is not called again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from mlperf_mobile.contracts.backend import MeteredSession
from mlperf_mobile.contracts.part import ResultPart
from mlperf_mobile.contracts.scenario import Rule

if TYPE_CHECKING:
    from mlperf_mobile.plan import Plan


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """The observed run."""

    plan: Plan
    """What runs, and with which settings."""
    directory: Path
    """An existing folder; files that the observer writes there are kept with the result."""
    answered: Callable[[], int]
    """The number of samples answered so far in the timed run; callable from any thread, at any time."""
    counters: Mapping[str, MeteredSession]
    """Energy counters of the loaded sessions, by accelerator; empty until they are loaded."""


class Observer:
    """Watches one run. All methods are called from one dedicated thread of low priority.

    The run waits up to five seconds for every method but :meth:`sample`, so :meth:`begin` has finished before the
    clock starts.
    """

    interval_s: float = 0.0
    """Seconds between two calls of :meth:`sample`; 0 for none. Read after every call, so it may change."""

    def __init__(self, options: Any) -> None:
        """Keep the options: the validated model of the type that ``ObserverInfo.options`` names, or None."""
        self.options = options
        """The options, or None."""

    def start(self, run: ObservedRun) -> None:
        """The run starts; nothing is loaded yet."""

    def begin(self, phase: str) -> None:
        """A phase begins: ``load``, ``compile``, ``encode``, ``warm-up``, ``performance``, ``accuracy``.

        Phases contain others: ``load`` all of them, ``performance`` the encoding of its samples.
        """

    def sample(self) -> None:
        """Take a reading and write it to the file immediately: a killed run keeps what the file has."""

    def end(self, phase: str) -> None:
        """A phase ends, normally or because it failed."""

    def stop(self) -> None:
        """The run is over, or a method of this observer raised: close everything."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of readings over the time of a run: lines with the same unit."""

    title: str
    """The graph's heading."""
    unit: str
    """The unit of all lines: ``"°C"``."""
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    """The seconds and the values of each line, by its name, in order of time."""
    timed: tuple[float, float]
    """When the timed run started and ended, on the same time axis."""
    marks: Sequence[tuple[float, str]] = ()
    """Moments to mark on the time axis, each with a label."""


class ObservedPart(ResultPart):
    """Base class for an observer's part of a result.

    The methods derive rules and graphs from the fields, too.
    """

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """The part computed from the observer's file in a run's folder; None if there is nothing to report.

        The file may be truncated, or not be the observer's at all. The same file must always give the same part.
        """
        raise NotImplementedError

    def rules(self, plan: Plan) -> Iterable[Rule]:
        """Rules that the part adds to the verdict, each with a name that no other rule has."""
        return ()

    def graphs(self, folder: Path) -> Iterable[Graph]:
        """Graphs of the observer's file in the folder of a result; the file may be gone."""
        return ()


class Baseline(Protocol):
    """The state of the device at one moment."""

    @property
    def is_known(self) -> bool:
        """Whether anything could be read."""
        ...

    def is_back(self, now: Any) -> bool:
        """Whether the device has returned to this state; ``now`` is its current one."""
        ...
