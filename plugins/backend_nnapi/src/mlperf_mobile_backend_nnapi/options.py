"""The backend's own options."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlperf_mobile.option_types import NameOrPath

DEVICE_ON_THE_CPU = "nnapi-reference"
"""The name of NNAPI's own implementation, which is part of Android."""


class NNAPIOptions(BaseModel):
    """How models are compiled and run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    library: NameOrPath = Field(
        "libneuralnetworks.so",
        min_length=1,
        description="NNAPI's library: a path, or a name that the dynamic loader finds.",
    )
    device: str | None = Field(
        None,
        min_length=1,
        description="The device, by its NNAPI name; by default the accelerator's first.",
    )
    allow_fp16: bool = Field(False, description="Compute 32-bit floats with 16 bits.")
    disallow_cpu: bool = Field(False, description="Refuse devices that are the CPU, and partial.")
    preference: Literal["fast_single_answer", "sustained_speed", "low_power"] = Field(
        "fast_single_answer", description="Goal of the driver's compiler."
    )
    priority: Literal["low", "medium", "high"] | None = Field(
        None, description="Priority relative to other work on the device; Android 11 or later."
    )
    partial: bool = Field(False, description="Run unsupported operations on the CPU, with LiteRT.")
    threads: int = Field(1, ge=1, le=1024, description="Threads of the CPU's part, with partial.")
    feature_level: int | None = Field(
        None,
        ge=3,
        le=8,
        description="Feature level that the model is lowered for; by default the device's, or where the host cannot "
        "ask the device, the lowest that has all operations.",
    )
    shards: int = Field(1, ge=1, le=1024, description="Parallel sessions for throughput.")
    driver_cache: bool | None = Field(
        None,
        description="Let the driver cache its compiled networks, if it can: the default, but not of the native runner, "
        "which keeps none.",
    )
    burst: bool = Field(
        True, description="Use burst executions, which keep the driver ready between runs, if available."
    )
    timing: bool = Field(True, description="Record the driver's duration of each run, if it measures it.")
    run_timeout_s: float | None = Field(
        None, gt=0, le=1e6, description="Time limit of one run in the driver, in seconds; Android 11 or later."
    )

    @model_validator(mode="after")
    def _check_cpu(self) -> Self:
        if self.disallow_cpu and self.partial:
            raise ValueError("partial runs operations on the CPU, which disallow_cpu forbids: omit one of them")
        if self.disallow_cpu and self.device == DEVICE_ON_THE_CPU:
            raise ValueError(f"device {DEVICE_ON_THE_CPU} is the CPU, which disallow_cpu forbids: omit one of them")
        return self
