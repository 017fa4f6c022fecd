"""The options of the SNPE runtime and its tools."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Runtime = Literal["dsp", "aip", "gpu", "gpu_float16", "cpu"]
BufferType = Literal["native", "float_32", "float_16", "uint_8", "uint_16", "int_32"]

TensorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_](?:[A-Za-z0-9_.:/-]*[A-Za-z0-9_:-])?$", max_length=255)]
"""What can stand in a comma-separated list and be the name of a file."""
Shape = Annotated[tuple[Annotated[int, Field(ge=1, le=2**28)], ...], Field(min_length=1, max_length=8)]
Soc = Annotated[str, Field(pattern=r"^[a-z0-9]{2,16}$")]

MOST_ELEMENTS = 2**28
"""Of one tensor: 1 GiB of float32."""


class NativeOptions(BaseModel):
    """How .dlc models are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    executor: Literal["auto", "c-api", "net-run"] = Field(
        "auto",
        description="Who runs the model: libSNPE.so in this process, or the program snpe-net-run, whose times never "
        "count. By default the library, or the program where there is no library.",
    )
    library: str | None = Field(
        None, min_length=1, description="libSNPE.so: a path, or a name that the dynamic loader finds."
    )
    runtime_order: tuple[Runtime, ...] = Field(
        (),
        max_length=5,
        description="The runtimes that SNPE may place operations on, the preferred one first; by default the "
        "accelerator's own alone: dsp for htp, gpu, or cpu.",
    )
    cpu_fallback: bool = Field(
        False, description="Let SNPE place on the CPU what the accelerator cannot run; where it did is not told."
    )
    performance_profile: Literal[
        "balanced",
        "high_performance",
        "power_saver",
        "system_settings",
        "sustained_high_performance",
        "burst",
        "low_power_saver",
        "high_power_saver",
        "low_balanced",
        "extreme_power_saver",
    ] = Field("burst", description="Clocks and votes for power.")
    profiling_level: Literal["off", "basic", "moderate", "detailed", "linting"] = Field(
        "off", description="What SNPE writes into profiling_directory; costs time from detailed on."
    )
    profiling_directory: str | None = Field(
        None, min_length=1, description="The folder for SNPE's profile, to be read with snpe-diagview."
    )
    execution_priority: Literal["low", "normal", "normal_high", "high"] = Field(
        "normal", description="Among the networks on the accelerator; more than normal may be restricted."
    )
    input_type: BufferType = Field("native", description="What inputs hold; native is what the model says.")
    output_type: BufferType = Field("native", description="What outputs hold; native is what the model says.")
    output_tensors: tuple[TensorName, ...] = Field((), description="The outputs; by default those of the model.")
    output_layers: tuple[TensorName, ...] = Field((), description="The layers whose outputs are the outputs.")
    init_cache: bool = Field(
        False, description="Compile on this device, and keep SNPE's cache in the compiled model, to load faster."
    )
    cpu_fixed_point: bool = Field(False, description="Run quantised models in fixed point on the CPU runtime.")
    platform_options: str | None = Field(
        None,
        pattern=r"^[\x21-\x7e]{1,1024}$",
        description="SNPE's platform options, as keyword:value;keyword:value: unsignedPD:ON.",
    )
    log_level: Literal["fatal", "error", "warn", "info", "verbose"] | None = Field(
        None, description="SNPE's own log; it costs time."
    )
    htp_socs: tuple[Soc, ...] = Field(
        (), max_length=32, description="Compile ahead of time for these, with snpe-dlc-graph-prepare: sm8650, sm8750."
    )
    htp_optimization_level: Literal[1, 2, 3] | None = Field(None, description="Of snpe-dlc-graph-prepare.")
    htp_hvx_threads: int | None = Field(None, ge=1, le=16, description="Of snpe-dlc-graph-prepare: --num_hvx_threads.")
    htp_dlbc: bool | None = Field(None, description="Of snpe-dlc-graph-prepare: bandwidth compression.")
    net_run_inputs: dict[TensorName, Shape] = Field(
        default_factory=dict, description="The model's inputs by name, for snpe-net-run: shapes of float32 tensors."
    )
    net_run_outputs: dict[TensorName, Shape] = Field(
        default_factory=dict, description="The model's outputs by name, for snpe-net-run: shapes of float32 tensors."
    )
    net_run_timeout_s: float = Field(300, gt=0, le=86400, description="How long one run of snpe-net-run may take.")
    prepare_timeout_s: float = Field(3600, gt=0, le=86400, description="How long snpe-dlc-graph-prepare may take.")

    @model_validator(mode="after")
    def _options_fit_together(self) -> Self:
        if self.output_tensors and self.output_layers:
            raise ValueError("output_tensors and output_layers cannot both be given; SNPE takes one of them")
        if len(set(self.runtime_order)) < len(self.runtime_order):
            raise ValueError("runtime_order names a runtime twice")
        if (self.profiling_level == "off") != (self.profiling_directory is None):
            raise ValueError("profiling_level and profiling_directory go together")
        if self.init_cache and self.htp_socs:
            raise ValueError("init_cache compiles on this device and htp_socs for others; choose one of them")
        if not self.htp_socs and (self.htp_optimization_level, self.htp_hvx_threads, self.htp_dlbc) != (None,) * 3:
            raise ValueError("htp_optimization_level, htp_hvx_threads and htp_dlbc need htp_socs")
        for name, shape in (*self.net_run_inputs.items(), *self.net_run_outputs.items()):
            if math.prod(shape) > MOST_ELEMENTS:
                raise ValueError(f"tensor {name} has more than {MOST_ELEMENTS} elements")
            if ".." in name.split("/") or "//" in name:
                raise ValueError(f"{name} cannot be the name of a tensor's file")
        return self
