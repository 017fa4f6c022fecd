"""Matrix products, and look-ups of rows."""

from __future__ import annotations

import math

import numpy as np

from mlperf_mobile_neural_networks.codes import FuseCode, OperandCode, OperationCode, PaddingCode
from mlperf_mobile_neural_networks.lower.builder import Refused
from mlperf_mobile_neural_networks.lower.convolution import bias, bias_scale
from mlperf_mobile_neural_networks.lower.op import FLOAT, Op
from mlperf_mobile_neural_networks.lower.rules import rule

MAX_UNROLLED = 64
"""Matrices that are multiplied one by one where there is no operation for all."""


@rule("FULLY_CONNECTED")
def fully_connected(op: Op) -> None:
    """Weights [units, inputs]; what the API flattens to two dimensions gets the file's shape again.

    The API has no weights with a scale for each unit here, so that those become a convolution by 1x1 filters.
    """
    if len(op.shape(1)) != 2 or op.option("weights_format", 0, 0):
        raise Refused(f"its weights have the shape {list(op.shape(1))}")
    units, size = op.shape(1)
    elements = math.prod(op.shape())
    if not size or not elements or elements % size:
        raise Refused(f"its input of shape {list(op.shape())} does not fit weights of {list(op.shape(1))}")
    rows, weights = elements // size, op.weights(1)
    if op.at(weights).code == OperandCode.TENSOR_QUANT8_SYMM_PER_CHANNEL:
        _as_convolution(op, rows)
        return
    source = op.input() if 2 <= len(op.shape()) <= 4 else op.view(op.input(), (rows, size))
    output = op.output_as((rows, units))
    inputs = [source, weights, bias(op, 1, units), op.int32(op.fused())]
    op.emit(OperationCode.FULLY_CONNECTED, inputs, [output])
    op.finish(output)


def _as_convolution(op: Op, rows: int) -> None:
    units, size = op.shape(1)
    tensor, value = op.tensor(1), op.value(1)
    filters = op.builder.per_channel(tensor, value.reshape(units, 1, 1, size))
    output = op.output_as((rows, 1, 1, units))
    inputs = [op.view(op.input(), (rows, 1, 1, size)), filters, bias(op, 1, units)]
    inputs += [op.int32(PaddingCode.VALID), op.int32(1), op.int32(1), op.int32(op.fused())]
    op.emit(OperationCode.CONV_2D, inputs, [output])
    op.finish(output)


@rule("BATCH_MATMUL")
def batch_matmul(op: Op) -> None:
    """Products of the last two dimensions; the API does not repeat a batch, so that it is tiled before.

    Below feature level 6 the matrices are multiplied one by one.
    """
    shapes = [op.shape(0), op.shape(1)]
    if min(map(len, shapes)) < 2 or max(map(len, shapes)) > 4:
        raise Refused(f"it multiplies {list(shapes[0])} by {list(shapes[1])}")
    batch = broadcast([shape[:-2] for shape in shapes])
    adjoint = [bool(op.option("adj_x", 0, 1)), bool(op.option("adj_y", 0, 1))]
    (rows, inner), (other, columns) = (
        shape[-2:][::-1] if swapped else shape[-2:] for shape, swapped in zip(shapes, adjoint, strict=True)
    )
    if inner != other:
        raise Refused(f"it multiplies {list(shapes[0])} by {list(shapes[1])}")
    sides = []
    for k, shape in enumerate(shapes):
        operand = op.weights(k)
        sides.append(tiled(op, operand, (1,) * (len(batch) + 2 - len(shape)) + shape, (*batch, *shape[-2:])))
    if op.at(sides[0]).code != op.at(sides[1]).code:
        raise Refused("its inputs have different types")
    output = op.output(0, (*batch, rows, columns))
    if op.builder.level >= OperationCode.BATCH_MATMUL.feature_level:
        op.emit(OperationCode.BATCH_MATMUL, [*sides, *map(op.bool8, adjoint)], [output])
    elif inner * columns:
        left = _matrices(op, sides[0], swapped=adjoint[0])
        right = _matrices(op, sides[1], swapped=not adjoint[1])
        _unrolled(op, left, right, output)


def _matrices(op: Op, operand: int, *, swapped: bool) -> list[int]:
    """The matrices of a batch, each transposed if ``swapped``."""
    *batch, rows, columns = op.at(operand).dimensions
    if swapped:
        order = [*range(len(batch)), len(batch) + 1, len(batch)]
        turned = op.like(op.at(operand), (*batch, columns, rows))
        op.emit(OperationCode.TRANSPOSE, [operand, op.vector(order)], [turned])
        operand, rows, columns = turned, columns, rows
    count = math.prod(batch)
    if count > MAX_UNROLLED:
        raise Refused(f"it multiplies {count} matrices, and BATCH_MATMUL needs feature level 6")
    whole = op.view(operand, (count * rows, columns))
    if count == 1:
        return [whole]
    parts = [op.like(op.at(operand), (rows, columns)) for _ in range(count)]
    op.emit(OperationCode.SPLIT, [whole, op.int32(0), op.int32(count)], parts)
    return parts


def _unrolled(op: Op, left: list[int], right: list[int], output: int) -> None:
    """A FULLY_CONNECTED for each matrix of the batch, as converters wrote them before there was BATCH_MATMUL."""
    source, weights = op.at(left[0]), op.at(right[0])
    rows, columns = source.dimensions[0], weights.dimensions[0]
    if source.code == FLOAT:
        zeros = op.made(FLOAT, np.zeros(columns, np.float32))
    else:
        zeros = op.made(OperandCode.TENSOR_INT32, np.zeros(columns, np.int32), bias_scale(source, weights))
    products = [op.like(op.at(output), (rows, columns)) for _ in left]
    none = op.int32(FuseCode.NONE)
    for matrix, other, product in zip(left, right, products, strict=True):
        op.emit(OperationCode.FULLY_CONNECTED, [matrix, other, zeros, none], [product])
    whole = op.output_as((len(left) * rows, columns)) if len(left) > 1 else products[0]
    if len(left) > 1:
        op.emit(OperationCode.CONCATENATION, [*products, op.int32(0)], [whole])
    op.finish(whole)


@rule("EMBEDDING_LOOKUP")
def embedding_lookup(op: Op) -> None:
    """Rows of the second input, in float32 if the output is."""
    if len(op.shape(0)) != 1 or len(op.shape(1)) < 2 or len(op.shape(1)) > 4:
        raise Refused(f"it looks {list(op.shape(0))} up in {list(op.shape(1))}")
    check_indices(op, 0, op.shape(1)[0])
    is_real = op.result().dtype == np.float32 and op.tensor(1).dtype != np.float32
    values = op.float_constant(1) if is_real else op.input(1)
    output = op.output(0, (*op.shape(0), *op.shape(1)[1:]))
    op.require_same_quantization(values, output)
    op.emit(OperationCode.EMBEDDING_LOOKUP, [op.input(0), values], [output], main=1)


@rule("GATHER")
def gather(op: Op) -> None:
    """Slices of the first input along an axis; an index without dimensions takes one, and drops the axis."""
    shape, indices = op.shape(), op.shape(1)
    axis = op.axis(op.option("axis"), len(shape))
    if op.option("batch_dims") or len(shape) > 4 or len(shape) + max(1, len(indices)) - 1 > 4:
        raise Refused(f"it gathers {list(indices)} from {list(shape)} with batch_dims {op.option('batch_dims')}")
    check_indices(op, 1, shape[axis])
    source = op.float_constant(0) if op.result().dtype == np.float32 != op.tensor(0).dtype else op.input()
    output = op.output_as((*shape[:axis], *(indices or (1,)), *shape[axis + 1 :]))
    op.require_same_quantization(source, output)
    op.emit(OperationCode.GATHER, [source, op.int32(axis), op.input(1)], [output])
    op.finish(output)


def check_indices(op: Op, k: int, size: int) -> None:
    """Refuse constant indices that are outside of what they index."""
    value = op.value(k) if op.is_constant(k) else np.zeros(0, np.int32)
    if value.size and not 0 <= int(value.min()) <= int(value.max()) < size:
        raise Refused(f"its indices go beyond {size} entries")


def broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that ``shapes`` have together."""
    try:
        return tuple(map(int, np.broadcast_shapes(*shapes)))
    except ValueError as error:
        raise Refused(f"its inputs of shapes {' and '.join(str(list(s)) for s in shapes)} do not fit") from error


def tiled(op: Op, operand: int, shape: tuple[int, ...], target: tuple[int, ...]) -> int:
    """An operand viewed as ``shape``, and repeated to the shape ``target``."""
    operand = op.view(operand, shape)
    if shape == target:
        return operand
    if 0 in shape:
        raise Refused(f"a tensor of shape {list(shape)} has no elements")
    result = op.like(op.at(operand), target)
    multiples = [b // a for a, b in zip(shape, target, strict=True)]
    op.emit(OperationCode.TILE, [operand, op.vector(multiples)], [result])
    return result
