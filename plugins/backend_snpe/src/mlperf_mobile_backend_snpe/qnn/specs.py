"""The inputs and outputs of an ONNX Runtime session, as the contract describes tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.qnn import onnx_file

_TYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(int8)": "int8",
    "tensor(uint8)": "uint8", "tensor(int16)": "int16", "tensor(uint16)": "uint16", "tensor(int32)": "int32",
    "tensor(uint32)": "uint32", "tensor(int64)": "int64", "tensor(uint64)": "uint64", "tensor(bool)": "bool",
}  # fmt: skip


def specs_of(ends: Any, path: Path, quantized: dict[str, tuple[float, int]]) -> tuple[TensorSpec, ...]:
    """The specs of a session's inputs or outputs.

    Raises:
        ModelError: ``model-tensor`` or ``model-shape``.
    """
    found = []
    for end in ends:
        kind = _TYPES.get(end.type)
        if kind is None:
            raise ModelError("model-tensor", f"tensor {end.name} of {path} is not numeric: {end.type}", "use another")
        if not all(isinstance(size, int) and size >= 0 for size in end.shape):
            summary = f"tensor {end.name} of {path} has the shape {end.shape}, which is not fixed"
            raise ModelError("model-shape", summary, "export the model with fixed shapes")
        scale, zero = quantized.get(end.name, (0.0, 0)) if kind.startswith(("int", "uint")) else (0.0, 0)
        found.append(TensorSpec(end.name, tuple(end.shape), np.dtype(kind), scale, zero))
    return tuple(found)


def check_batch(path: Path, batch: int, specs: tuple[TensorSpec, ...]) -> None:
    """Require that every tensor has one slot per sample.

    Raises:
        ModelError: ``model-batch``.
    """
    for spec in specs if batch > 1 else ():
        if spec.shape[:1] != (batch,):
            raise onnx_file.no_batch(path, batch, f"tensor {spec.name} becomes {spec}")
