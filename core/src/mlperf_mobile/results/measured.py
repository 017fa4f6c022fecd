"""What is measured and reported during a run, by the name of its part; a result is composed of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.results.observed import Observed
from mlperf_mobile.results.parts import (
    CompiledFacts,
    Integer,
    Json,
    LoadGenFacts,
    Number,
    Part,
    PlacementFacts,
    Scalar,
    SeveralPlacements,
    SystemFacts,
)
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terms import misfit


class Performance(Part):
    """What the timed run measured; times in nanoseconds unless named otherwise."""

    latency_ns: dict[str, Number]
    throughput: Number
    """Samples per second of the timed region."""
    queries: Integer
    samples: Integer
    duration_s: Number
    expected_latency_ns: Integer | None = None
    accelerators: dict[str, dict[str, Number]] = Field(default_factory=dict)
    """What each did: ``sessions``, ``samples``, ``throughput``, and how ``busy`` they were, as a share of the time."""
    loadgen: LoadGenFacts = Field(default_factory=LoadGenFacts)
    latency_source: str | None = None
    """``load generator`` where the saved latencies are those it counted, ``live`` where they were taken around each
    call; None in results of earlier versions, which are live."""
    score: PerformanceScore | None = None
    """The number by which the run is compared; None where its scenario reports none, or the run did not end."""


class Timed(Performance):
    """What a scenario measured, with its rules."""

    rules: list[RuleResult] = Field(default_factory=list)

    @property
    def performance(self) -> Performance:
        """All of it but the rules."""
        return Performance.model_validate(self.model_dump(exclude={"rules"}, exclude_unset=True))


class Repeated(Part):
    """What was answered once more after the timed run, and came out the same."""

    responses: Integer
    """How many; 0 where the scenario does not say which samples it answered first and last."""
    variation: Number = 0.0
    """How far the backend says its outputs lie apart, as a share of the largest; 0 for bit-equal."""


class FileFacts(Part):
    """A file or folder that the run used, as it was before it was opened; it did not change until the run was over."""

    path: str
    sha256: str | None = None
    """None for a folder, and for a file of more than 4 GiB."""
    bytes: Integer
    files: Integer


class ModelFile(Part):
    """The model file as it was found."""

    sha256: str | None = None
    bytes: Integer | None = None


class BackendFacts(Part):
    """What a backend's probe says about itself."""

    runtime: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    functional_only: str = ""
    """Why its speed says nothing."""


class Scored(Part):
    """What the metric found in the accuracy log; ``sessions`` answered."""

    metric: str
    value: Number
    samples: Integer
    duration_s: Number
    details: dict[str, Number] = Field(default_factory=dict)
    sessions: Integer | None = None


class Parts(BaseModel):
    """The parts of a run, each of which is there once it was measured."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    environment: dict[str, Scalar] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, FileFacts] = Field(default_factory=dict)
    model: ModelFile = ModelFile()
    backend: BackendFacts = BackendFacts()
    compiled: dict[str, CompiledFacts] | None = None
    placement: SeveralPlacements | PlacementFacts | None = None
    warnings: list[str] = Field(default_factory=list)
    system: SystemFacts | None = None
    performance: Timed | None = None
    interruptions: Any = None
    """What the worker saw; see :func:`mlperf_mobile.results.interruptions.found`, which judges it."""
    stops: Any = None
    """What the launcher saw at the same time."""
    observed: Observed | None = None
    """What observers found; None in a journal of an earlier version, or of a run whose worker died."""
    telemetry: dict[str, Json] | None = None
    """What telemetry found, in a journal of an earlier version."""
    report: dict[str, Json] | None = None
    repeated: Repeated | None = None
    accuracy: Scored | None = None
    rescued: Performance | None = None
    """The numbers of a timed run whose latencies could not be saved."""
    left_behind: list[str] = Field(default_factory=list)
    """Processes that the worker had started and that could not be ended."""

    @classmethod
    def read(cls, reported: Mapping[str, Any]) -> tuple[Self, str]:
        """The parts that a result can hold, and what is wrong with the first of the others; empty if nothing is."""
        try:
            return cls.model_validate(reported), ""
        except ValidationError as wrong:
            unsound = {error["loc"][0] for error in wrong.errors()}
            sound = {name: value for name, value in reported.items() if name not in unsound}
            return cls.model_validate(sound), misfit(wrong)
