"""The backend's own options: QNN's under its names, LiteRT's compiler's under ``litert``, SNPE's under ``native``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.native.options import NativeOptions

PerformanceMode = Literal[
    "default",
    "burst",
    "balanced",
    "high_performance",
    "sustained_high_performance",
    "high_power_saver",
    "low_balanced",
    "low_power_saver",
    "power_saver",
    "extreme_power_saver",
]


class LiteRtOptions(BaseModel):
    """How LiteRT's compiler turns .tflite models into context binaries (``--qualcomm_*`` of apply_plugin_main)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    optimization_level: Literal["O1", "O2", "O3"] = Field(
        "O3", description="O1: for fast inference; O2: for fast preparation; O3: O1, and more aggressive."
    )
    use_conv_hmx: bool = Field(
        True, description="Short convolutions on the matrix unit: faster, and may be inaccurate for shallow ones."
    )
    use_fold_relu: bool = Field(
        True, description="Fold ReLU into convolutions; right where the convolution's range lies within the ReLU's."
    )
    num_hvx_thread: int = Field(0, ge=0, le=16, description="HVX threads; 0 means all that the SoC has.")
    graph_io_tensor_mem_type: Literal["raw", "memhandle"] = Field(
        "memhandle", description="Buffer type of the graph's inputs and outputs."
    )


class SnpeOptions(BaseModel):
    """How models are compiled and run; names are those of ONNX Runtime's QNN execution provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    soc_model: str | None = Field(
        None,
        description="The SoC to compile for: its name, as SM8650, or its number in QNN; by default this device's, and "
        f"{socs.SIMULATED} on the simulator.",
    )
    htp_arch: Literal[68, 69, 73, 75, 79, 81] | None = Field(
        None, description="Version of the Hexagon architecture; must be the SoC's, and follows from it by default."
    )
    htp_performance_mode: PerformanceMode = Field("burst", description="Clocks and votes for power on the HTP.")
    vtcm_mb: int | None = Field(None, ge=1, le=64, description="VTCM to use, in MB; by default all that the SoC has.")
    enable_htp_fp16_precision: bool = Field(True, description="Compute float32 ONNX models in float16 on the HTP.")
    htp_graph_finalization_optimization_mode: Literal[0, 1, 2, 3] = Field(
        3, description="Of ONNX models; 1 prepares fast, 3 takes longest and gives the best graph."
    )
    qnn_context_priority: Literal["low", "normal", "normal_high", "high"] = Field(
        "normal", description="Priority among the contexts on the accelerator."
    )
    rpc_control_latency: int = Field(
        100, ge=0, le=100_000, description="Latency of remote calls to the DSP to ask for, in microseconds; 0: any."
    )
    profiling_level: Literal["off", "basic", "detailed", "optrace"] = Field(
        "off", description="What QNN's profile tells in the result; from detailed on, inference is slower."
    )
    profiling_folder: str | None = Field(
        None, min_length=1, description="Keep the profile's files here; by default they go when the run ends."
    )
    offload_graph_io_quantization: bool | None = Field(
        None, description="Leave quantising inputs and outputs of ONNX models to the CPU; QNN's choice by default."
    )
    enable_htp_shared_memory_allocator: bool = Field(
        False, description="Buffer type: inputs and outputs in memory that CPU and DSP share (needs libcdsprpc.so)."
    )
    enable_htp_spill_fill_buffer: bool = Field(False, description="Share one spill-fill buffer between contexts.")
    extended_udma: bool = Field(False, description="Extended user DMA, of v81 and newer.")
    device_id: int = Field(0, ge=0, le=15, description="Which of several devices.")
    qnn_libraries: str | None = Field(
        None,
        min_length=1,
        description="A folder with libQnnHtp.so and its kin, of a QAIRT SDK; by default those of onnxruntime-qnn.",
    )
    partial: bool = Field(
        False, description="Run operations of an ONNX model that the accelerator cannot run on the CPU."
    )
    shards: int = Field(1, ge=1, le=64, description="Sessions side by side when throughput counts.")
    litert: LiteRtOptions = Field(default_factory=LiteRtOptions, description="Of LiteRT's compiler, for .tflite.")
    native: NativeOptions = Field(default_factory=NativeOptions, description="Of SNPE, for .dlc.")

    @field_validator("soc_model")
    @classmethod
    def _soc_is_known(cls, value: str | None) -> str | None:
        return None if value is None else socs.find(value).name

    @model_validator(mode="after")
    def _options_fit_together(self) -> Self:
        soc = self.soc
        if soc is None:
            return self
        if self.htp_arch not in (None, soc.htp_arch):
            raise ValueError(f"htp_arch {self.htp_arch} is not that of {soc.name}, which is {soc.htp_arch}")
        if self.vtcm_mb is not None and self.vtcm_mb > soc.vtcm_mb:
            raise ValueError(f"vtcm_mb {self.vtcm_mb} is more than {soc.name} has, which is {soc.vtcm_mb}")
        if self.extended_udma and soc.htp_arch < 81:
            raise ValueError(f"extended_udma needs v81, and {soc.name} has v{soc.htp_arch}")
        return self

    @property
    def soc(self) -> socs.Soc | None:
        """The SoC that ``soc_model`` names."""
        return socs.find(self.soc_model) if self.soc_model else None
