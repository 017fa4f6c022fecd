"""The backend's own options.

To add an option to a backend, add a field to the model that its offer names.
"""

from __future__ import annotations

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlperf_mobile.option_types import NameOrPath


def usable_cores() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TFLiteOptions(BaseModel):
    """How models are run."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    runtime: Literal["litert", "tflite-runtime"] | None = Field(
        None, description="The runtime; by default litert if it can be imported, else tflite-runtime."
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads per session.")
    shards: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Parallel sessions for throughput; by default usable cores divided by threads.",
    )
    xnnpack: bool = Field(True, description="Let the runtime apply XNNPACK, its default delegate for the CPU.")
    delegate: NameOrPath | None = Field(
        None,
        min_length=1,
        description="An external delegate's shared library: a path, or a name that the dynamic loader finds.",
    )
    delegate_options: dict[str, str] = Field(default_factory=dict, description="Options of the external delegate.")
    library: NameOrPath | None = Field(
        None,
        min_length=1,
        description="LiteRT's library (libLiteRt.so) for the runner native: a path, or a name that the device's "
        "loader finds; by default that of the installed ai-edge-litert, for devices that can load it.",
    )

    profile: bool = Field(
        False, description="Profile the model's operators after the timed run, for the result; LiteRT on the CPU only."
    )

    @model_validator(mode="after")
    def _check_delegate(self) -> Self:
        if self.delegate_options and self.delegate is None:
            raise ValueError("delegate_options needs the option delegate")
        return self

    @property
    def effective_shards(self) -> int:
        """``shards``, or the usable cores divided by ``threads``, at least 1."""
        return self.shards or max(1, usable_cores() // self.threads)
