"""Options of ONNX Runtime's sessions and of its QNN provider, without a silent fallback to the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn.runtime import SIMULATOR, Runtime
from mlperf_mobile_backend_snpe.socs import Soc

ERRORS_ONLY = 3
"""ONNX Runtime's log severity: the provider's warnings are about features of other systems."""


def provider_options(
    options: SnpeOptions, runtime: Runtime, accelerator: str, soc: Soc | None, profile: Path | None = None
) -> dict[str, str]:
    """Options of the QNN provider, which ignores those that it does not know (qnn_execution_provider.cc, 2.7.0).

    None for the CPU if QNN has no library for it; ONNX Runtime's own kernels then run the model.
    """
    if accelerator == "cpu" and not runtime.has_qnn_cpu:
        return {}
    values: dict[str, str | int | bool] = {
        "backend_path": str(runtime.library(accelerator)),
        "device_id": options.device_id,
        "qnn_context_priority": options.qnn_context_priority,
        "profiling_level": options.profiling_level if profile else "off",
    }
    if profile:
        values["profiling_file_path"] = str(profile)
    if options.offload_graph_io_quantization is not None:
        values["offload_graph_io_quantization"] = options.offload_graph_io_quantization
    if accelerator in {"htp", SIMULATOR}:
        values |= {
            "htp_performance_mode": options.htp_performance_mode,
            "htp_graph_finalization_optimization_mode": options.htp_graph_finalization_optimization_mode,
            "rpc_control_latency": options.rpc_control_latency,
            "enable_htp_shared_memory_allocator": options.enable_htp_shared_memory_allocator,
            "enable_htp_spill_fill_buffer": options.enable_htp_spill_fill_buffer,
            "extended_udma": options.extended_udma,
        }
        if options.vtcm_mb:
            values["vtcm_mb"] = options.vtcm_mb
        if soc:
            values |= {
                "soc_model": soc.number,
                "htp_arch": soc.htp_arch,
                "enable_htp_fp16_precision": options.enable_htp_fp16_precision,
            }
    return {key: str(int(value) if isinstance(value, bool) else value) for key, value in values.items()}


def session_options(
    runtime: Runtime,
    accelerator: str,
    options: dict[str, str],
    *,
    strict: bool,
    context: Path | None = None,
    fixed: Mapping[str, int] | None = None,
) -> Any:
    """ONNX Runtime's session options.

    Args:
        runtime: The registered runtime.
        accelerator: The accelerator whose devices are added.
        options: The provider's options; None leaves the provider out.
        strict: Raise if an operation would run on the CPU.
        context: The file to write the compiled model to.
        fixed: Sizes of the dimensions that the model leaves open.
    """
    ort_options = runtime.ort.SessionOptions()
    ort_options.log_severity_level = ERRORS_ONLY
    ort_options.intra_op_num_threads = 1  # the accelerator works, and waiting threads of ONNX Runtime would spin
    entries = {
        "session.disable_cpu_ep_fallback": str(int(strict and bool(options))),
        "session.record_ep_graph_assignment_info": "1",
    }
    if context:
        entries |= {
            "ep.context_enable": "1",
            "ep.context_file_path": str(context),
            "ep.context_embed_mode": "0",
        }
    for key, value in entries.items():
        ort_options.add_session_config_entry(key, value)
    for name, size in (fixed or {}).items():
        ort_options.add_free_dimension_override_by_name(name, size)
    if options:
        ort_options.add_provider_for_devices(runtime.devices(accelerator), options)
    return ort_options


def assignment(session: Any, provider: str) -> tuple[dict[str, int], dict[str, int]]:
    """A session's operations by name: those on the provider, and those elsewhere."""
    ours: dict[str, int] = {}
    others: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counts = ours if part.ep_name == provider else others
        for node in part.get_nodes():
            counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return ours, others
