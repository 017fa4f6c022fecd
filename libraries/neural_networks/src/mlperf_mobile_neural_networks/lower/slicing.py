"""Parts of tensors."""

from __future__ import annotations

import math
from itertools import accumulate

from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode
from mlperf_mobile_neural_networks.lower.builder import MAX_RANK, Refused
from mlperf_mobile_neural_networks.lower.op import Op
from mlperf_mobile_neural_networks.lower.rules import rule


@rule("SLICE")
def slice_(op: Op) -> None:
    """A beginning and a size for each dimension; -1 takes all that is left."""
    shape, begin, size = op.shape(), op.integers(1), op.integers(2)
    if not len(shape) == len(begin) == len(size) <= MAX_RANK:
        raise Refused(f"it takes {list(size[:8])} from {list(shape[:8])} at {list(begin[:8])}")
    size = tuple(n - b if s == -1 else s for n, b, s in zip(shape, begin, size, strict=True))
    output = op.output(0, size)
    op.require_same_quantization(op.input(), output)
    _cut(op, begin, size, output)


def _cut(op: Op, begin: tuple[int, ...], size: tuple[int, ...], output: int) -> None:
    if any(b < 0 or s < 1 or b + s > n for n, b, s in zip(op.shape(), begin, size, strict=True)):
        raise Refused(f"it takes {list(size)} from {list(op.shape())} at {list(begin)}")
    op.emit(OperationCode.SLICE, [op.input(), op.vector(begin), op.vector(size)], [output])


@rule("STRIDED_SLICE")
def strided_slice(op: Op) -> None:
    """The file's masks are worked into beginnings, ends and the output's shape."""
    shape = op.shape()
    ranges = strided_ranges(op)
    if len(shape) > MAX_RANK or not shape:
        raise Refused(f"its input has {len(shape)} dimensions")
    sizes = tuple(map(len, ranges))
    output = op.output_as(sizes)
    op.require_same_quantization(op.input(), output)
    if op.at(output).code == OperandCode.TENSOR_INT32 and all(r.step == 1 for r in ranges):
        _cut(op, tuple(r.start for r in ranges), sizes, output)
    else:
        end_mask = sum(1 << axis for axis, r in enumerate(ranges) if r.stop < 0)
        places = [[r.start for r in ranges], [max(r.stop, 0) for r in ranges], [r.step for r in ranges]]
        inputs = [op.input(), *map(op.vector, places), op.int32(0), op.int32(end_mask), op.int32(0)]
        op.emit(OperationCode.STRIDED_SLICE, inputs, [output])
    op.finish(output)


def strided_ranges(op: Op) -> list[range]:
    """Which entries a STRIDED_SLICE takes along each dimension of its input.

    Numbers are read as numpy reads them (StridedSliceParams of tensorflow/lite/kernels/internal/strided_slice_logic.h):
    an ellipsis stands for all dimensions that are not named, and a new axis takes none.
    """
    shape, begin, end, strides = op.shape(), op.integers(1), op.integers(2), op.integers(3)
    masks = {name: op.option(f"{name}_mask", 0) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    if not len(begin) == len(end) == len(strides) or 0 in strides or op.option("offset", 0, 0):
        raise Refused("its beginnings, ends and strides do not fit")

    def has(mask: str, entry: int) -> bool:
        return bool(masks[mask] >> entry & 1)

    named = [entry for entry in range(len(begin)) if not has("new_axis", entry) and not has("ellipsis", entry)]
    ranges: list[range] = []
    for entry in range(len(begin)):
        if has("ellipsis", entry):
            ranges += [range(n) for n in shape[len(ranges) : len(ranges) + len(shape) - len(named)]]
            continue
        if has("new_axis", entry):
            continue
        if len(ranges) >= len(shape):
            raise Refused(f"it slices more than {len(shape)} dimensions")
        size = shape[len(ranges)]
        if has("shrink_axis", entry):
            ranges.append(range(at := op.axis(begin[entry], size), at + 1))
            continue
        ends = (None if has("begin", entry) else begin[entry], None if has("end", entry) else end[entry])
        ranges.append(range(*slice(*ends, strides[entry]).indices(size)))
    return ranges + [range(n) for n in shape[len(ranges) :]]


@rule("SPLIT", "SPLIT_V")
def split(op: Op) -> None:
    """Parts along an axis; the API's SPLIT makes equal ones."""
    source = 1 if op.name == "SPLIT" else 0
    shape = op.shape(source)
    axis = op.axis(op.integer(0 if op.name == "SPLIT" else 2), len(shape))
    sizes = [op.result(k).shape[axis] if axis < len(op.result(k).shape) else 0 for k in range(op.outputs)]
    outputs = [op.output(k, (*shape[:axis], n, *shape[axis + 1 :])) for k, n in enumerate(sizes)]
    if len(shape) > MAX_RANK or sum(sizes) != shape[axis] or not outputs:
        raise Refused(f"it splits {list(shape[:8])} into {sizes[:8]}")
    operand = op.input(source)
    for output in outputs:
        op.require_same_quantization(operand, output)
    if len(set(sizes)) == 1:
        op.emit(OperationCode.SPLIT, [operand, op.int32(axis), op.int32(len(sizes))], outputs)
        return
    for start, output in zip(accumulate(sizes, initial=0), outputs, strict=False):
        begin = [0] * len(shape)
        begin[axis] = start
        inputs = [operand, op.vector(begin), op.vector(op.at(output).dimensions)]
        op.emit(OperationCode.SLICE, inputs, [output])


@rule("UNPACK")
def unpack(op: Op) -> None:
    """Parts of one entry along an axis, which they lose."""
    shape = op.shape()
    axis = op.axis(op.option("axis"), len(shape))
    before, behind = shape[:axis], shape[axis + 1 :]
    if op.outputs != shape[axis] or any(op.result(k).shape != before + behind for k in range(op.outputs)):
        raise Refused(f"it takes {list(shape[:8])} apart into {op.outputs} outputs")
    for k in range(op.outputs):
        op.require_same_quantization(op.input(), op.output(k))
    if len(shape) > MAX_RANK:
        before, behind = (math.prod(before),), (math.prod(behind),)
    operand = op.view(op.input(), (*before, op.outputs, *behind))
    parts = [op.output_as((*before, 1, *behind), k) for k in range(op.outputs)]
    op.emit(OperationCode.SPLIT, [operand, op.int32(len(before)), op.int32(op.outputs)], parts)
    for k, part in enumerate(parts):
        op.finish(part, k)
