"""The Plan: a frozen, serialisable description of one run, and the worker's only input."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import from_json

from mlperf_mobile.names import as_file_name, checked
from mlperf_mobile.terms import (
    Counts,
    EarlyStopping,
    Load,
    Mode,
    Percentile,
    QualitySettings,
    Seeds,
    Strict,
    TokenRules,
)

PYTHON = "python"
"""The runner that imports the plugins: on this machine, the core's worker."""

CHOSEN_LATER = "*"
"""The device and the runner of a plan whose executor chooses them."""

SHORTEST_WARM_UP_S = 0.05
"""The fewer calls of a fast model, the longer the best one: LoadGen then prepares too few queries."""

FileName = Annotated[str, AfterValidator(checked)]
"""A name that is used as a folder name, and may come from an untrusted file."""


def identity(about: str) -> dict[str, str]:
    """A new run's unique ``run_id``, which sorts by time, and its planning time, ``created``."""
    now = datetime.now(UTC)
    return {
        "run_id": f"{now:%Y%m%dT%H%M%S}-{as_file_name(about)[:100]}-{uuid.uuid4().hex[:8]}",
        "created": now.isoformat(timespec="seconds"),
    }


class ModelFileRef(Strict):
    """One file of a model; ``sha256`` is checked if it is known."""

    path: Path
    sha256: str | None = None


class ModelRef(Strict):
    """A model: one file, or several; ``sha256`` is checked if it is known."""

    name: str
    path: Path
    """The main file."""
    format: str
    sha256: str | None = None
    """Of the file; of several, see :func:`mlperf_mobile.resources.identity.digest_of_files`."""
    files: dict[str, ModelFileRef] = Field(default_factory=dict)
    """All files by their names in the model, the main one among them; empty for a model of one file."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of all files, the main one first."""
        return tuple(dict.fromkeys((self.path, *(each.path for each in self.files.values()))))


class DatasetRef(Strict):
    """A data set, and where it is; ``path`` is None for one that comes with its distribution."""

    name: str
    """The name that the user gives."""
    offer: str
    """The name of the offer that reads it."""
    path: Path | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class CampaignRef(Strict):
    """The campaign that a run is part of."""

    id: FileName
    mode: str
    position: int
    """Counted from 1."""
    runs: int
    resumed: bool = False
    """The campaign was interrupted before this run."""
    cooldown_s: float | None = None
    """How long the device rested before this run; None for the first."""


class RunFacts(BaseModel):
    """Facts that identify a run, in its plan and again in its result."""

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
    swept: dict[str, Any] = Field(default_factory=dict)
    """The values of this run in a sweep, by the keys that the user gave."""
    unverified: dict[str, str] = Field(default_factory=dict)
    """Settings without a reliable source, and why."""


class CompilePlan(Strict):
    """How to prepare a model for an accelerator: all of a compilation, and the first part of a run."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run_id: FileName
    created: str
    """UTC, ISO 8601."""
    model: ModelRef
    device: str | None = None
    """The address of the device, ``KIND:TARGET``; None for this machine."""
    runner: str = PYTHON
    """What carries out the run, on the device."""
    backend: str
    accelerators: dict[str, int | None]
    """Session count of each; None for the backend's default."""
    batch: int
    input_shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Shapes of one sample, for inputs with open dimensions; ``*`` stands for the only input."""
    silence_timeout_s: float
    compile_timeout_s: float
    device_timeout_s: float = 300
    """How long a device may be out of reach."""
    keep_on_device: bool = False
    """Whether the run's folder stays on the device."""
    recompile: bool = False
    """Whether to compile even if the compiled model is in the cache."""
    airplane_mode: bool = False
    """Whether the device is in airplane mode meanwhile."""
    scenario: str = ""
    """The scenario that the model is compiled for; empty if the backend compiles alike for all."""
    parallel: bool = False
    """Whether that scenario keeps all sessions busy; read only if nothing but a compilation is planned."""
    backend_options: dict[str, Any]
    offered_by: dict[str, str]
    """The distribution and version that offers each of task, dataset, backend and scenario."""
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
    """What a round requires of a submission; a run of the round may differ, and then cannot be submitted."""

    round: str
    scenario: str
    percentile: Percentile
    early_stopping: EarlyStopping = EarlyStopping.REQUIRED
    seeds: Seeds
    model: str
    dataset: str
    performance_dataset: str | None = None
    token_rules: TokenRules | None = None
    """Of a benchmark with a language model."""


class Plan(CompilePlan, RunFacts):
    """One run of one task."""

    scenario: str
    official: Official | None = None
    """None outside of the rounds."""
    tuning: str | None = None
    """The vendor's tuning that the run uses; ``offered_by`` names its distribution."""
    soc: str = ""
    """The SoC that the tuning was chosen for; empty if it does not depend on one, or it is not known."""
    dataset: DatasetRef
    performance_dataset: DatasetRef | None = None
    """The data set of the timed run, if it is a different one."""
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
    """The user's settings that have no effect in this run, each with its source and the reason."""
    encoded_cache_mb: int
    telemetry_interval_s: float = 1.0
    observers: dict[str, dict[str, Any]] = Field(default_factory=lambda: dict[str, dict[str, Any]](telemetry={}))
    """The options of the run's observers, by name; earlier versions had telemetry only."""

    @property
    def run_facts(self) -> dict[str, Any]:
        """The values of :class:`RunFacts` except the schema, which differs between plan and result."""
        return {name: getattr(self, name) for name in RunFacts.model_fields if name != "schema_version"}

    @property
    def timed_dataset(self) -> DatasetRef:
        """The data set of the timed run."""
        return self.performance_dataset or self.dataset

    @property
    def warm_up_s(self) -> float:
        """Seconds of warm-up, from which LoadGen's expected latency is estimated."""
        return max(self.warmup_s, SHORTEST_WARM_UP_S)

    @property
    def has_performance(self) -> bool:
        return self.mode is not Mode.ACCURACY

    @property
    def has_accuracy(self) -> bool:
        return self.mode is not Mode.PERFORMANCE


def read(text: bytes) -> CompilePlan:
    """The plan in a JSON text: a :class:`Plan`, or only a :class:`CompilePlan`.

    Raises:
        ValidationError: It is not a plan.
    """
    data = from_json(text)
    return (Plan if isinstance(data, dict) and "task" in data else CompilePlan).model_validate(data)
