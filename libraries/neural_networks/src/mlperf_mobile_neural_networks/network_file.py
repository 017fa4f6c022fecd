"""Writes a graph to a file from which a program without Python builds the network.

::

    MLPMNNET              magic, 8 bytes
    u32 version           VERSION; numbers are little-endian
    u32 bytes             of the description
    u64 bytes             of the data
    description           JSON: operands, operations, inputs and outputs, and the tensors as the model file has them
    zeros                 until the data begins at a multiple of ALIGNMENT
    data                  constants and the scales of channels, each at a multiple of ALIGNMENT

Equal graphs give equal files, so that a device which has one does not need the other.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_neural_networks.graph import Graph, Operand, Operation

MAGIC = b"MLPMNNET"
VERSION = 1
ALIGNMENT = 64
"""Bytes; programs read constants where they lie in the file."""
HEAD = struct.Struct("<8sIIQ")


def write(path: Path, graph: Graph, feature_level: int) -> None:
    """Write a graph; readers of an earlier file at ``path`` keep what they have opened.

    Args:
        path: Where the file appears once it is complete.
        graph: What the file is to describe.
        feature_level: The feature level that it was lowered for: what a device must have, 1 to 8.

    Raises:
        OSError: It cannot be written.
    """
    data = _Data()
    operands = [_operand(operand, data) for operand in graph.operands]
    content = {
        "feature_level": feature_level,
        "operands": operands,
        "operations": [_operation(operation) for operation in graph.operations],
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "input_tensors": [_tensor(spec) for spec in graph.input_specs],
        "output_tensors": [_tensor(spec) for spec in graph.output_specs],
    }
    description = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(HEAD.pack(MAGIC, VERSION, len(description), data.bytes))
        file.write(description)
        file.write(_padding(file.tell()))
        for array in data.arrays:
            file.write(array.data if array.size else b"")
            file.write(_padding(array.nbytes))
    part.replace(path)


class _Data:
    """The arrays of a file, and how many bytes they take."""

    def __init__(self) -> None:
        self.arrays: list[npt.NDArray[Any]] = []
        self.bytes = 0

    def add(self, array: npt.NDArray[Any]) -> int:
        """The offset of an array in the data."""
        offset = self.bytes
        self.arrays.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")))
        self.bytes += array.nbytes + len(_padding(array.nbytes))
        return offset


def _operand(operand: Operand, data: _Data) -> dict[str, Any]:
    found: dict[str, Any] = {
        "code": int(operand.code),
        "dimensions": list(operand.dimensions),
        "scale": operand.scale,
        "zero_point": operand.zero_point,
        "name": operand.name,
    }
    if operand.channel_scales is not None:
        scales = operand.channel_scales.astype(np.float32)
        found["channels"] = {"dimension": operand.channel_dim, "count": scales.size, "offset": data.add(scales)}
    if operand.value is not None:
        found["value"] = {"offset": data.add(operand.value), "bytes": operand.value.nbytes}
    return found


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "code": int(operation.code),
        "inputs": list(operation.inputs),
        "outputs": list(operation.outputs),
        "name": operation.name,
        "sources": list(operation.sources),
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    size = spec.dtype.itemsize * math.prod(spec.shape)
    found = {"name": spec.name, "dtype": spec.dtype.name, "shape": list(spec.shape), "bytes": size}
    return found | {"scale": spec.scale, "zero_point": spec.zero_point}


def _padding(size: int) -> bytes:
    return bytes(-size % ALIGNMENT)
