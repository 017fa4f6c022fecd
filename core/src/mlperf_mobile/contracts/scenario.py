"""The contract of a scenario: the system it drives, the load it issues, and what it measures."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from mlperf_mobile.contracts.part import ScenarioPart
from mlperf_mobile.contracts.rates import ArrivalRate, SearchStep
from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.terms import Load, Seeds

__all__ = [
    "COUNTED",
    "INFERENCE",
    "INFERENCE_AND_DECODING",
    "LIVE",
    "Load",
    "LoadGenValue",
    "LoggedRun",
    "LoggedScenario",
    "Measurement",
    "PerformanceScore",
    "Rule",
    "Scenario",
    "Seeds",
    "Share",
    "SystemUnderTest",
]

COUNTED = "load generator"
"""Source of latencies: the load generator's records."""
LIVE = "live"
"""Source of latencies: a clock read around each call."""

INFERENCE_AND_DECODING = "inference and decoding"
"""What the timed region of a query contains: from the encoded sample in memory to the response."""
INFERENCE = "inference"
"""What the timed region of a query contains: from the encoded sample in memory to the outputs in memory."""

LoadGenValue = str | int | float | bool
"""A value of LoadGen's ``TestSettings``; its enumerations by name: ``"SingleStream"``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One named condition of the verdict, with its observed and required values.

    A rule that is not met makes the result invalid, or in the scope ``submission`` not submittable.
    """

    name: str
    """Kebab-case, and unique among the rules of a result: ``"min-duration"``."""
    ok: bool
    """Whether it is met."""
    observed: float | int | str | bool
    """What was measured or set."""
    required: float | int | str | bool
    """The limit, or the required value."""
    note: str = ""
    """The unit, and what else the reader needs: ``"seconds"``."""
    scope: Literal["result", "submission"] = "result"
    """What a rule that is not met does: ``"result"`` makes the result invalid, ``"submission"`` only prevents a
    submission."""


@dataclass(frozen=True, slots=True)
class Share:
    """One session's share of the timed run."""

    samples: int
    """Samples that it answered."""
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
    """Answered queries."""
    samples: int
    """Answered samples, without padding."""
    duration_s: float
    """Seconds of the timed region."""
    rules: tuple[Rule, ...]
    """The conditions of the verdict that the scenario itself decides."""
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
    arrivals_ns: array[int] | None = None
    """When each sample arrived by the schedule, in nanoseconds since the first one; in the order of ``latencies_ns``.
    """
    rate: ArrivalRate | None = None
    """For queries that arrive on a schedule."""
    search: tuple[SearchStep, ...] = ()
    """The steps of a search for the highest valid rate, in order; the last one is the measured run."""
    tokens: Mapping[str, Any] | None = None
    """For a run with tokens: the values of :class:`mlperf_mobile.results.tokens.TokenFacts`."""
    part: ScenarioPart | None = None
    """What only this scenario measures; of the class that ``ScenarioInfo.part`` names."""


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

    def unload_samples(self, indices: Sequence[int]) -> None:
        """Release them; called after the timed region."""
        ...

    def abandon(self, error: BaseException) -> None:
        """Handle an error inside a callback of a native load generator, through which it must not propagate.

        May be called from any thread, and so ends a run from a thread of the scenario. A worker reports the error and
        ends the process; elsewhere this returns, and the error propagates.
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


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A finished timed run, as LoadGen logged it."""

    load: Load
    """What was requested, with the expected latency and the sample count filled in."""
    latencies_ns: array[int]
    """One for every sample, in the order of completion."""
    details: Mapping[str, Any]
    """LoadGen's detail log, by its keys; ``latency_source`` tells whose the latencies are."""
    logs: Path
    """The folder of LoadGen's logs."""
    shares: tuple[Share, ...] = ()
    """One share for each session, if several ran in parallel."""
    answered: tuple[AnsweredCall, ...] = ()
    """The first and the last call of each session, if they are known."""
    tokens: array[int] | None = None
    """The answers of a run with tokens, as in ``tokens.bin``."""


@runtime_checkable
class LoggedScenario(Scenario, Protocol):
    """A scenario that LoadGen's settings describe completely, so that a runner without Python can issue it."""

    def settings(self, load: Load, sessions: int, batch: int) -> Mapping[str, LoadGenValue]:
        """LoadGen's ``TestSettings`` of the timed run, by their names; those left out keep LoadGen's defaults.

        Args:
            load: The requested load, with the expected latency.
            sessions: The sessions of the system.
            batch: The samples per call of each.
        """
        ...

    def measurement(self, run: LoggedRun) -> Measurement:
        """What a finished run measured."""
        ...


@runtime_checkable
class CheckingScenario(Scenario, Protocol):
    """A scenario that checks the load and the batch of a run before anything is loaded."""

    def check(self, load: Load, batch: int) -> None:
        """Refuse what cannot be measured.

        Args:
            load: The plan's load.
            batch: Samples per call of a session.

        Raises:
            UsageError: The load or the batch does not fit the options; names the option.
        """
        ...


@runtime_checkable
class GroupingScenario(Scenario, Protocol):
    """A scenario whose queries have several samples."""

    @property
    def samples_per_query(self) -> int:
        """Their number; 0 if one query has all samples. The queries of a stopped run are counted by it."""
        ...


@runtime_checkable
class SearchingScenario(Scenario, Protocol):
    """A scenario that runs more than once, and only returns the latencies of its last run."""

    @property
    def answered(self) -> int:
        """Samples answered so far, in all runs; shown as progress."""
        ...


@runtime_checkable
class PlannedScenario(Scenario, Protocol):
    """A scenario that chooses the number of samples itself, instead of the load's minimum."""

    @property
    def planned(self) -> int:
        """The samples of the whole run, by which progress is shown; 0 until they are known."""
        ...
