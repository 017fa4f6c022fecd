"""A model in the terms of the Neural Networks API: operands, and operations that connect them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """A tensor or a scalar; all dimensions are known and above 0."""

    code: OperandCode
    dimensions: tuple[int, ...] = ()
    """Of a tensor, at least one; a scalar has none."""
    scale: float = 0.0
    zero_point: int = 0
    channel_scales: npt.NDArray[np.float32] | None = None
    """Of ``TENSOR_QUANT8_SYMM_PER_CHANNEL``: one for each index of ``channel_dim``."""
    channel_dim: int = 0
    value: Array | None = None
    """Of a constant: contiguous and little-endian, of ``dimensions``, which are ``()`` for a scalar."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """Inputs and outputs are indices of operands, in the order of the API's documentation."""

    code: OperationCode
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str
    """TensorFlow Lite's name of the operator that it comes from."""
    sources: tuple[int, ...]
    """Indices of the operators in the .tflite file that it comes from."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Operations in an order in which they can run."""

    operands: list[Operand]
    operations: list[Operation]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_specs: tuple[TensorSpec, ...]
    """What the model file says of the inputs: an operand's dimensions may be others, of as many elements."""
    output_specs: tuple[TensorSpec, ...]
