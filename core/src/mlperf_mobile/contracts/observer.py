"""The contract of an observer, which watches the device during a run, writes a file, and adds a part to the result.

To add a power meter, a thermal camera or a profiler, write an observer.

An observer cannot change a measurement. If it raises, or does not return in time, the result has a warning, and the
observer is not called again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from pydantic import BaseModel, ConfigDict

from mlperf_mobile.contracts.backend import MeteredSession
from mlperf_mobile.contracts.scenario import Rule

if TYPE_CHECKING:
    from mlperf_mobile.plan import Plan
    from mlperf_mobile.plugin import Remark


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """The observed run."""

    plan: Plan
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
    unit: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    """The seconds and the values of each line, by its name, in order of time."""
    timed: tuple[float, float]
    """When the timed run started and ended, on the same time axis."""
    marks: Sequence[tuple[float, str]] = ()
    """Moments to mark on the time axis, each with a label."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A table about a run."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class ObservedPart(BaseModel):
    """Base class for an observer's part of a result: finite numbers, texts, lists and mappings of them.

    The methods derive rules, remarks, cells and graphs from the fields.
    """

    model_config = ConfigDict(extra="forbid")

    title: ClassVar[str] = ""
    """The part's heading in reports; if empty, the observer's name."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Columns for the tables of ``report``: each name with a description and unit."""

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """The part computed from the observer's file in a run's folder; None if there is nothing to report.

        The file may be truncated, or not be the observer's at all. The same file must always give the same part.
        """
        raise NotImplementedError

    def rules(self, plan: Plan) -> Iterable[Rule]:
        """Rules that the part adds to the verdict, each with a unique name."""
        return ()

    def lines(self) -> Iterable[Remark]:
        """Lines for the result card on the terminal."""
        return ()

    def facts(self) -> Iterable[Remark]:
        """Lines for a report, which has more room."""
        return self.lines()

    def values(self) -> Mapping[str, float | int | str | bool | None]:
        """The cells of :attr:`columns`, by their names."""
        return {}

    def graphs(self, folder: Path) -> Iterable[Graph]:
        """Graphs of the observer's file in the folder of a result; the file may be gone."""
        return ()

    def listings(self) -> Iterable[Listing]:
        """Tables at the end of the part in a report."""
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
