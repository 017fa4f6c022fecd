"""The contract of an observer: it watches a run from beside it, writes a file, and a part of the result comes of that.

To add a power meter, a thermal camera or a profiler, write an observer.

Nothing that an observer does changes a measurement: what it raises, and what it does not answer in time, is a warning
in the result, and it is not called again.
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
    """The run that is watched."""

    plan: Plan
    directory: Path
    """An existing folder; what the observer writes there is kept with the result."""
    answered: Callable[[], int]
    """Samples answered so far in the timed run; callable from any thread, at any time."""
    counters: Mapping[str, MeteredSession]
    """Energy counters of the loaded sessions, by accelerator; empty until they are loaded."""


class Observer:
    """Watches one run. All methods are called from one thread, which calls nothing else, and has a low priority.

    The run waits for every method but :meth:`sample`, for five seconds at most, so that what is done in :meth:`begin`
    is done before the clock starts.
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
        """Read, and write down what was read: a run that is killed keeps what is in the file by then."""

    def end(self, phase: str) -> None:
        """A phase ends, by itself or because it failed."""

    def stop(self) -> None:
        """The run is over, or a method of this observer has raised: close everything."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What was read over the time of a run, to be drawn: lines of the same unit."""

    title: str
    unit: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    """Seconds and values of each line by its name, in order of time."""
    timed: tuple[float, float]
    """When the clock was started and stopped, in seconds on the same scale."""
    marks: Sequence[tuple[float, str]] = ()
    """Moments to be marked, in the same seconds, each with a word."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A table about a run."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


class ObservedPart(BaseModel):
    """The base of what an observer adds to a result: finite numbers, texts, lists and mappings of them.

    Everything but the fields is a view of them, for whoever decides and shows.
    """

    model_config = ConfigDict(extra="forbid")

    title: ClassVar[str] = ""
    """The heading above it in reports; the observer's name where it is empty."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Columns of the tables of ``report``: what each is, with its unit, by its name."""

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """The part that follows from the observer's file in a run's folder; None where there is nothing to tell.

        The file may be cut short, or be somebody else's. The same file always makes the same part.
        """
        raise NotImplementedError

    def rules(self, plan: Plan) -> Iterable[Rule]:
        """Rules that it adds to the verdict, each with a name that no other rule has."""
        return ()

    def lines(self) -> Iterable[Remark]:
        """What is said of it on the card of a result."""
        return ()

    def facts(self) -> Iterable[Remark]:
        """What is said of it in a report, which has more room."""
        return self.lines()

    def values(self) -> Mapping[str, float | int | str | bool | None]:
        """The cells of :attr:`columns`, by their names."""
        return {}

    def graphs(self, folder: Path) -> Iterable[Graph]:
        """What to draw of the observer's file in the folder of a result, which may be gone."""
        return ()

    def listings(self) -> Iterable[Listing]:
        """Tables below everything else."""
        return ()


class Baseline(Protocol):
    """What the device is like at a moment."""

    @property
    def is_known(self) -> bool:
        """Whether anything could be read."""
        ...

    def is_back(self, now: Any) -> bool:
        """Whether the device is ``now``, another of these, what it was at this one."""
        ...
