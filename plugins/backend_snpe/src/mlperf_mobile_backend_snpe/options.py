"""The backend's own options: those of QNN, of LiteRT's compiler in ``litert``, and of SNPE in ``native``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlperf_mobile.option_types import UserPath
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
        "O3", description="O1 for fast inference, O2 for fast preparation, O3 as O1 but more aggressive."
    )
    use_conv_hmx: bool = Field(
        True, description="Run short convolutions on the matrix unit: faster, but may be inaccurate for shallow ones."
    )
    use_fold_relu: bool = Field(
        True, description="Fold ReLU into convolutions; exact if the convolution's range lies within the ReLU's."
    )
    num_hvx_thread: int = Field(0, ge=0, le=16, description="HVX threads; 0 means all of the SoC's.")
    graph_io_tensor_mem_type: Literal["raw", "memhandle"] = Field(
        "memhandle", description="Buffer type of the graph's inputs and outputs."
    )


class SnpeOptions(BaseModel):
    """How models are compiled and run, by the option names of ONNX Runtime's QNN execution provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    soc_model: str | None = Field(
        None,
        description="The SoC to compile for: its name, such as SM8650, or its QNN number; by default the device's, "
        f"and {socs.SIMULATED} on the simulator.",
    )
    htp_arch: Literal[68, 69, 73, 75, 79, 81] | None = Field(
        None, description="Version of the Hexagon architecture; must be the SoC's, which is the default."
    )
    htp_performance_mode: PerformanceMode = Field("burst", description="Clock and power profile of the HTP.")
    vtcm_mb: int | None = Field(None, ge=1, le=64, description="VTCM to use, in MB; by default all of the SoC's.")
    enable_htp_fp16_precision: bool = Field(True, description="Compute float32 ONNX models in float16 on the HTP.")
    htp_graph_finalization_optimization_mode: Literal[0, 1, 2, 3] = Field(
        3, description="For ONNX models; 1 prepares fast, 3 takes longest and gives the best graph."
    )
    qnn_context_priority: Literal["low", "normal", "normal_high", "high"] = Field(
        "normal", description="Priority among the contexts on the accelerator."
    )
    rpc_control_latency: int = Field(
        100,
        ge=0,
        le=100_000,
        description="Requested latency of remote calls to the DSP, in microseconds; 0: no request.",
    )
    profiling_level: Literal["off", "basic", "detailed", "optrace"] = Field(
        "off", description="Detail of QNN's profile in the result; detailed and optrace slow inference down."
    )
    profiling_folder: UserPath | None = Field(
        None, description="Folder for the profile; by default it is deleted after the run."
    )
    offload_graph_io_quantization: bool | None = Field(
        None, description="Quantise inputs and outputs of ONNX models on the CPU; by default QNN decides."
    )
    enable_htp_shared_memory_allocator: bool = Field(
        False, description="Put inputs and outputs into memory that CPU and DSP share (needs libcdsprpc.so)."
    )
    enable_htp_spill_fill_buffer: bool = Field(False, description="Share one spill-fill buffer between contexts.")
    extended_udma: bool = Field(False, description="Extended user DMA; needs v81 or later.")
    device_id: int = Field(0, ge=0, le=15, description="Index of the device, if there are several.")
    qnn_libraries: UserPath | None = Field(
        None,
        description="A folder with QNN's libraries, from a QAIRT SDK; by default those of onnxruntime-qnn.",
    )
    partial: bool = Field(False, description="Run unsupported operations of an ONNX model on the CPU.")
    shards: int = Field(1, ge=1, le=64, description="Parallel sessions for throughput.")
    litert: LiteRtOptions = Field(
        default_factory=LiteRtOptions, description="Options of LiteRT's compiler, for .tflite."
    )
    native: NativeOptions = Field(default_factory=NativeOptions, description="Options of SNPE, for .dlc.")

    @field_validator("soc_model")
    @classmethod
    def _check_soc(cls, value: str | None) -> str | None:
        return None if value is None else socs.find(value).name

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        soc = self.soc
        if soc is None:
            return self
        if self.htp_arch not in (None, soc.htp_arch):
            raise ValueError(f"htp_arch is {self.htp_arch}, but {soc.name} has {soc.htp_arch}")
        if self.vtcm_mb is not None and self.vtcm_mb > soc.vtcm_mb:
            raise ValueError(f"vtcm_mb is {self.vtcm_mb}, but {soc.name} has {soc.vtcm_mb}")
        if self.extended_udma and soc.htp_arch < 81:
            raise ValueError(f"extended_udma needs v81, but {soc.name} has v{soc.htp_arch}")
        return self

    @property
    def soc(self) -> socs.Soc | None:
        """The SoC that ``soc_model`` names."""
        return socs.find(self.soc_model) if self.soc_model else None
