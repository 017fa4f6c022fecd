"""The Plan: a frozen, serialisable description of one run, and all that the worker is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mlperf_mobile.config.settings import Mode, QualitySettings, SeedSettings, Strict


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


class LoadPlan(Strict):
    """How queries are issued; see :class:`mlperf_mobile.contracts.Load`."""

    min_query_count: int
    min_duration_s: float
    max_duration_s: float
    percentile: float
    performance_sample_count: int | None
    expected_latency_ns: int | None
    seeds: SeedSettings


class Plan(Strict):
    """One run of one task."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run_id: str
    created: str
    """UTC, ISO 8601."""
    task: str
    benchmark: str
    """The task's name in the suite."""
    suite: str | None
    model: ModelRef
    dataset: DatasetRef
    performance_dataset: DatasetRef | None = None
    """For the timed run, where it is another one."""
    backend: str
    accelerator: str
    scenario: str
    mode: Mode
    rules: str
    load: LoadPlan
    batch: int
    warmup_s: float
    silence_timeout_s: float
    strict_placement: bool
    quality: QualitySettings | None
    backend_options: dict[str, Any]
    task_options: dict[str, Any]
    scenario_options: dict[str, Any]
    offered_by: dict[str, str]
    """The distribution and version behind each of task, dataset, backend and scenario."""
    cache: Path
    """Folder for downloads and encoded samples."""
    encoded_cache_mb: int
    unverified: dict[str, str]
    """Settings without a reliable source, and why."""
    sources: dict[str, str]
    """Where each setting came from."""

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON-serialisable data."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def has_performance(self) -> bool:
        return self.mode is not Mode.ACCURACY

    @property
    def has_accuracy(self) -> bool:
        return self.mode is not Mode.PERFORMANCE
