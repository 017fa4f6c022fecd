"""The backend's own options."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

DEVICE_ON_THE_CPU = "nnapi-reference"
"""The name of NNAPI's own implementation, which every Android has."""


class NNAPIOptions(BaseModel):
    """How models are compiled and run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    library: str = Field(
        "libneuralnetworks.so",
        min_length=1,
        description="NNAPI's library: a path, or a name that the dynamic loader finds.",
    )
    device: str | None = Field(
        None,
        min_length=1,
        description="The device, by the name that NNAPI has for it; by default the accelerator's first.",
    )
    allow_fp16: bool = Field(False, description="Let 32-bit floats be computed as 16-bit ones.")
    disallow_cpu: bool = Field(False, description="Refuse devices that are the CPU, and partial.")
    preference: Literal["fast_single_answer", "sustained_speed", "low_power"] = Field(
        "fast_single_answer", description="What the driver's compiler should aim at."
    )
    priority: Literal["low", "medium", "high"] | None = Field(
        None, description="Of this work among all work on the device; Android 11 or later."
    )
    partial: bool = Field(False, description="Run operations that the device does not take on the CPU, with LiteRT.")
    threads: int = Field(1, ge=1, le=1024, description="Threads of the CPU's part, with partial.")
    shards: int = Field(1, ge=1, le=1024, description="Sessions side by side when throughput counts.")
    driver_cache: bool = Field(True, description="Let the driver keep its compiled networks, where it can.")
    burst: bool = Field(True, description="Keep the driver ready between runs, where it can.")
    timing: bool = Field(True, description="Ask the driver how long each run took, where it can tell.")
    run_timeout_s: float | None = Field(
        None, gt=0, le=1e6, description="The driver gives up one run after this time; Android 11 or later."
    )

    @model_validator(mode="after")
    def _cpu_is_wanted_or_not(self) -> Self:
        if self.disallow_cpu and self.partial:
            raise ValueError("partial runs operations on the CPU, and disallow_cpu refuses it: leave one out")
        if self.disallow_cpu and self.device == DEVICE_ON_THE_CPU:
            raise ValueError(f"device {DEVICE_ON_THE_CPU} is the CPU, and disallow_cpu refuses it: leave one out")
        return self
