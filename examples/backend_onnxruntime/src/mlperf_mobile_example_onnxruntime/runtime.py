"""Opens models with ONNX Runtime, and reads from its profile where each operation ran."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_example_onnxruntime.options import Options

_LEVELS = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_DTYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}  # fmt: skip
_FATAL = 4
"""The severity of log messages from which ONNX Runtime prints them; errors are raised as well."""


def open_model(path: Path, options: Options, profile: Path | None = None) -> Any:
    """An ``InferenceSession`` of a model on the CPU.

    Args:
        path: The model.
        options: The backend's options.
        profile: The beginning of the file names for a profile; None for no profile.

    Raises:
        ModelError: ``model-missing`` or ``model-damaged``; the summary names the file.
    """
    if not path.is_file():
        raise ModelError("model-missing", f"{path} is not a file", "check --model")
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.intra_op_threads
    settings.graph_optimization_level = _LEVELS[options.optimization]
    settings.log_severity_level = _FATAL
    if profile:
        settings.enable_profiling, settings.profile_file_prefix = True, str(profile)
    try:
        session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  its errors have no common type
        reason = str(error).partition("\n")[0]
        raise ModelError("model-damaged", f"{path} cannot be loaded: {reason}", "check the model") from None
    if not session.get_inputs() or not session.get_outputs():
        raise ModelError("model-damaged", f"{path} has no inputs or no outputs", "check the model")
    return session


def specs(arguments: Iterable[Any]) -> tuple[TensorSpec, ...]:
    """Inputs of a session as the file describes them; a named or unknown size is open, except the first, the batch.

    Raises:
        ModelError: ``model-tensor``: a type that this backend does not support.
    """
    found = []
    for each in arguments:
        if each.type not in _DTYPES:
            raise ModelError("model-tensor", f"tensor {each.name} is a {each.type}", f"use one of {', '.join(_DTYPES)}")
        open_axes = tuple(axis for axis, size in enumerate(each.shape) if not isinstance(size, int))
        shape = tuple(size if isinstance(size, int) else 1 for size in each.shape)
        found.append(TensorSpec(each.name, shape, np.dtype(_DTYPES[each.type]), open_axes=open_axes))
    return tuple(found)


def try_out(path: Path, options: Options, inputs: tuple[TensorSpec, ...]) -> tuple[Tensors, Placement]:
    """The outputs for zeros, whose shapes the file may leave open, and where each operation ran, from a profile."""
    with tempfile.TemporaryDirectory() as folder:
        session = open_model(path, options, Path(folder, "profile"))
        try:
            outputs = session.run(None, {spec.name: np.zeros(spec.shape, spec.dtype) for spec in inputs})
        except Exception as error:  # noqa: BLE001  its errors have no common type
            reason = str(error).partition("\n")[0]
            raise ModelError("model-damaged", f"{path} cannot be run: {reason}", "check the model") from None
        events = json.loads(Path(session.end_profiling()).read_bytes())
    return tuple(outputs), placement(events)


def placement(events: Iterable[Mapping[str, Any]]) -> Placement:
    """Where the operations ran, from the events of a profile of one inference."""
    ran = [each["args"] for each in events if each.get("cat") == "Node" and "provider" in each.get("args", {})]
    accelerators = Counter("cpu" if each["provider"] == "CPUExecutionProvider" else each["provider"] for each in ran)
    return Placement(dict(accelerators), names={"cpu": dict(Counter(each["op_name"] for each in ran))})
