"""The contract of a scenario: what it drives, how much it shall issue, and what it measures."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.terms import Load, Seeds

__all__ = [
    "COUNTED",
    "LIVE",
    "Load",
    "Measurement",
    "PerformanceScore",
    "Rule",
    "Scenario",
    "Seeds",
    "Share",
    "SystemUnderTest",
]

COUNTED, LIVE = "load generator", "live"
"""Where latencies come from: the load generator's own records, or a clock read around each call."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One named rule, with what was seen and what it asks for.

    One that is not met makes the result invalid, or in the scope ``submission`` a result that cannot be submitted.
    """

    name: str
    ok: bool
    observed: float | int | str | bool
    required: float | int | str | bool
    note: str = ""
    scope: Literal["result", "submission"] = "result"


@dataclass(frozen=True, slots=True)
class Share:
    """What one session did of the timed run."""

    samples: int
    busy_s: float
    """How long it worked: the rest of the run it waited."""


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """What one call of a session answered in the timed run."""

    session: int
    """Its number, from 0."""
    indices: tuple[int, ...]
    """The samples, ``batch`` of them at most."""
    responses: tuple[bytes, ...]
    """One for each sample, as the load generator got it."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a scenario measured, in performance mode."""

    latency_ns: Mapping[str, float]
    """``p50 p90 p99 mean min max`` at least, of the samples' latencies."""
    throughput: float
    """Samples per second of the timed region."""
    queries: int
    samples: int
    """Answered samples; padding never counts."""
    duration_s: float
    rules: tuple[Rule, ...]
    loadgen: Mapping[str, Any] = field(default_factory=dict)
    """The load generator's own verdict, version and effective settings."""
    shares: tuple[Share, ...] = ()
    """One for each of the system's sessions, where several work side by side."""
    score: PerformanceScore | None = None
    """The number by which runs of this scenario are compared; without one, they are neither compared nor ranked.
    """
    latency_source: str = LIVE
    """:data:`COUNTED` where ``latencies_ns`` holds, after the run, the latencies that the load generator counted.
    """
    answered: tuple[AnsweredCall, ...] = ()
    """The first and the last call of each session; they are answered again after the timed run, and compared.
    """


class SystemUnderTest(Protocol):
    """What a scenario drives: the loaded sessions, and the data set's samples, encoded on demand."""

    @property
    def sample_count(self) -> int:
        """Samples in the data set."""
        ...

    @property
    def sessions(self) -> int:
        """How many threads may call :meth:`answer_batch`, each with a session number of its own."""
        ...

    @property
    def batch(self) -> int:
        """Samples that one call of a session takes."""
        ...

    def load_samples(self, indices: Sequence[int]) -> None:
        """Untimed: encode these samples, on every core, and hold them in memory."""
        ...

    def unload_samples(self, indices: Sequence[int]) -> None: ...
    def abandon(self, error: BaseException) -> None:
        """Called with an error while it is inside a callback of a native load generator, which it must not unwind.

        A worker reports it and ends the process; elsewhere it returns, and the error goes on.
        """
        ...

    def answer(self, index: int) -> bytes:
        """Timed: infer one loaded sample on the first session."""
        ...

    def answer_batch(self, indices: Sequence[int], session: int) -> Sequence[bytes]:
        """Timed: infer any number of loaded samples on one session, batch by batch; one response each, in order."""
        ...


class Scenario(Protocol):
    """A way of issuing queries, in performance mode."""

    def __init__(self, options: Any) -> None:
        """Keep the options: the validated model of the type that ``ScenarioInfo.options`` names, or None."""
        ...

    @property
    def parallel(self) -> bool:
        """Whether it uses all of the system's sessions, or the first only."""
        ...

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        """Issue queries until the load's conditions are met.

        Args:
            system: What answers.
            load: How much to issue.
            latencies_ns: An empty ``array("q")``; one entry is appended for every answered sample, as it is
                answered, so that progress can be shown and a stopped run keeps what it has. When the run is over, a
                scenario may replace all entries by those that its load generator counted.
            logs: An existing folder for the load generator's own logs.
        """
        ...
