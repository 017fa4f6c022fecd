"""The Plan: a frozen, serialisable description of one run, and all that the worker is told."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import from_json

from mlperf_mobile.names import as_file_name, checked
from mlperf_mobile.terms import Counts, Load, Mode, Percentile, QualitySettings, Seeds, Strict

FileName = Annotated[str, AfterValidator(checked)]
"""A name that becomes that of a folder, in a file that may come from anywhere."""


def identity(about: str) -> dict[str, str]:
    """A new run's ``run_id``, unique and in the order of time, and when it was planned."""
    now = datetime.now(UTC)
    return {
        "run_id": f"{now:%Y%m%dT%H%M%S}-{as_file_name(about)[:100]}-{uuid.uuid4().hex[:8]}",
        "created": now.isoformat(timespec="seconds"),
    }


class ModelRef(Strict):
    """Which model file; ``sha256`` is checked when it is known."""

    name: str
    path: Path
    format: str
    sha256: str | None = None


class DatasetRef(Strict):
    """Which data set, and where it is; None for one that comes with its distribution."""

    name: str
    """As the user knows it."""
    offer: str
    """The offered data set that reads it."""
    path: Path | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class CampaignRef(Strict):
    """The campaign that a run is part of."""

    id: FileName
    mode: str
    position: int
    """From 1 on."""
    runs: int
    resumed: bool = False
    """The campaign was interrupted before this run."""
    cooldown_s: float | None = None
    """How long the device rested before this run; None for the first."""


class RunFacts(BaseModel):
    """What tells one run from another: said by its plan, and again by its result."""

    schema_version: int = Field(alias="schema")
    run_id: str
    created: str
    """UTC, ISO 8601."""
    session: CampaignRef | None = None
    """The campaign that the run is part of."""
    task: str
    benchmark: str
    """The task's name in the suite."""
    suite: str | None
    backend: str
    scenario: str
    mode: str
    unverified: dict[str, str] = Field(default_factory=dict)
    """Settings without a reliable source, and why."""


class CompilePlan(Strict):
    """A model made ready for an accelerator: all there is to a compilation, and the first part of a run."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run_id: FileName
    created: str
    """UTC, ISO 8601."""
    model: ModelRef
    backend: str
    accelerators: dict[str, int | None]
    """Session count of each; None for the backend's default."""
    batch: int
    input_shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Of one sample, for inputs that the model leaves open; ``*`` stands for the only input."""
    silence_timeout_s: float
    compile_timeout_s: float
    backend_options: dict[str, Any]
    offered_by: dict[str, str]
    """The distribution and version behind each of task, dataset, backend and scenario."""
    cache: Path
    """Folder for downloads, compiled models and encoded samples."""
    sources: dict[str, str]
    """Where each setting came from."""

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-serialisable data."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def accelerator(self) -> str:
        """Where it runs: one name, or several joined by commas."""
        return ",".join(self.accelerators)


class Official(Counts):
    """What a round asks of a run that shall be submitted; a run of the round may differ, and then is no submission."""

    round: str
    scenario: str
    percentile: Percentile
    seeds: Seeds
    model: str
    dataset: str
    performance_dataset: str | None = None


class Plan(CompilePlan, RunFacts):
    """One run of one task."""

    official: Official | None = None
    """None outside of the rounds."""
    dataset: DatasetRef
    performance_dataset: DatasetRef | None = None
    """For the timed run, where it is another one."""
    mode: Mode
    rules: str
    load: Load
    warmup_s: float
    strict_placement: bool
    quality: QualitySettings | None
    task_options: dict[str, Any]
    scenario_options: dict[str, Any]
    changed_options: dict[str, Any] = Field(default_factory=dict)
    """Options and settings whose values are not their defaults, by name: ``{"backend.threads": 2, "batch": 8}``."""
    notes: tuple[str, ...] = ()
    """Settings of the user's that this run cannot honour, each with its source and the reason."""
    encoded_cache_mb: int
    telemetry_interval_s: float = 1.0
    observers: dict[str, dict[str, Any]] = Field(default_factory=lambda: dict[str, dict[str, Any]](telemetry={}))
    """The options of the observers that watch it, by their names; earlier versions had this one alone."""

    @property
    def run_facts(self) -> dict[str, Any]:
        """The values of :class:`RunFacts` but the schema, which each file has of its own."""
        return {name: getattr(self, name) for name in RunFacts.model_fields if name != "schema_version"}

    @property
    def has_performance(self) -> bool:
        return self.mode is not Mode.ACCURACY

    @property
    def has_accuracy(self) -> bool:
        return self.mode is not Mode.PERFORMANCE


def read(text: bytes) -> CompilePlan:
    """The plan in a JSON text: a :class:`Plan`, or only a :class:`CompilePlan`.

    Raises:
        ValidationError: It is neither.
    """
    data = from_json(text)
    return (Plan if isinstance(data, dict) and "task" in data else CompilePlan).model_validate(data)
