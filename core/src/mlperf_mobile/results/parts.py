"""The parts of a result that a worker, a plugin or an importer supplies: typed, finite, and bounded in depth."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

DEEPEST = 16
"""Maximum levels of nested lists and objects in a plugin's report."""
LARGEST = 2**64
"""Seeds are unsigned 64-bit integers; no count or duration is larger."""


def _bounded(value: JsonValue, depth: int = 0) -> JsonValue:
    """The value, if all its numbers are finite and it is not nested too deep."""
    if depth > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError("an integer has more than 64 bits")
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _bounded(each, depth + 1)
    return value


Json: TypeAlias = Annotated[JsonValue, AfterValidator(_bounded)]
"""Plain JSON data in a form that the plugin chooses."""
Integer: TypeAlias = Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)]
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Seconds: TypeAlias = Annotated[Number, Field(ge=0, le=LARGEST)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Scalar: TypeAlias = Flag | Integer | Number | str | None

Logged: TypeAlias = Literal["responses", "digests"]
"""What LoadGen's accuracy log holds of each sample: the response, or the SHA-256 of the model's outputs. With digests,
the responses are in a log of their own, next to it."""


class Part(BaseModel):
    """A part with these fields and no others."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # a worker imports parts and builds none


class OpenPart(BaseModel):
    """A part with these fields and others, which are JSON."""

    model_config = ConfigDict(extra="allow", defer_build=True)
    __pydantic_extra__: dict[str, Json]


class PlacementFacts(Part):
    """Where the operations of a loaded model run, by accelerator, kernel library and name."""

    operations: dict[str, Integer] = Field(default_factory=dict)
    kernels: dict[str, Integer] = Field(default_factory=dict)
    names: dict[str, dict[str, Integer]] = Field(default_factory=dict)


class SeveralPlacements(Part):
    """The placements on several accelerators, by their names."""

    accelerators: dict[str, PlacementFacts]


class SystemFacts(OpenPart):
    """The system under test: tensors as text, sessions, batch, samples."""

    inputs: list[str] = Field(default_factory=list)
    outputs: list[str] = Field(default_factory=list)
    sessions: Integer | None = None
    accelerators: dict[str, Integer] = Field(default_factory=dict)
    """Session count of each."""
    batch: Integer | None = None
    samples_in_data_set: Integer | None = None
    performance_sample_count: Integer | None = None
    load_s: dict[str, Number] = Field(default_factory=dict)
    """Seconds of compiling and loading, by accelerator."""


class CompiledFacts(OpenPart):
    """One compilation: whether it was cached, how long it took, and what the compiler reported."""

    path: str = ""
    key: str | None = None
    cached: Flag = False
    kept: Flag = False
    note: str = ""
    facts: dict[str, Json] = Field(default_factory=dict)
    seconds: Number = 0.0


class LoadGenFacts(OpenPart):
    """LoadGen's verdict, version and effective settings."""

    version: str | None = None
    valid: Flag | None = None
    reason: str | None = None
    errors: list[str] = Field(default_factory=list)


class LoadFacts(OpenPart):
    """The load that the plan requests: counts, durations in seconds, percentile, samples in memory, seeds."""

    min_query_count: Integer | None = None
    min_duration_s: Seconds | None = None
    max_duration_s: Seconds | None = None
    percentile: Annotated[Number, Field(gt=0, lt=1)] = 0.9
    early_stopping: str = "required"
    performance_sample_count: Integer | None = None
    expected_latency_ns: Integer | None = None
    batch: Integer | None = None
    seeds: dict[str, Integer] = Field(default_factory=dict)
    loadgen: dict[str, Json] = Field(default_factory=dict)


class Origin(OpenPart):
    """The origin of an imported result."""

    kind: str
    round: str | None = None
    division: str | None = None
    submitter: str | None = None
    device: str | None = None
    benchmark_id: str | None = None
    uuid: str | None = None
    published_score: Number | None = None
    throughput: str = ""
    files: dict[str, str | None] = Field(default_factory=dict)
    """SHA-256 of the files it was read from, by path."""
