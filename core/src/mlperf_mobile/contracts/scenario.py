"""The contract of a scenario: the system it drives, the load it issues, and what it measures."""

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
"""Sources of latencies: the load generator's records, or a clock read around each call."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One named condition of the verdict, with its observed and required values.

    A rule that is not met makes the result invalid, or in the scope ``submission`` not submittable.
    """

    name: str
    ok: bool
    observed: float | int | str | bool
    required: float | int | str | bool
    note: str = ""
    scope: Literal["result", "submission"] = "result"


@dataclass(frozen=True, slots=True)
class Share:
    """One session's share of the timed run."""

    samples: int
    busy_s: float
    """How long it was inferring; the rest of the time it waited."""


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """One call of a session in the timed run, with its responses."""

    session: int
    """The session's number, from 0."""
    indices: tuple[int, ...]
    """The samples, at most ``batch`` of them."""
    responses: tuple[bytes, ...]
    """One response for each sample, as passed to the load generator."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A scenario's measurement in performance mode."""

    latency_ns: Mapping[str, float]
    """At least ``p50 p90 p99 mean min max`` of the samples' latencies."""
    throughput: float
    """Samples per second of the timed region."""
    queries: int
    samples: int
    """Answered samples, without padding."""
    duration_s: float
    rules: tuple[Rule, ...]
    loadgen: Mapping[str, Any] = field(default_factory=dict)
    """The load generator's own verdict, version and effective settings."""
    shares: tuple[Share, ...] = ()
    """One share for each of the system's sessions, if several run in parallel."""
    score: PerformanceScore | None = None
    """The number by which runs of this scenario are compared; runs without one are neither compared nor ranked.
    """
    latency_source: str = LIVE
    """:data:`COUNTED` if ``latencies_ns`` holds the load generator's own latencies after the run.
    """
    answered: tuple[AnsweredCall, ...] = ()
    """The first and the last call of each session; both are repeated after the timed run, and compared.
    """


class SystemUnderTest(Protocol):
    """The system that a scenario drives: the loaded sessions, and the data set's samples, encoded on demand."""

    @property
    def sample_count(self) -> int:
        """Samples in the data set."""
        ...

    @property
    def sessions(self) -> int:
        """How many threads may call :meth:`answer_batch`, each with its own session number."""
        ...

    @property
    def batch(self) -> int:
        """Samples per call of a session."""
        ...

    def load_samples(self, indices: Sequence[int]) -> None:
        """Untimed: encode these samples on all cores, and hold them in memory."""
        ...

    def unload_samples(self, indices: Sequence[int]) -> None: ...
    def abandon(self, error: BaseException) -> None:
        """Handle an error inside a callback of a native load generator, through which it must not propagate.

        A worker reports it and ends the process; elsewhere this returns, and the error propagates.
        """
        ...

    def answer(self, index: int) -> bytes:
        """Timed: infer one loaded sample on the first session."""
        ...

    def answer_batch(self, indices: Sequence[int], session: int) -> Sequence[bytes]:
        """Timed: infer any number of loaded samples on one session, in batches; one response for each, in order."""
        ...


class Scenario(Protocol):
    """A way of issuing queries, in performance mode."""

    def __init__(self, options: Any) -> None:
        """Keep the options: the validated model of the type that ``ScenarioInfo.options`` names, or None."""
        ...

    @property
    def parallel(self) -> bool:
        """Whether it uses all of the system's sessions, or only the first."""
        ...

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        """Issue queries until the load's conditions are met.

        Args:
            system: The system under test.
            load: How much to issue.
            latencies_ns: An empty ``array("q")``; append one entry for every sample when it is answered, to show
                progress and for stopped runs. At the end of the run, a scenario may replace all entries by the
                latencies that its load generator counted.
            logs: An existing folder for the load generator's own logs.
        """
        ...
