"""The settings of one run: their names, types, bounds and meanings.

To add a setting, add a field here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from mlperf_mobile.terms import (
    ONLY_INPUT,
    Cooldown,
    EarlyStopping,
    Mode,
    Percentile,
    QualitySettings,
    QueryCount,
    Seconds,
    Seeds,
    Strict,
    TokenRules,
)

MAX_ELEMENTS = 1 << 28
"""Limit for one input: a gigabyte of 32-bit numbers."""


def _not_too_large(shape: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"an input may have at most {MAX_ELEMENTS} elements")
    return shape


def _of_the_only_input(value: object) -> object:
    return {ONLY_INPUT: value} if isinstance(value, list | tuple) else value


Size = Annotated[int, Field(strict=True, ge=1, le=MAX_ELEMENTS)]
Shape = Annotated[tuple[Size, ...], Field(min_length=1, max_length=8), AfterValidator(_not_too_large)]
InputShapes = Annotated[dict[str, Shape], BeforeValidator(_of_the_only_input)]


class Settings(Strict):
    """Everything that a layer may set, with the defaults of the core."""

    backend: str | None = Field(default=None, description="which backend runs the model")
    accelerator: str | None = Field(
        default=None, description="which of the backend's accelerators; in offline also several, such as `cpu:2,npu`"
    )
    device: str | None = Field(
        default=None, description="the device to run on, such as `ssh:HOST` or `adb:SERIAL`; this machine by default"
    )
    runner: str | None = Field(
        default=None,
        description="what executes the run: python, or the runner of a plugin; by default the device's own",
    )
    device_timeout_s: float = Field(
        default=300, ge=0, le=604800, description="give up on a device that cannot be reached for this many seconds"
    )
    keep_on_device: bool = Field(default=False, description="leave the folder of a run on its device")
    recompile: bool = Field(default=False, description="compile again, even if the compiled model is in the cache")
    airplane_mode: bool = Field(
        default=False, description="put the device into airplane mode during runs; only for phones on a cable"
    )
    scenario: str = Field(default="single-stream", description="how queries are issued")
    mode: Mode = Field(
        default=Mode.BOTH,
        description="performance, accuracy, both, or submission: all performance runs, then all accuracy runs",
    )
    rules: str = Field(
        default="normal", description="run rules, which set counts and durations: normal, quick or rapid"
    )
    model: str | None = Field(default=None, description="a model's name, or the path of a model file or folder")
    model_format: str | None = Field(default=None, description="the model's file format; its suffix by default")
    task_files: dict[str, str] = Field(
        default_factory=dict,
        description="if the model is a folder: options of the task that name files in it, such as `{tokenizer: NAME}`",
    )
    dataset: str | None = Field(default=None, description="which data set")
    data_path: Path | None = Field(default=None, description="the folder of the data set")
    performance_dataset: str | None = Field(
        default=None, description="another data set for the timed run; it needs no labels"
    )
    performance_data_path: Path | None = Field(default=None, description="the folder of the performance data set")
    cache: Path | None = Field(default=None, description="folder for downloads, compiled models and encoded samples")
    encoded_cache_mb: int = Field(
        default=4096, ge=0, le=10**7, description="megabytes of encoded samples cached between runs; 0: none"
    )
    output: Path = Field(default=Path("mlperf-mobile-results"), description="folder for results")

    min_query_count: QueryCount | None = Field(default=None, description="minimum number of queries (offline: samples)")
    min_duration_s: Seconds | None = Field(default=None, description="minimum duration in seconds")
    max_duration_s: Seconds | None = Field(default=None, description="maximum duration in seconds; 0: no limit")
    percentile: Percentile = Field(default=0.90, description="percentile of the latency that single-stream reports")
    early_stopping: EarlyStopping = Field(
        default=EarlyStopping.REQUIRED,
        description="required; or ignored: the run is valid even with too few queries to be sure of the percentile",
    )
    performance_sample_count: int | None = Field(
        default=None, ge=1, le=10**8, description="samples in memory; by default as many as fit into 500 MB"
    )
    seeds: Seeds = Seeds()
    expected_latency_ns: int | None = Field(
        default=None, ge=1, description="LoadGen's expected latency, if lower than the latency measured in the warm-up"
    )
    input_shapes: InputShapes = Field(
        default_factory=dict,
        description="shapes of one sample for inputs that the model leaves open: `[1,128,128,3]`, or by name",
    )
    batch: int = Field(default=1, ge=1, le=65536, description="samples per call, in offline")
    warmup_s: float = Field(
        default=0.5, ge=0, le=600, description="seconds of untimed inference before the clock starts; at least 0.05"
    )
    telemetry_interval_s: float = Field(
        default=1.0, ge=0, le=3600, description="seconds between readings of the device during the timed run; 0: none"
    )
    tuned: bool = Field(default=True, description="use the tunings that vendors offer for benchmarks of suites")
    soc: str | None = Field(
        default=None, description="the SoC that tunings are chosen for; by default the one that the device reports"
    )
    strict_placement: bool | None = Field(
        default=None, description="fail when operations fall back to the CPU; by default for all accelerators but cpu"
    )
    silence_timeout_s: float = Field(
        default=300, gt=0, le=86400, description="stop a run whose worker sends nothing for this many seconds"
    )
    cooldown: Cooldown = Field(
        default=Cooldown.FIXED,
        description="fixed: wait `cooldown_s` between performance runs; baseline: wait until temperatures and "
        "frequencies are back to where they were at first, but at most `cooldown_s`",
    )
    cooldown_s: float | None = Field(
        default=None, ge=0, le=86400, description="seconds between performance runs; 300 in a submission, else 0"
    )
    compile_timeout_s: float = Field(
        default=3600,
        gt=0,
        le=604800,
        description="stop a run whose model takes longer than this many seconds to compile",
    )
    sweep_seed: int = Field(default=0, ge=0, lt=1 << 64, description="seed of the order of a sweep's runs")
    quality: QualitySettings | None = Field(
        default=None, description="`metric`, `reference`, `ratio` and `source` of the quality target"
    )

    token_rules: TokenRules | None = Field(
        default=None,
        description="`max_new_tokens`, `stop_ids` and `context` that a round requires of language models",
    )
    unverified: dict[str, str] = Field(
        default_factory=dict,
        description="settings without a reliable source, with the reason; such a target is not enforced",
    )

    backend_options: dict[str, Any] = Field(default_factory=dict, description="options of the backend")
    task_options: dict[str, Any] = Field(default_factory=dict, description="options of the task")
    dataset_options: dict[str, Any] = Field(default_factory=dict, description="options of the data set")
    scenario_options: dict[str, Any] = Field(default_factory=dict, description="options of the scenario")
    observer_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="options of observers, by their names"
    )
