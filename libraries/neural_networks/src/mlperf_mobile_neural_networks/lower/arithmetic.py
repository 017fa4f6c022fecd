"""Element by element: arithmetic, activations, comparisons.

What the API computes in float32 only is computed so between DEQUANTIZE and QUANTIZE where the model is quantised.
"""

from __future__ import annotations

import math

import numpy as np

from mlperf_mobile_neural_networks.codes import FuseCode, OperandCode, OperationCode
from mlperf_mobile_neural_networks.lower.builder import QUANTIZED, Refused
from mlperf_mobile_neural_networks.lower.dense import broadcast
from mlperf_mobile_neural_networks.lower.op import FLOAT, Op
from mlperf_mobile_neural_networks.lower.rules import rule


@rule("ADD", "SUB", "MUL", "DIV")
def add(op: Op) -> None:
    """Two inputs and an activation."""
    code, fused = OperationCode[op.name], op.fused()
    inputs, output = pair(op), op.output()
    codes = {op.at(operand).code for operand in (*inputs, output)}
    if len(codes) > 1 or (OperandCode.TENSOR_INT32 in codes and fused != FuseCode.NONE):
        raise Refused(f"its inputs are {' and '.join(sorted(c.name for c in codes))}, its activation {fused.name}")
    # MUL must not widen (documentation of ANEURALNETWORKS_MUL), and DIV is not there for quantised tensors.
    scales = [op.at(operand).scale for operand in (*inputs, output)]
    if codes & set(QUANTIZED) and (code == OperationCode.DIV or (code == OperationCode.MUL and not _narrows(scales))):
        result = op.real_output()
        op.emit(code, [*real_pair(op), op.int32(fused)], [result])
        op.finish_real(result)
        return
    op.emit(code, [*inputs, op.int32(fused)], [output])


def _narrows(scales: list[float]) -> bool:
    return scales[2] > scales[0] * scales[1]


@rule("MAXIMUM", "MINIMUM", "PRELU")
def maximum(op: Op) -> None:
    """Two inputs; a quantised output may have another scale."""
    op.emit(OperationCode[op.name], pair(op), [op.output()])


@rule("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR")
def compare(op: Op) -> None:
    """Two inputs, and truth as output."""
    output = op.output()
    if op.at(output).code != OperandCode.TENSOR_BOOL8:
        raise Refused(f"its output is {op.at(output).code.name}")
    op.emit(OperationCode[op.name], pair(op), [output])


@rule("POW", "SQUARED_DIFFERENCE")
def power(op: Op) -> None:
    """In float32; a squared difference is a difference multiplied by itself."""
    inputs, result = real_pair(op), op.real_output()
    if op.name == "POW":
        op.emit(OperationCode.POW, inputs, [result])
    else:
        none = op.int32(FuseCode.NONE)
        difference = op.computed(OperationCode.SUB, *inputs, none, dimensions=op.at(result).dimensions)
        op.emit(OperationCode.MUL, [difference, difference, none], [result])
    op.finish_real(result)


@rule("ABS", "EXP", "FLOOR", "LOG", "NEG", "RSQRT", "SIN", "SQRT", "LOGICAL_NOT")
def unary(op: Op) -> None:
    """One input of the output's shape."""
    _same_shape(op)
    code = OperationCode[op.name]
    if not op.is_quantized():
        op.emit(code, [op.input()], [op.output()])
        return
    result = op.real_output()
    op.emit(code, [op.real_input(0)], [result])
    op.finish_real(result)


@rule("SQUARE", "CEIL", "COS", "GELU", "ELU")
def composed(op: Op) -> None:
    """Functions that other operations make up, or that are there for float32 alone."""
    _same_shape(op)
    x, result = op.real_input(0), op.real_output()
    none = op.int32(FuseCode.NONE)
    if op.name == "SQUARE":
        op.emit(OperationCode.MUL, [x, x, none], [result])
    elif op.name == "CEIL":
        down = op.computed(OperationCode.FLOOR, op.computed(OperationCode.NEG, x))
        op.emit(OperationCode.NEG, [down], [result])
    elif op.name == "COS":
        turned = op.computed(OperationCode.ADD, x, op.real_vector(math.pi / 2), none)
        op.emit(OperationCode.SIN, [turned], [result])
    elif op.name == "ELU":
        op.emit(OperationCode.ELU, [x, op.float32(1.0)], [result])
    elif op.option("approximate", 0, 1):
        _gelu_by_tanh(op, x, result)
    else:
        _gelu(op, x, result)
    op.finish_real(result)


def _gelu_by_tanh(op: Op, x: int, result: int) -> None:
    """``x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))`` (Hendrycks and Gimpel, arXiv 1606.08415)."""
    none = op.int32(FuseCode.NONE)

    def times(a: int, b: int) -> int:
        return op.computed(OperationCode.MUL, a, b, none)

    slope = math.sqrt(2 / math.pi)
    factor = op.computed(
        OperationCode.ADD, times(times(x, x), op.real_vector(0.044715 * slope)), op.real_vector(slope), none
    )
    share = op.computed(OperationCode.ADD, op.computed(OperationCode.TANH, times(x, factor)), op.real_vector(1.0), none)
    op.emit(OperationCode.MUL, [times(x, op.real_vector(0.5)), share, none], [result])


def _gelu(op: Op, x: int, result: int) -> None:
    """``x * Phi(x)`` as ``relu(x) - |x| * tail(|x|)``, the normal distribution's tail being a rational approximation.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17: the tail is off by 7.5e-8 at most.
    """
    none = op.int32(FuseCode.NONE)

    def of(code: OperationCode, a: int, b: int) -> int:
        return op.computed(code, a, b, none)

    size = op.computed(OperationCode.ABS, x)
    slope = of(OperationCode.ADD, of(OperationCode.MUL, size, op.real_vector(0.2316419)), op.real_vector(1.0))
    t = op.computed(OperationCode.DIV, op.real_vector(1.0), slope, none, dimensions=op.at(x).dimensions)
    sum_ = of(OperationCode.MUL, t, op.real_vector(1.330274429))
    for coefficient in (-1.821255978, 1.781477937, -0.356563782, 0.319381530):
        sum_ = of(OperationCode.MUL, of(OperationCode.ADD, sum_, op.real_vector(coefficient)), t)
    half_square = of(OperationCode.MUL, of(OperationCode.MUL, x, x), op.real_vector(-0.5))
    bell = of(
        OperationCode.MUL, op.computed(OperationCode.EXP, half_square), op.real_vector(1 / math.sqrt(2 * math.pi))
    )
    tail = of(OperationCode.MUL, of(OperationCode.MUL, bell, sum_), size)
    op.emit(OperationCode.SUB, [op.computed(OperationCode.RELU, x), tail, none], [result])


@rule("RELU", "RELU_N1_TO_1", "RELU6")
def relu(op: Op) -> None:
    """The API's keep scale and zero point; where the model changes them, an addition of zero applies the activation."""
    _same_shape(op)
    code = OperationCode["RELU1" if op.name == "RELU_N1_TO_1" else op.name]
    source, output = op.input(), op.output()
    if op.same_quantization(source, output):
        op.emit(code, [source], [output])
        return
    operand = op.at(source)
    if operand.code not in QUANTIZED:
        raise Refused(f"its input is {operand.code.name}")
    zero = op.made(
        operand.code, np.array([operand.zero_point], QUANTIZED[operand.code]), operand.scale, operand.zero_point
    )
    op.emit(OperationCode.ADD, [source, zero, op.int32(FuseCode[code.name])], [output])


@rule("LEAKY_RELU")
def leaky_relu(op: Op) -> None:
    """PRELU of one slope for all; a quantised slope is one step of its scale."""
    _same_shape(op)
    alpha, source = op.real("alpha"), op.at(op.input())
    if source.code in QUANTIZED:
        dtype = QUANTIZED[source.code]
        zero_point = 128 if dtype == np.uint8 else 0
        step = int(math.copysign(1, alpha)) if alpha else 0
        slope = op.made(source.code, np.array([zero_point + step], dtype), abs(alpha) or 1.0, zero_point)
    else:
        slope = op.real_vector(alpha)
    op.emit(OperationCode.PRELU, [op.input(), slope], [op.output()])


@rule("LOGISTIC", "TANH")
def logistic(op: Op) -> None:
    """A quantised output has the scale and the zero point that its range requires."""
    _same_shape(op)
    require_range(op, *((1 / 256, -128) if op.name == "LOGISTIC" else (1 / 128, 0)))
    op.emit(OperationCode[op.name], [op.input()], [op.output()])


def require_range(op: Op, scale: float, zero_point: int) -> None:
    """Refuse a quantised output of another scale or zero point than the API prescribes.

    Args:
        op: The operator.
        scale: What its scale must be.
        zero_point: What its zero point must be in int8; it is 128 more in uint8.
    """
    output = op.at(op.output())
    expected = zero_point + (128 if output.code == OperandCode.TENSOR_QUANT8_ASYMM else 0)
    if output.code in QUANTIZED and (output.scale, output.zero_point) != (scale, expected):
        raise Refused(f"its output has the scale {output.scale:g} and the zero point {output.zero_point}")


@rule("HARD_SWISH")
def hard_swish(op: Op) -> None:
    """As it is."""
    _same_shape(op)
    op.emit(OperationCode.HARD_SWISH, [op.input()], [op.output()])


@rule("ADD_N")
def add_n(op: Op) -> None:
    """A chain of additions in float32."""
    none, total = op.int32(FuseCode.NONE), op.input()
    if any(op.shape(k) != op.result().shape for k in range(op.inputs)) or op.at(total).code != FLOAT or op.inputs < 2:
        raise Refused("its inputs differ in shape or are not float32")
    for k in range(1, op.inputs - 1):
        total = op.computed(OperationCode.ADD, total, op.input(k), none)
    op.emit(OperationCode.ADD, [total, op.input(op.inputs - 1), none], [op.output()])


@rule("SELECT", "SELECT_V2")
def select(op: Op) -> None:
    """The API repeats nothing here, so that constants of one element are written out."""
    shape = op.result().shape
    for k in range(3):
        if broadcast([op.shape(k), shape]) != shape or (op.name == "SELECT" and len(op.shape(k)) != len(shape)):
            raise Refused(f"its input {k} has the shape {list(op.shape(k))}")
    op.emit(OperationCode.SELECT, [full(op, k, shape) for k in range(3)], [op.output()], main=1)


def full(op: Op, k: int, shape: tuple[int, ...]) -> int:
    """Input ``k`` in the shape ``shape``, written out if it is a constant of another shape."""
    operand = op.at(op.input(k))
    if op.shape(k) == shape:
        return op.input(k)
    if operand.value is None or math.prod(shape) * operand.value.itemsize > 2**24:
        raise Refused(f"its input {k} of shape {list(op.shape(k))} would be repeated to {list(shape)}")
    value = np.broadcast_to(op.value(k), shape).astype(operand.value.dtype)
    return op.builder.tensor(operand.code, value.shape, operand.scale, operand.zero_point, value)


def pair(op: Op) -> list[int]:
    """Two inputs of one type that have the output's shape together."""
    _pair_shape(op)
    inputs = [op.input(0), op.input(1)]
    if op.at(inputs[0]).code != op.at(inputs[1]).code:
        raise Refused(f"its inputs are {' and '.join(op.at(operand).code.name for operand in inputs)}")
    return inputs


def real_pair(op: Op) -> list[int]:
    """Two inputs as float32 that have the output's shape together."""
    _pair_shape(op)
    return [op.real_input(0), op.real_input(1)]


def _pair_shape(op: Op) -> None:
    shapes = [op.shape(0), op.shape(1)]
    if broadcast(shapes) != op.result().shape:
        raise Refused(f"its output has the shape {list(op.result().shape)}")
    if max(map(len, shapes)) > 4 and any(math.prod(shape) != 1 and shape != op.result().shape for shape in shapes):
        raise Refused(f"its inputs have {max(map(len, shapes))} dimensions and are repeated")


def _same_shape(op: Op) -> None:
    if op.shape() != op.result().shape:
        raise Refused(f"its input has the shape {list(op.shape())} and its output {list(op.result().shape)}")
