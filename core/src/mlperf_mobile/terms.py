"""Terms that settings, plans, scenarios and results share: modes, seeds, counts and durations, loads, targets."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

ONLY_INPUT = "*"
"""Stands for the only input of a model."""

Seed = Annotated[int, Field(ge=0, lt=2**64)]


QueryCount = Annotated[int, Field(ge=1, le=10**8)]
Seconds = Annotated[float, Field(ge=0, le=86400)]
Percentile = Annotated[float, Field(ge=0.5, lt=1)]
ZeroIfUnset = Annotated[int, Field(ge=0), BeforeValidator(lambda value: 0 if value is None else value)]


class Mode(StrEnum):
    """What a run measures."""

    PERFORMANCE = "performance"
    """The timed run."""
    ACCURACY = "accuracy"
    """The accuracy run, over the whole data set."""
    BOTH = "both"
    """The timed run, then the accuracy run."""
    SUBMISSION = "submission"
    """One campaign of all performance runs, then all accuracy runs."""


class Cooldown(StrEnum):
    """How the device rests between performance runs."""

    FIXED = "fixed"
    BASELINE = "baseline"
    """Until temperatures and frequencies are back at their values before the first run."""


class EarlyStopping(StrEnum):
    """Whether a run needs as many queries as LoadGen's early stopping asks for to be sure of the percentile."""

    REQUIRED = "required"
    """A run with fewer queries is not valid."""
    IGNORED = "ignored"
    """For benchmarks whose queries take so long that a slow device answers too few (the reference app, for Stable
    Diffusion)."""


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Seeds(Strict):
    """LoadGen's seeds; the defaults are a set of the reference app's (mobile_app_open, mlperf_driver.cc)."""

    qsl: Seed = Field(default=2465351861681999779, description="LoadGen's qsl_rng_seed")
    """LoadGen's ``qsl_rng_seed``: which samples are loaded."""
    sample_index: Seed = Field(default=14276810075590677512, description="LoadGen's sample_index_rng_seed")
    """LoadGen's ``sample_index_rng_seed``: the order of the samples."""
    schedule: Seed = Field(default=3936089224930324775, description="LoadGen's schedule_rng_seed")
    """LoadGen's ``schedule_rng_seed``: when queries arrive."""


class Counts(Strict):
    """What one set of run rules (normal, quick, rapid) requires in a scenario."""

    min_query_count: QueryCount
    min_duration_s: Seconds
    max_duration_s: Seconds

    @model_validator(mode="after")
    def _maximum_is_no_less_than_minimum(self) -> Self:
        if 0 < self.max_duration_s < self.min_duration_s:
            raise ValueError(
                f"max_duration_s {self.max_duration_s:g} is less than min_duration_s {self.min_duration_s:g}"
            )
        return self


class Load(Counts):
    """How queries are issued in performance mode; durations in seconds, a maximum of 0 for no limit."""

    percentile: Percentile = 0.90
    """The percentile of the latencies that single-stream reports."""
    early_stopping: EarlyStopping = EarlyStopping.REQUIRED
    """Whether the rule ``early-stopping`` must be met."""
    performance_sample_count: ZeroIfUnset = 0
    """Samples encoded and loaded before the timed run; 0 in a plan: the number that fits into memory."""
    expected_latency_ns: ZeroIfUnset = 0
    """One query's latency, by which LoadGen prepares queries; 0 in a plan: the best latency of the warm-up."""
    seeds: Seeds = Seeds()
    """LoadGen's three seeds."""
    loadgen: dict[str, int | float | bool] = Field(default_factory=dict)
    """Further settings of LoadGen, by LoadGen's names; only compliance tests change them."""


class QualitySettings(Strict):
    """The quality target: a share of a reference accuracy, or an accuracy."""

    metric: str
    reference: float = Field(gt=0, description="accuracy of the float32 reference model")
    ratio: float = Field(default=1.0, gt=0, le=1, description="share of the reference that must be reached")
    at_least: float | None = Field(default=None, gt=0, description="accuracy that must be reached, instead of a share")
    source: str = Field(default="given by the user", description="where the reference was measured or published")

    @property
    def target(self) -> float:
        """The accuracy that must be reached."""
        return self.reference * self.ratio if self.at_least is None else self.at_least


class TokenRules(Strict):
    """What a round demands of a language model; only the settings of a suite count."""

    max_new_tokens: int = Field(gt=0, description="tokens of an answer in the timed run, at most")
    stop_ids: list[int] = Field(description="ids of the tokens that end an answer")
    context: int = Field(gt=0, description="tokens that prompt and answer may have together, at least")


def misfit(error: ValidationError) -> str:
    """The first validation error, with its location: ``load.min_duration_s: Input should be …``."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}{': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
