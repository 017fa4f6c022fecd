"""Collects the operands and operations of a graph: one operand a tensor, and one for constants that are equal."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlperf_mobile_neural_networks.codes import OperandCode
from mlperf_mobile_neural_networks.graph import Array, Operand, Operation
from mlperf_mobile_neural_networks.lower.types import OTHER_RESULTS, TENSOR_TYPES
from mlperf_mobile_tflite_model.reader import Tensor, TFLiteModel

MAX_BYTES = 2**31 - 1
"""Of one tensor; a .tflite file cannot hold more."""

MAX_MADE_BYTES = 2**26
"""Of a constant that is not in the file; what a model means to be computed is not computed here."""

GROWTH = 12
"""Bytes of constants for each byte of the file: 8-bit weights become four times as large, and count twice."""

MAX_RANK = 4
"""Of a tensor that an operation takes (documentation of the operations); one of more dimensions is kept flat."""

_CODES = {
    "float32": OperandCode.TENSOR_FLOAT32,
    "int32": OperandCode.TENSOR_INT32,
    "uint8": OperandCode.TENSOR_QUANT8_ASYMM,
    "int8": OperandCode.TENSOR_QUANT8_ASYMM_SIGNED,
    "bool": OperandCode.TENSOR_BOOL8,
}
QUANTIZED = {OperandCode.TENSOR_QUANT8_ASYMM: np.dtype("u1"), OperandCode.TENSOR_QUANT8_ASYMM_SIGNED: np.dtype("i1")}


class Refused(Exception):
    """Why an operator cannot be lowered."""


class Builder:
    """The graph so far.

    Args:
        model: Where the tensors are from.
        feature_level: The feature level of the API that is to run the graph, 1 to 8.
    """

    def __init__(self, model: TFLiteModel, feature_level: int) -> None:
        self.level = feature_level
        self.tensors = list(model.tensors)
        """As the file has them, with the shapes that it leaves open and a rule finds out."""
        self.operands: list[Operand] = []
        self.operations: list[Operation] = []
        self._written: set[int] = set()
        self._operand_of: dict[int, int] = {}
        self._shared: dict[tuple[object, ...], int] = {}
        self._values: dict[int, Array] = {}
        self._floats: dict[int, int] = {}
        self._left = GROWTH * model.size + 4 * MAX_MADE_BYTES
        self._inputs, self._outputs, self._reads = set(model.inputs), set(model.outputs), Counter(model.outputs)
        self._reads.update(tensor for operator in model.operators for tensor in operator.inputs)
        self.ready = set(model.inputs)
        """Tensors that are known when the next operator runs."""

    def value(self, index: int) -> Array | None:
        """The value of a tensor that is a constant, or was computed from constants."""
        if index in self._values:
            return self._values[index]
        tensor = self.tensors[index]
        if tensor.data is None and index not in self.ready and tensor.dtype is not None and 0 in tensor.shape:
            return np.empty(tensor.shape, tensor.dtype)
        return tensor.data

    def fold(self, index: int, value: Array) -> None:
        """Say what a tensor's value is."""
        self._spend(value.nbytes)
        self._values[index] = value

    def operand(self, index: int) -> int:
        """The operand of a tensor."""
        if index not in self._operand_of:
            value = self.value(index)
            if value is None and index not in self.ready:
                raise Refused(f"it reads tensor {index}, which has no value")
            self._operand_of[index] = self._add(index, value)
        return self._operand_of[index]

    def result(self, index: int) -> int:
        """The operand of a tensor that the current operator writes."""
        if index not in self._operand_of:
            self._operand_of[index] = self._add(index, None)
        return self._operand_of[index]

    def enters_as(self, index: int, other: int) -> bool:
        """Give an input of the model the operand of another tensor, if nothing but the current operator reads it."""
        if index not in self._inputs or self._reads[index] > 1 or other in self._outputs:
            return False
        self._operand_of[index] = self.result(other)
        return True

    def is_known(self, index: int) -> bool:
        """Whether a tensor has a value, is an input, or was written by an operator."""
        return index in self.ready or index in self._values or self.tensors[index].data is not None

    def is_computed(self, index: int) -> bool:
        """Whether a tensor is written by an operation."""
        return self._operand_of.get(index) in self._written

    def _add(self, index: int, value: Array | None) -> int:
        tensor = self.tensors[index]
        dimensions = flat(tensor.shape)
        if value is not None and value.dtype.kind == "i" and value.dtype.itemsize != 1:
            value = narrowed(value)
        code = operand_code(value.dtype if value is not None else tensor.dtype)
        name = tensor.name[:100]
        if code not in QUANTIZED:
            return self.tensor(code, dimensions, value=value, name=name)
        if len(tensor.scales) > 1:
            return self.per_channel(tensor, value)
        scale, zero_point = quantization(tensor)
        return self.tensor(code, dimensions, scale, zero_point, value, name)

    def per_channel(self, tensor: Tensor, value: Array | None) -> int:
        """The operand of a constant of int8 that has a scale for each channel; ``value`` may have more dimensions."""
        if value is None or value.dtype != np.int8 or any(tensor.zero_points) or value.ndim > MAX_RANK:
            raise Refused(f"tensor {tensor.index} has a scale for each channel but is not an int8 constant")
        scales, code = np.array(tensor.scales, np.float32), OperandCode.TENSOR_QUANT8_SYMM_PER_CHANNEL
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise Refused(f"tensor {tensor.index} has scales that are not above 0")
        self.need(code.feature_level, code.name)
        dimension, name = tensor.quantized_dimension, tensor.name[:100]
        return self._constant(Operand(code, value.shape, 0.0, 0, scales, dimension, value, name))

    def real_constant(self, index: int) -> int:
        """A tensor that has a value, as float32."""
        if index not in self._floats:
            tensor, code = self.tensors[index], OperandCode.TENSOR_FLOAT32
            dimensions, name = flat(tensor.shape), tensor.name[:100]
            self._floats[index] = self.tensor(code, dimensions, value=self.real_value(index), name=name)
        return self._floats[index]

    def real_value(self, index: int) -> Array:
        """The value of a tensor that has one, as float32."""
        value = self.value(index)
        assert value is not None
        self._spend(4 * value.size)
        return dequantized(self.tensors[index], value)

    def tensor(
        self,
        code: OperandCode,
        dimensions: Sequence[int],
        scale: float = 0.0,
        zero_point: int = 0,
        value: Array | None = None,
        name: str = "",
    ) -> int:
        """An operand for a tensor: a constant if it has a value, else one that an operation or the caller writes."""
        dimensions = tuple(dimensions) or (1,)
        if 0 in dimensions:
            raise Refused(f"a tensor of shape {list(dimensions)} has no elements")
        if math.prod(dimensions) * 4 > MAX_BYTES:
            raise Refused(f"a tensor of shape {list(dimensions)} is too large")
        if code.feature_level > self.level:
            raise Refused(f"{code.name} needs feature level {code.feature_level}, and there is {self.level}")
        operand = Operand(code, dimensions, scale, zero_point, None, 0, value, name)
        if value is not None:
            return self._constant(operand)
        self.operands.append(operand)
        return len(self.operands) - 1

    def scalar(self, code: OperandCode, value: Any) -> int:
        """An operand for a scalar."""
        dtype = {OperandCode.FLOAT32: "<f4", OperandCode.INT32: "<i4", OperandCode.BOOL: "?"}[code]
        return self._constant(Operand(code, value=np.array(value, dtype)))

    def _constant(self, operand: Operand) -> int:
        """The operand, or one that has been added and is equal."""
        assert operand.value is not None
        self._spend(operand.value.nbytes)
        value = np.require(operand.value, requirements=["C", "A"]).reshape(operand.dimensions)
        scales = operand.channel_scales
        key = (
            operand.code, operand.dimensions, operand.scale, operand.zero_point, operand.channel_dim,
            None if scales is None else scales.tobytes(), hashlib.sha256(value.data).digest(),
        )  # fmt: skip
        if key not in self._shared:
            self._shared[key] = len(self.operands)
            self.operands.append(replace(operand, value=value))
        return self._shared[key]

    def _spend(self, size: int) -> None:
        """A file may name one constant a million times: what is kept and compared of constants is bounded."""
        self._left -= size
        if self._left < 0:
            raise Refused("the model's constants are larger than its file lets expect")

    def emit(self, operation: Operation, main: int) -> None:
        """Add an operation, whose input number ``main`` has the type that the API's documentation lists."""
        code = operation.code
        self.need(code.feature_level, code.name)
        kind = self.operands[operation.inputs[main]].code
        level = TENSOR_TYPES[code].get(kind)
        if level is None:
            raise Refused(f"{code.name} does not take {kind.name}")
        self.need(level, f"{code.name} of {kind.name}")
        result = self.operands[operation.outputs[0]].code
        if result != kind and code not in OTHER_RESULTS:
            raise Refused(f"{code.name} of {kind.name} does not give {result.name}")
        self.operations.append(operation)
        self._written.update(operation.outputs)

    def need(self, level: int, what: str) -> None:
        """Refuse ``what`` below a feature level."""
        if level > self.level:
            raise Refused(f"{what} needs feature level {level}, and there is {self.level}")


def operand_code(dtype: np.dtype[Any] | None) -> OperandCode:
    """The operand type of a tensor's type."""
    code = None if dtype is None else _CODES.get(dtype.name)
    if code is None:
        raise Refused(f"the API has no tensors of type {'string or the like' if dtype is None else dtype.name}")
    return code


def flat(shape: Sequence[int]) -> tuple[int, ...]:
    """The dimensions of a tensor's operand: at least one, and of a tensor that has too many all elements in one."""
    return tuple(shape) if len(shape) <= MAX_RANK else (math.prod(shape),)


def quantization(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of an 8-bit tensor; numbers that stand for themselves have 1 and 0."""
    if not tensor.scales:
        return 1.0, 0
    scale, zero_point = float(np.float32(tensor.scales[0])), tensor.zero_points[0]
    assert tensor.dtype is not None
    limits = np.iinfo(tensor.dtype)
    if not (math.isfinite(scale) and scale > 0 and limits.min <= zero_point <= limits.max):
        raise Refused(f"tensor {tensor.index} has the scale {scale:g} and the zero point {zero_point}")
    return scale, zero_point


def narrowed(value: Array) -> Array:
    """Integers as int32.

    Raises:
        Refused: They do not fit.
    """
    limits = np.iinfo(np.int32)
    if value.size and not limits.min <= int(value.min()) <= int(value.max()) <= limits.max:
        raise Refused("a constant of 64-bit integers does not fit into 32 bits")
    return value.astype(np.int32)


def dequantized(tensor: Tensor, value: Array) -> Array:
    """A constant as float32: ``scale * (stored - zero_point)``, or the number itself where it is not quantised."""
    real = value.astype(np.float32)
    if value.dtype.kind not in "iu" or not tensor.scales:
        return real
    axis = [1] * value.ndim
    if len(tensor.scales) > 1:
        axis[tensor.quantized_dimension] = len(tensor.scales)
    with np.errstate(all="ignore"):
        real -= np.array(tensor.zero_points, np.float32).reshape(axis)
        real *= np.array(tensor.scales, np.float32).reshape(axis)
    if not np.isfinite(real).all():
        raise Refused(f"tensor {tensor.index} has scales that are not numbers")
    return real
