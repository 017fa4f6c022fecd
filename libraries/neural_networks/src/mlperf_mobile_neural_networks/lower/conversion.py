"""Values that change their type, and what is known before a run."""

from __future__ import annotations

import numpy as np

from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode
from mlperf_mobile_neural_networks.lower.builder import MAX_MADE_BYTES, QUANTIZED, Refused
from mlperf_mobile_neural_networks.lower.op import FLOAT, Op
from mlperf_mobile_neural_networks.lower.rules import rule


@rule("DEQUANTIZE")
def dequantize(op: Op) -> None:
    """Convert to float32; constants, such as half-precision weights, are converted ahead of time."""
    if op.result().dtype != np.float32:
        raise Refused("its output is not float32")
    if op.is_constant(0):
        op.builder.fold(op.result().index, op.builder.real_value(op.tensor(0).index))
    else:
        output = op.output(0, op.shape())
        op.emit(OperationCode.DEQUANTIZE, [op.input()], [output])


@rule("QUANTIZE")
def quantize(op: Op) -> None:
    """The API quantises float32 alone, so that quantised values become float32 in between."""
    output = op.output(0, op.shape())
    if op.at(output).code not in QUANTIZED:
        raise Refused(f"its output is {op.at(output).code.name}")
    op.emit(OperationCode.QUANTIZE, [op.real_input(0)], [output])


@rule("CAST")
def cast(op: Op) -> None:
    """Between float32, int32 and uint8; truth becomes a number by SELECT, and a number truth by NOT_EQUAL."""
    if op.is_constant(0):
        value, target = op.value(0), op.result().dtype
        if target is None or target.kind not in "fiub" or not np.isfinite(value).all():
            raise Refused("it casts a constant that is not numeric")
        with np.errstate(all="ignore"):
            op.builder.fold(op.result().index, value.astype(target))
        return
    source, output = op.at(op.input()), op.at(op.output(0, op.shape()))
    if source.code == OperandCode.TENSOR_BOOL8 and output.code in {FLOAT, OperandCode.TENSOR_INT32}:
        dtype = np.float32 if output.code == FLOAT else np.int32
        if np.prod(source.dimensions) * 4 > MAX_MADE_BYTES:
            raise Refused("it casts a large tensor of truth values")
        numbers = [op.made(output.code, np.full(source.dimensions, number, dtype)) for number in (1, 0)]
        op.emit(OperationCode.SELECT, [op.input(), *numbers], [op.output()], main=1)
    elif output.code == OperandCode.TENSOR_BOOL8 and source.code in {FLOAT, OperandCode.TENSOR_INT32}:
        zero = op.made(source.code, np.zeros(1, np.float32 if source.code == FLOAT else np.int32))
        op.emit(OperationCode.NOT_EQUAL, [op.input(), zero], [op.output()])
    elif {source.code, output.code} <= {FLOAT, OperandCode.TENSOR_INT32, OperandCode.TENSOR_QUANT8_ASYMM}:
        op.emit(OperationCode.CAST, [op.input()], [op.output()])
    else:
        raise Refused(f"it casts {source.code.name} to {output.code.name}")


@rule("SHAPE", "RANK")
def shape(op: Op) -> None:
    """Known from the file."""
    result, dtype = op.result(), op.result().dtype
    if dtype is None or dtype.kind != "i":
        raise Refused("its output is not an integer")
    value = np.array(op.shape() if op.name == "SHAPE" else len(op.shape()), dtype)
    op.builder.fold(result.index, value)
