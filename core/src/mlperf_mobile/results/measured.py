"""The parts that are measured during a run, from which its result is composed."""

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
    """The measurements of the timed run; times in nanoseconds unless the name has another unit."""

    latency_ns: dict[str, Number]
    throughput: Number
    """Samples per second of the timed region."""
    queries: Integer
    samples: Integer
    duration_s: Number
    expected_latency_ns: Integer | None = None
    accelerators: dict[str, dict[str, Number]] = Field(default_factory=dict)
    """By accelerator: ``sessions``, ``samples``, ``throughput``, and the share of the time that they were ``busy``."""
    loadgen: LoadGenFacts = Field(default_factory=LoadGenFacts)
    latency_source: str | None = None
    """``load generator`` if the saved latencies are LoadGen's, ``live`` if they were taken around each call; None in
    results of earlier versions, whose latencies are live."""
    score: PerformanceScore | None = None
    """The number by which the run is compared; None if its scenario reports no score, or the run did not end."""


class Timed(Performance):
    """The measurements of a scenario, with its rules."""

    rules: list[RuleResult] = Field(default_factory=list)

    @property
    def performance(self) -> Performance:
        """The measurements without the rules."""
        return Performance.model_validate(self.model_dump(exclude={"rules"}, exclude_unset=True))


class RepeatedResponses(Part):
    """The samples that were run again after the timed run, with the same outputs."""

    responses: Integer
    """Their number; 0 if the scenario does not report which samples it ran first and last."""
    variation: Number = 0.0
    """The difference between outputs that the backend declares, as a share of the largest; 0 for equal bits."""


class FileFacts(Part):
    """A file or folder that the run used, digested before the run and unchanged until its end."""

    path: str
    sha256: str | None = None
    """None for a folder, and for a file of more than 4 GiB."""
    bytes: Integer
    files: Integer


class ModelFile(Part):
    """The model file."""

    sha256: str | None = None
    bytes: Integer | None = None


class BackendFacts(Part):
    """What a backend's probe reports."""

    runtime: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    functional_only: str = ""
    """Why its speed is meaningless; empty for hardware."""


class MetricScore(Part):
    """The metric's value for the accuracy log, which ``sessions`` sessions produced."""

    metric: str
    value: Number
    samples: Integer
    duration_s: Number
    details: dict[str, Number] = Field(default_factory=dict)
    sessions: Integer | None = None


class Parts(BaseModel):
    """The parts of a run that have been measured."""

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
    """The worker's observations; see :func:`mlperf_mobile.results.interruptions.found`."""
    stops: Any = None
    """The launcher's observations at the same time."""
    observed: Observed | None = None
    """The parts of observers; None in a journal of an earlier version, or if the worker died."""
    telemetry: dict[str, Json] | None = None
    """The telemetry part, in a journal of an earlier version."""
    report: dict[str, Json] | None = None
    repeated: RepeatedResponses | None = None
    accuracy: MetricScore | None = None
    rescued: Performance | None = None
    """The numbers of a timed run whose latencies could not be saved."""
    left_behind: list[str] = Field(default_factory=list)
    """Processes of the worker that could not be ended."""

    @classmethod
    def read(cls, reported: Mapping[str, Any]) -> tuple[Self, str]:
        """The valid parts, and the error of the first invalid one; empty if all are valid."""
        try:
            return cls.model_validate(reported), ""
        except ValidationError as wrong:
            invalid = {error["loc"][0] for error in wrong.errors()}
            valid = {name: value for name, value in reported.items() if name not in invalid}
            return cls.model_validate(valid), misfit(wrong)
