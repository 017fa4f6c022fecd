"""The backend's own options."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.option_types import NameOrPath

_TENSOR = re.compile(
    r"(?:(?P<name>[^\s=]+)=)?(?P<dtype>\w+)\[(?P<shape>[\d,]+)\](?:\s+(?P<scale>\S+)\s+(?P<zero>\S+))?"
)

DTYPES = ("float32", "float16", "int32", "int16", "int8", "uint8", "bool")
"""Types of a network's inputs and outputs."""


class NeuronOptions(BaseModel):
    """How networks are compiled and run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: NameOrPath | None = Field(
        None,
        min_length=1,
        description="The Neuron adapter: a path or a file name; by default the one for the SoC.",
    )
    runtime: NameOrPath | None = Field(
        None, min_length=1, description="The Neuron runtime for .dla files: a path or a file name."
    )
    via: Literal["adapter", "runtime", "stable-delegate"] | None = Field(
        None,
        description="Library that runs the model; by default the adapter for .tflite, the runtime "
        "for .dla. The adapter also runs .dla files.",
    )
    stable_delegate: NameOrPath = Field(
        "libneuron_stable_delegate.so", min_length=1, description="The Neuron stable delegate's library."
    )
    compiler: Literal["adapter", "ncc-tflite"] = Field(
        "adapter", description="Compiler of .tflite files: the adapter, or the SDK's ncc-tflite, which writes .dla."
    )
    ncc_options: tuple[str, ...] = Field(
        (), description="Further options of ncc-tflite: --opt-bw, --l1-size-kb=2048, --num-mdla=2."
    )
    compile_seconds: int = Field(3600, ge=1, le=86400, description="Time limit of ncc-tflite, in seconds.")
    soc: str | None = Field(
        None,
        pattern=r"^[mM][tT]\d{4}$",
        description="Compile for this SoC, such as mt6989, with the SDK's adapter or ncc-tflite on another machine.",
    )
    arch: str | None = Field(
        None,
        pattern=r"^[a-z]+\d+\.\d+(,[a-z]+\d+\.\d+)*$",
        description="--arch of ncc-tflite, such as mdla3.0; by default the SoC's.",
    )
    devices: tuple[str, ...] = Field(
        (), description="Devices to run on, by the adapter's names; by default all of the accelerator's."
    )
    fallback: bool = Field(
        False, description="Let the adapter run operations elsewhere that the devices do not support."
    )
    preference: Literal["low_power", "fast_single_answer", "sustained_speed", "turbo_boost"] = Field(
        "turbo_boost", description="Trade-off between speed and power on the NPU (NEURON_PREFER_*)."
    )
    priority: Literal["low", "medium", "high"] = Field(
        "high", description="Priority among the executions of one user (NEURON_PRIORITY_*)."
    )
    allow_fp16: bool = Field(True, description="Compute 32-bit floats with 16 bits; the MDLA supports no wider floats.")
    boost: int | None = Field(None, ge=0, le=100, description="Hint for the device's frequency, 0 to 100 (highest).")
    optimize: tuple[Literal["low_latency", "deep_fusion", "batch_processing"], ...] = Field(
        (), description="Hints for the compiler (NEURON_OPTIMIZATION_*)."
    )
    optimization_string: str | None = Field(
        None, min_length=1, max_length=4096, description="Compiler options as text: --opt-bw."
    )
    only_optimization_string: bool = Field(
        False, description="Keep the system from adding compiler options to optimization_string."
    )
    l1_kb: int | None = Field(None, ge=1, le=1 << 20, description="Size of the L1 memory to compile for, in KB.")
    memory: Literal["host", "dma", "ahwb"] = Field(
        "host",
        description="Memory for inputs and outputs: ordinary memory, DMA buffers, or AHardwareBuffers (Android).",
    )
    dma_heap: str = Field(
        "system", pattern=r"^[A-Za-z0-9_.-]+$", description="The heap of /dev/dma_heap that DMA buffers come from."
    )
    abort_ms: int = Field(
        0, ge=0, le=65535, description="Abort a run of the Neuron runtime that takes longer; 0: never."
    )
    shards: int = Field(1, ge=1, le=64, description="Sessions side by side when throughput counts.")
    tensors_from: str | None = Field(
        None, min_length=1, description="A .tflite file whose inputs and outputs are those of the .dla file."
    )
    inputs: tuple[str, ...] = Field(
        (), description="The inputs of a .dla file, in order: 'image=uint8[1,224,224,3] 0.0078 128', last two optional."
    )
    outputs: tuple[str, ...] = Field((), description="The outputs of a .dla file, in the same form as its inputs.")

    @field_validator("inputs", "outputs")
    @classmethod
    def _check_tensors(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for number, text in enumerate(texts):
            tensor(text, number)
        return texts

    @field_validator("ncc_options")
    @classmethod
    def _check_ncc_options(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if not re.fullmatch(r"--?[A-Za-z0-9][^\s\0]*", text):
                raise ValueError(f"{text!r} is not an option of ncc-tflite, written as --name or --name=value")
            if re.match(r"-d|-o|--dla-file|--output|--arch", text):
                raise ValueError(f"{text!r} is set by the backend")
        return texts


def tensor(text: str, number: int) -> TensorSpec:
    """Parse a spec such as ``"image=uint8[1,224,224,3] 0.0078 128"``.

    Raises:
        ValueError: The syntax or a value is wrong.
    """
    found = _TENSOR.fullmatch(text.strip())
    if not found or found["dtype"] not in DTYPES:
        known = ", ".join(DTYPES)
        raise ValueError(f"{text!r} is not written as name=dtype[shape] scale zero_point, with dtype one of {known}")
    shape = tuple(int(size or 0) for size in found["shape"].split(","))
    if not all(0 < size < 1 << 31 for size in shape):
        raise ValueError(f"{text!r} has a dimension that is not above 0")
    scale, zero = float(found["scale"] or 0), int(found["zero"] or 0)
    if not (0 <= scale < float("inf")):
        raise ValueError(f"{text!r} has the scale {scale}")
    return TensorSpec(found["name"] or f"tensor_{number}", shape, np.dtype(found["dtype"]), scale, zero)
