"""What a runner without Python needs to run a model as this backend would: the lowered network, in a file."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.contracts import NativeEngine, NativeRequest
from mlperf_mobile.errors import BackendError, OutputError
from mlperf_mobile_backend_nnapi.network import OLDEST_LEVEL
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks import network_file
from mlperf_mobile_neural_networks.codes import NEWEST_LEVEL
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower, unsupported
from mlperf_mobile_tflite_model.fixed import check_fixed
from mlperf_mobile_tflite_model.reader import TFLiteModel, read

ENGINE = "nnapi"
_LACKS = {
    "partial": "the native runner has no kernels for the CPU",
    "driver_cache": "the native runner compiles in each run, and keeps nothing on the device",
}
"""Options that the engine does not have."""


def check(options: NNAPIOptions) -> None:
    """Refuse what the engine does not do.

    Raises:
        BackendError: ``native-option``.
    """
    for name, why in _LACKS.items():
        if getattr(options, name):
            hint = f"leave out {name}, or use --runner python"
            raise BackendError("native-option", f"backend nnapi, option {name}: {why}", hint)


def engine(options: NNAPIOptions, request: NativeRequest, level: int | None) -> NativeEngine:
    """The engine for a model.

    Args:
        options: The backend's options, which were checked.
        request: The request.
        level: The feature level that the model is lowered for; None for the lowest that has all its operations.

    Raises:
        ModelError: The model is missing or damaged, has open inputs, or has operations that NNAPI lacks.
        BackendError: ``native-library``.
        OutputError: The network cannot be written.
    """
    library = _library(options.library)
    model = read(request.model)
    check_fixed(model, request.input_shapes, "backend nnapi")
    level = level or _lowest(model)
    graph = lower(model, level)
    return NativeEngine(
        engine=ENGINE,
        library=library,
        model=_written(request.directory / f"{request.model.stem}.nnapi", graph, level),
        options={
            "accelerator": request.accelerator,
            "device": options.device or "",
            "disallow_cpu": options.disallow_cpu,
            "allow_fp16": options.allow_fp16,
            "preference": options.preference,
            "priority": options.priority or "",
            "burst": options.burst,
            "timing": options.timing,
            "run_timeout_s": options.run_timeout_s or 0.0,
        },
        sessions=options.shards,
        inputs=graph.input_specs,
        outputs=graph.output_specs,
    )


def _lowest(model: TFLiteModel) -> int:
    """The lowest feature level that has all operations of a model, or else the newest, which refuses it."""
    levels = range(OLDEST_LEVEL, NEWEST_LEVEL)
    return next((level for level in levels if not unsupported(model, level)), NEWEST_LEVEL)


def _library(named: str) -> Path | str:
    """The library that the option names: a file of this machine, or a name for the device's loader."""
    if "/" in named and not Path(named).is_file():
        raise BackendError("native-library", f"there is no library {named}", "check the option library")
    return Path(named) if "/" in named else named


def _written(path: Path, graph: Graph, level: int) -> Path:
    try:
        network_file.write(path, graph, level)
    except OSError as error:
        raise OutputError("output-unwritable", f"cannot write {path}: {error.strerror}", "check its folder") from error
    return path
