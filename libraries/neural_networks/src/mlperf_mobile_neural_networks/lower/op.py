"""One operator while it is lowered: what a rule reads from it, and adds to the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlperf_mobile_neural_networks.codes import FuseCode, OperandCode, OperationCode, PaddingCode
from mlperf_mobile_neural_networks.graph import Array, Operand, Operation
from mlperf_mobile_neural_networks.lower.builder import (
    MAX_MADE_BYTES,
    QUANTIZED,
    Builder,
    Refused,
    flat,
    narrowed,
)
from mlperf_mobile_tflite_model.reader import Operator, Tensor

FLOAT = OperandCode.TENSOR_FLOAT32
_SAME, _VALID = 0, 1  # Padding of schema.fbs


class Op:
    """An operator of the model and the graph that it is added to; ``k`` counts its inputs or outputs."""

    def __init__(self, builder: Builder, operator: Operator) -> None:
        self.builder, self.operator = builder, operator
        self.name = operator.name
        self.inputs = len(operator.inputs)
        self.outputs = len(operator.outputs)

    # ------------------------------------------------------------------------------------ what the file says

    def has(self, k: int) -> bool:
        """Whether there is an input ``k``."""
        return k < self.inputs and self.operator.inputs[k] >= 0

    def tensor(self, k: int) -> Tensor:
        """Input ``k``."""
        if not self.has(k):
            raise Refused(f"its input {k} is missing")
        return self.builder.tensors[self.operator.inputs[k]]

    def result(self, k: int = 0) -> Tensor:
        """Output ``k``."""
        if k >= self.outputs:
            raise Refused(f"its output {k} is missing")
        return self.builder.tensors[self.operator.outputs[k]]

    def shape(self, k: int = 0) -> tuple[int, ...]:
        """The shape of input ``k``."""
        return self.tensor(k).shape

    def value(self, k: int) -> Array:
        """The value of input ``k``, which must be a constant."""
        value = self.builder.value(self.tensor(k).index)
        if value is None:
            raise Refused(f"its input {k} is not a constant")
        return value

    def is_constant(self, k: int) -> bool:
        """Whether input ``k`` has a value."""
        return self.builder.value(self.tensor(k).index) is not None

    def integers(self, k: int) -> tuple[int, ...]:
        """The value of input ``k``, a constant of integers."""
        value = self.value(k)
        if value.dtype.kind != "i" or value.size > 1024:
            raise Refused(f"its input {k} is not a short list of integers")
        return tuple(narrowed(value).ravel().tolist())

    def integer(self, k: int) -> int:
        """The value of input ``k``, a constant integer."""
        values = self.integers(k)
        if len(values) != 1:
            raise Refused(f"its input {k} has {len(values)} values and not one")
        return values[0]

    def option(self, name: str, low: int = -(2**31), high: int = 2**31 - 1) -> int:
        """An option that is an integer."""
        value = self.operator.options.get(name, 0)
        if not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"its option {name} is {value}")
        return int(value)

    def real(self, name: str) -> float:
        """An option that is a number."""
        value = self.operator.options.get(name, 0.0)
        if isinstance(value, tuple) or not math.isfinite(value):
            raise Refused(f"its option {name} is {value}")
        return float(value)

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise Refused(f"axis {axis} of a tensor of {rank} dimensions")
        return axis % rank

    def rank4(self, k: int = 0) -> tuple[int, ...]:
        """The shape of input ``k``, which must be [batch, height, width, channels]."""
        if len(self.shape(k)) != 4:
            raise Refused(f"its input {k} has {len(self.shape(k))} dimensions and not 4")
        return self.shape(k)

    def padding(self) -> PaddingCode:
        """The option ``padding``."""
        return PaddingCode.VALID if self.option("padding", _SAME, _VALID) else PaddingCode.SAME

    def fused(self) -> FuseCode:
        """The option ``fused_activation_function``."""
        return FuseCode(self.option("fused_activation_function", 0, max(FuseCode)))

    # ------------------------------------------------------------------------------------------ its operands

    def input(self, k: int = 0) -> int:
        """The operand of input ``k``."""
        return self.builder.operand(self.tensor(k).index)

    def output(self, k: int = 0, dimensions: Sequence[int] | None = None) -> int:
        """The operand of output ``k``, which must have the shape ``dimensions`` unless the file leaves it open."""
        tensor = self.result(k)
        if dimensions is not None and not tensor.shape:
            tensor = self.builder.tensors[tensor.index] = replace(tensor, shape=tuple(dimensions))
        if dimensions is not None and tuple(dimensions) != tensor.shape:
            raise Refused(f"its output {k} is to have the shape {list(tensor.shape)}, and has {list(dimensions)}")
        operand = self.builder.result(tensor.index)
        if self.at(operand).dimensions != (flat(tensor.shape) or (1,)):
            raise Refused(f"its output {k} has no shape in the file")
        return operand

    def output_as(self, dimensions: Sequence[int], k: int = 0) -> int:
        """An operand for output ``k`` in other dimensions; :meth:`finish` gives it the file's."""
        tensor, operand = self.result(k), self.at(self.output(k))
        if math.prod(dimensions) != math.prod(tensor.shape):
            raise Refused(f"its output {k} is to have the shape {list(tensor.shape)}, and has {list(dimensions)}")
        if flat(tensor.shape) == tuple(dimensions):
            return self.output(k)
        return self.like(operand, dimensions)

    def finish(self, operand: int, k: int = 0) -> None:
        """Turn what :meth:`output_as` gave into output ``k``."""
        output = self.output(k)
        if operand != output:
            self.emit(OperationCode.RESHAPE, [operand, self.vector(self.at(output).dimensions)], [output])

    def view(self, operand: int, dimensions: Sequence[int]) -> int:
        """The same elements in other dimensions."""
        old = self.at(operand)
        if old.dimensions == tuple(dimensions):
            return operand
        if math.prod(old.dimensions) != math.prod(dimensions):
            raise Refused(f"a tensor of shape {list(old.dimensions)} cannot become {list(dimensions)}")
        if old.value is not None and old.channel_scales is None:
            return self.builder.tensor(old.code, dimensions, old.scale, old.zero_point, old.value, old.name)
        new = self.like(old, dimensions)
        self.emit(OperationCode.RESHAPE, [operand, self.vector(dimensions)], [new])
        return new

    def like(self, operand: Operand, dimensions: Sequence[int]) -> int:
        """A new operand of another one's type."""
        return self.builder.tensor(operand.code, dimensions, operand.scale, operand.zero_point)

    def at(self, operand: int) -> Operand:
        """An operand by its index."""
        return self.builder.operands[operand]

    def temporary(self, dimensions: Sequence[int]) -> int:
        """A new operand of float32."""
        return self.builder.tensor(FLOAT, dimensions)

    def float_constant(self, k: int) -> int:
        """Input ``k`` as float32, which must be a constant; stored numbers are multiplied by their scales."""
        self.value(k)
        return self.builder.real_constant(self.tensor(k).index)

    def weights(self, k: int) -> int:
        """Input ``k``, in float32 if it is quantised and the main input is float32, as dynamic-range models have it."""
        if self.tensor(0).dtype == np.float32 and self.tensor(k).dtype != np.float32:
            return self.float_constant(k)
        return self.input(k)

    # --------------------------------------------------------------------------------------- new constants

    def int32(self, value: int) -> int:
        """A scalar."""
        return self.builder.scalar(OperandCode.INT32, value)

    def float32(self, value: float) -> int:
        """A scalar."""
        return self.builder.scalar(OperandCode.FLOAT32, value)

    def bool8(self, value: bool | int) -> int:
        """A scalar."""
        return self.builder.scalar(OperandCode.BOOL, bool(value))

    def vector(self, values: Sequence[int]) -> int:
        """A 1-D tensor of int32."""
        return self.made(OperandCode.TENSOR_INT32, np.array(values, np.int32))

    def real_vector(self, value: float) -> int:
        """A tensor of float32 that has one element."""
        return self.made(FLOAT, np.array([value], np.float32))

    def made(self, code: OperandCode, value: Array, scale: float = 0.0, zero_point: int = 0) -> int:
        """A constant that is not in the file."""
        if value.nbytes > MAX_MADE_BYTES:
            raise Refused(f"it needs a constant of {value.nbytes} bytes")
        return self.builder.tensor(code, value.shape, scale, zero_point, value)

    # ----------------------------------------------------------------------------------------- operations

    def emit(self, code: OperationCode, inputs: Sequence[int], outputs: Sequence[int], main: int = 0) -> None:
        """Add an operation; the type of its input ``main`` must be one that it takes."""
        operation = Operation(code, tuple(inputs), tuple(outputs), self.name[:100], (self.operator.index,))
        self.builder.emit(operation, main)

    def computed(self, code: OperationCode, *inputs: int, dimensions: Sequence[int] | None = None) -> int:
        """The float32 result of an operation; its shape is that of the first input unless it is given."""
        result = self.temporary(dimensions or self.at(inputs[0]).dimensions)
        self.emit(code, inputs, [result])
        return result

    def real_input(self, k: int) -> int:
        """Input ``k`` as float32: dequantised if it is quantised."""
        if self.tensor(k).dtype == np.float32:
            return self.input(k)
        if self.is_constant(k):
            return self.float_constant(k)
        if self.at(self.input(k)).code not in QUANTIZED:
            raise Refused(f"its input {k} is {self.at(self.input(k)).code.name}")
        return self.computed(OperationCode.DEQUANTIZE, self.input(k))

    def real_output(self) -> int:
        """An operand of float32 for the output; :meth:`finish_real` quantises it if need be."""
        output = self.at(self.output())
        return self.temporary(output.dimensions) if output.code in QUANTIZED else self.output()

    def finish_real(self, operand: int) -> None:
        """Turn what :meth:`real_output` gave into the output."""
        if operand != self.output():
            self.builder.need(self.at(self.output()).code.feature_level, "QUANTIZE")
            self.emit(OperationCode.QUANTIZE, [operand], [self.output()])

    def is_quantized(self) -> bool:
        """Whether the main input is quantised."""
        return self.at(self.input()).code in QUANTIZED

    def same_quantization(self, one: int, other: int) -> bool:
        """Whether two operands have the same type, scale and zero point."""
        a, b = self.at(one), self.at(other)
        return (a.code, a.scale, a.zero_point) == (b.code, b.scale, b.zero_point)

    def require_same_quantization(self, one: int, other: int) -> None:
        """Refuse an input and an output that are quantised differently."""
        if not self.same_quantization(one, other):
            raise Refused("input and output have other types, scales or zero points")
