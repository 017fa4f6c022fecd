"""The options of the SNPE runtime and its tools."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlperf_mobile.option_types import NameOrPath

Runtime = Literal["dsp", "aip", "gpu", "gpu_float16", "cpu"]
BufferType = Literal["native", "float_32", "float_16", "uint_8", "uint_16", "int_32"]

TensorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_](?:[A-Za-z0-9_.:/-]*[A-Za-z0-9_:-])?$", max_length=255)]
"""A name that is valid in a comma-separated list and as a file name."""
Shape = Annotated[tuple[Annotated[int, Field(ge=1, le=2**28)], ...], Field(min_length=1, max_length=8)]
Soc = Annotated[str, Field(pattern=r"^[a-z0-9]{2,16}$")]

MOST_ELEMENTS = 2**28
"""Maximum number of elements in one tensor: 1 GiB of float32."""


class NativeOptions(BaseModel):
    """How .dlc models are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    executor: Literal["auto", "c-api", "net-run"] = Field(
        "auto",
        description="How to run the model: libSNPE.so in this process, or the program snpe-net-run, whose times never "
        "count; by default the library, or the program if the library is missing.",
    )
    library: NameOrPath | None = Field(
        None, min_length=1, description="libSNPE.so: a path, or a name that the dynamic loader finds."
    )
    runtime_order: tuple[Runtime, ...] = Field(
        (),
        max_length=5,
        description="The runtimes that SNPE may place operations on, the preferred one first; by default the "
        "accelerator's only: dsp for htp, gpu, or cpu.",
    )
    cpu_fallback: bool = Field(
        False, description="Let SNPE run unsupported operations on the CPU; it does not report which."
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
    ] = Field("burst", description="Clock and power profile.")
    profiling_level: Literal["off", "basic", "moderate", "detailed", "linting"] = Field(
        "off", description="Detail of SNPE's profile in profiling_directory; from detailed on, it costs time."
    )
    profiling_directory: str | None = Field(
        None, min_length=1, description="The folder for SNPE's profile, which snpe-diagview reads."
    )
    execution_priority: Literal["low", "normal", "normal_high", "high"] = Field(
        "normal", description="Priority among the networks on the accelerator; above normal may be restricted."
    )
    input_type: BufferType = Field("native", description="Type of the inputs; native is the model's.")
    output_type: BufferType = Field("native", description="Type of the outputs; native is the model's.")
    output_tensors: tuple[TensorName, ...] = Field((), description="Tensors to output; by default the model's outputs.")
    output_layers: tuple[TensorName, ...] = Field((), description="Layers whose outputs to output.")
    init_cache: bool = Field(
        False, description="Compile on this device and keep SNPE's cache in the compiled model, to load faster."
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
        (), max_length=32, description="SoCs to compile for ahead of time with snpe-dlc-graph-prepare: sm8650, sm8750."
    )
    htp_optimization_level: Literal[1, 2, 3] | None = Field(
        None, description="Optimisation level of snpe-dlc-graph-prepare."
    )
    htp_hvx_threads: int | None = Field(None, ge=1, le=16, description="--num_hvx_threads of snpe-dlc-graph-prepare.")
    htp_dlbc: bool | None = Field(None, description="Bandwidth compression in snpe-dlc-graph-prepare.")
    net_run_inputs: dict[TensorName, Shape] = Field(
        default_factory=dict, description="The model's inputs by name, for snpe-net-run: shapes of float32 tensors."
    )
    net_run_outputs: dict[TensorName, Shape] = Field(
        default_factory=dict, description="The model's outputs by name, for snpe-net-run: shapes of float32 tensors."
    )
    net_run_timeout_s: float = Field(
        300, gt=0, le=86400, description="Time limit of one run of snpe-net-run, in seconds."
    )
    prepare_timeout_s: float = Field(
        3600, gt=0, le=86400, description="Time limit of snpe-dlc-graph-prepare, in seconds."
    )

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.output_tensors and self.output_layers:
            raise ValueError("output_tensors and output_layers exclude each other: omit one of them")
        if len(set(self.runtime_order)) < len(self.runtime_order):
            raise ValueError("runtime_order names a runtime twice")
        if (self.profiling_level == "off") != (self.profiling_directory is None):
            raise ValueError("profiling_level and profiling_directory need each other: set both or neither")
        if self.init_cache and self.htp_socs:
            raise ValueError("init_cache compiles on this device, htp_socs for others: omit one of them")
        if not self.htp_socs and (self.htp_optimization_level, self.htp_hvx_threads, self.htp_dlbc) != (None,) * 3:
            raise ValueError("htp_optimization_level, htp_hvx_threads and htp_dlbc need htp_socs")
        for name, shape in (*self.net_run_inputs.items(), *self.net_run_outputs.items()):
            if math.prod(shape) > MOST_ELEMENTS:
                raise ValueError(f"tensor {name} has more than {MOST_ELEMENTS} elements")
            if ".." in name.split("/") or "//" in name:
                raise ValueError(f"{name} is not valid as the file name of a tensor")
        return self
