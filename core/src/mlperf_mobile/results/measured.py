"""The parts that are measured during a run, from which its result is composed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.results.observed import Observed
from mlperf_mobile.results.parts import (
    CompiledFacts,
    Flag,
    Integer,
    Json,
    LoadGenFacts,
    Logged,
    Number,
    Part,
    PlacementFacts,
    Scalar,
    SeveralPlacements,
    SystemFacts,
)
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile.terms import misfit

_OFTEN_LACKING = ("rate", "search", "tokens", "part")


class ArrivalFacts(Part):
    """The rate of queries that arrived on a schedule, in queries per second, and the latency bound they had to meet."""

    target: Number
    scheduled: Number
    completed: Number
    latency_bound_ns: Integer
    percentile: Annotated[Number, Field(gt=0, lt=1)]
    over_bound: Integer

    def line(self, queries: int) -> str:
        """Target and achieved rates, and the queries over the latency bound, for display."""
        return (
            f"target {self.target:.6g}, scheduled {self.scheduled:.6g}, completed {self.completed:.6g} queries/s; "
            f"{self.over_bound} of {queries} over {self.latency_bound_ns / 1e6:g} ms, "
            f"at most {(1 - self.percentile) * 100:.4g} % may be"
        )


class SearchedRate(Part):
    """One step of a search for the highest valid rate, in queries per second."""

    target: Number
    valid: Flag
    why: str = ""
    """Why it is not valid."""
    scheduled: Number
    completed: Number
    queries: Integer
    over_bound: Integer
    duration_s: Number
    latency_ns: dict[str, Number]
    full: Flag = False
    """Whether it was a run by the run's own rules, and not a short trial."""

    @property
    def line(self) -> str:
        """The rate, the verdict and the 99th percentile, for display."""
        verdict = "valid" if self.valid else f"NOT valid: {self.why}" if self.why else "NOT valid"
        kind = "by the rules" if self.full else "trial"
        return f"{self.target:.6g} queries/s, {kind}: {verdict} (p99 {self.latency_ns.get('p99', 0.0) / 1e6:.3f} ms)"


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
    timed_region: str | None = None
    """What a query's time contains: ``inference and decoding``, or ``inference`` if the outputs were decoded
    afterwards; None in results of earlier versions, which contain both."""
    score: PerformanceScore | None = None
    """The number by which the run is compared; None if its scenario reports no score, or the run did not end."""
    rate: ArrivalFacts | None = None
    """None if the queries did not arrive on a schedule."""
    search: list[SearchedRate] = Field(default_factory=list)
    """The steps of a search for the highest valid rate."""
    tokens: TokenFacts | None = None
    """None for a task whose models generate no tokens."""
    part: dict[str, Json] = Field(default_factory=dict)
    """What only this scenario measures, as its plugin describes it; empty for most."""

    @model_serializer(mode="wrap")
    def _without_what_other_scenarios_lack(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out empty fields that most scenarios do not have, as in results of earlier versions."""
        data: dict[str, Any] = handler(self)
        return {key: value for key, value in data.items() if value or key not in _OFTEN_LACKING}


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


class ModelPart(Part):
    """One of a model's files."""

    sha256: str
    bytes: Integer


class ModelFile(Part):
    """The model's file, or all of its files together."""

    sha256: str | None = None
    bytes: Integer | None = None
    files: dict[str, ModelPart] = Field(default_factory=dict)
    """By name; empty for a model of one file."""


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
    logged: Logged = "responses"


class DevicePart(Part):
    """The device of a run, when the run began; empty or None where it does not say."""

    address: str
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    soc: str = ""
    os: str = ""
    abi: str = ""
    boot_id: str = ""
    temperature_c: Number | None = None
    """Degrees Celsius."""
    thermal_status: Integer | None = None
    battery_percent: Number | None = None
    charging: Flag | None = None
    more: dict[str, Scalar] = Field(default_factory=dict)
    libraries: list[str] = Field(default_factory=list)
    """The shared libraries that the run had really loaded there; empty if it does not say."""


class Parts(BaseModel):
    """The parts of a run that have been measured."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    environment: dict[str, Scalar] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, FileFacts] = Field(default_factory=dict)
    model: ModelFile = ModelFile()
    backend: BackendFacts = BackendFacts()
    device: DevicePart | None = None
    """The device, as its driver reports it; None for this machine."""
    compiled: dict[str, CompiledFacts] | None = None
    placement: SeveralPlacements | PlacementFacts | None = None
    warnings: list[str] = Field(default_factory=list)
    system: SystemFacts | None = None
    samples_per_query: Integer = 1
    """Of the timed run; 0 if one query has all samples."""
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
