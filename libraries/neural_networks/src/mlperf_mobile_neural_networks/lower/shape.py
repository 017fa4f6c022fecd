"""Elements that change places and not values: reshaped, transposed, repeated, padded, resized, joined.

A tensor of more than four dimensions is kept flat, and seen with fewer dimensions by the operation that needs it:
neighbours that move together count as one.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from mlperf_mobile_neural_networks.codes import FuseCode, OperandCode, OperationCode
from mlperf_mobile_neural_networks.lower.builder import MAX_RANK, Refused
from mlperf_mobile_neural_networks.lower.op import FLOAT, Op
from mlperf_mobile_neural_networks.lower.rules import rule


@rule("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def reshape(op: Op) -> None:
    """The output's shape in the file says it all.

    An input of int32, which cannot be reshaped below feature level 6, comes in its new shape if nothing else reads it.
    """
    if math.prod(op.shape()) != math.prod(op.result().shape):
        raise Refused(f"{list(op.shape())} cannot become {list(op.result().shape)}")
    if (
        op.builder.level < 6
        and op.tensor(0).dtype == np.int32
        and op.builder.enters_as(op.tensor(0).index, op.result().index)
    ):
        return
    output = op.output()
    op.require_same_quantization(op.input(), output)
    op.emit(OperationCode.RESHAPE, [op.input(), op.vector(op.at(output).dimensions)], [output])


@rule("TRANSPOSE")
def transpose(op: Op) -> None:
    """Axes that stay neighbours in their order move as one."""
    order, shape = op.integers(1), op.shape()
    if sorted(order) != list(range(len(shape))):
        raise Refused(f"{list(order[:8])} is not a permutation of {len(shape)} dimensions")
    output = op.result()
    if tuple(shape[axis] for axis in order) != output.shape:
        raise Refused(f"its output has the shape {list(output.shape)}")
    source = op.input()
    if len(shape) > MAX_RANK:
        groups: list[list[int]] = []
        for axis in order:
            if groups and groups[-1][-1] + 1 == axis:
                groups[-1].append(axis)
            else:
                groups.append([axis])
        firsts = sorted(group[0] for group in groups)
        if len(groups) > MAX_RANK:
            raise Refused(f"it moves {len(groups)} of {len(shape)} dimensions apart")
        sizes = {group[0]: math.prod(shape[axis] for axis in group) for group in groups}
        order = tuple(firsts.index(group[0]) for group in groups)
        source = op.view(source, [sizes[first] for first in firsts])
    result = op.output_as([op.at(source).dimensions[axis] for axis in order])
    op.require_same_quantization(source, result)
    op.emit(OperationCode.TRANSPOSE, [source, op.vector(order)], [result])
    op.finish(result)


@rule("TILE", "BROADCAST_TO")
def tile(op: Op) -> None:
    """Repeated along some dimensions; the others count as one with their neighbours."""
    target = op.result().shape
    shape = (1,) * (len(target) - len(op.shape())) + op.shape()
    if len(shape) != len(target) or any(a < 1 or b % a for a, b in zip(shape, target, strict=True)):
        raise Refused(f"{list(op.shape())} cannot be repeated to {list(target)}")
    if op.name == "BROADCAST_TO" and any(a not in {1, b} for a, b in zip(shape, target, strict=True)):
        raise Refused(f"{list(op.shape())} cannot be broadcast to {list(target)}")
    if op.name == "TILE" and tuple(a * n for a, n in zip(shape, op.integers(1), strict=False)) != target:
        raise Refused(f"{list(op.shape())} repeated {list(op.integers(1)[:8])} times is not {list(target)}")
    op.require_same_quantization(op.input(), op.output())
    small: list[int] = []
    large: list[int] = []
    for repeated, block in itertools.groupby(zip(shape, target, strict=True), key=lambda pair: pair[0] != pair[1]):
        pairs = list(block)
        whole = math.prod(a for a, _ in pairs)
        small += [a for a, _ in pairs] if repeated else [whole]
        large += [b for _, b in pairs] if repeated else [whole]
    if len(small) <= MAX_RANK < len(shape):
        shape, target = tuple(small), tuple(large)
    if len(shape) > MAX_RANK:
        raise Refused(f"it repeats {len(shape)} dimensions")
    result = op.output_as(target)
    source = op.view(op.input(), shape or (1,))
    multiples = [b // a for a, b in zip(shape, target, strict=True)] or [1]
    op.emit(OperationCode.TILE, [source, op.vector(multiples)], [result])
    op.finish(result)


@rule("PAD", "PADV2")
def pad(op: Op) -> None:
    """Zeros, or a value of the input's type, which is a scalar in the API."""
    paddings = _paddings(op)
    output = op.output(0, [a + n + b for (a, b), n in zip(paddings, op.shape(), strict=True)])
    source = op.input()
    op.require_same_quantization(source, output)
    inputs = [source, op.made(OperandCode.TENSOR_INT32, np.array(paddings, np.int32))]
    if op.name == "PAD":
        op.builder.need(3 if op.is_quantized() else 2, "PAD")
        op.emit(OperationCode.PAD, inputs, [output])
        return
    operand, value = op.at(op.input(2)), op.value(2)
    if value.size != 1 or not op.same_quantization(source, op.input(2)):
        raise Refused("its value is not of the input's type, scale and zero point")
    scalar = op.float32(float(value.item())) if operand.code == FLOAT else op.int32(int(value.item()))
    op.emit(OperationCode.PAD_V2, [*inputs, scalar], [output])


@rule("MIRROR_PAD")
def mirror_pad(op: Op) -> None:
    """Entries gathered anew along each dimension, which runs on more devices than MIRROR_PAD of feature level 7."""
    symmetric = op.option("mode", 0, 1)  # MirrorPadMode of schema.fbs
    indices = {}
    for axis, ((before, after), size) in enumerate(zip(_paddings(op), op.shape(), strict=True)):
        if max(before, after) > size - 1 + symmetric:
            raise Refused(f"it pads {size} entries by {max(before, after)}")
        if (before or after) and _is_short(size):
            indices[axis] = np.pad(np.arange(size), (before, after), "symmetric" if symmetric else "reflect").tolist()
    gathered(op, indices)


@rule("REVERSE_V2")
def reverse(op: Op) -> None:
    """Entries gathered backwards."""
    axes = {op.axis(axis, len(op.shape())) for axis in op.integers(1)}
    gathered(op, {axis: list(range(op.shape()[axis]))[::-1] for axis in sorted(axes) if _is_short(op.shape()[axis])})


def _is_short(size: int) -> bool:
    """True, or else the entries are too many to list."""
    if size >= 2**20:
        raise Refused(f"it moves {size} entries")
    return True


def gathered(op: Op, indices: dict[int, list[int]]) -> None:
    """Entries of input 0 taken along each axis in turn."""
    if not indices:
        raise Refused("it changes nothing")
    operand, output = op.input(), op.output()
    op.require_same_quantization(operand, output)
    if len(op.shape()) > MAX_RANK:
        raise Refused(f"its input has {len(op.shape())} dimensions")
    for axis, taken in indices.items():
        shape = list(op.at(operand).dimensions)
        shape[axis] = len(taken)
        result = op.output(0, shape) if axis == max(indices) else op.like(op.at(operand), shape)
        op.emit(OperationCode.GATHER, [operand, op.int32(axis), op.vector(taken)], [result])
        operand = result


@rule("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(op: Op) -> None:
    """The API has the width first, and optional flags for layout, corners and centres."""
    batch, _, _, channels = op.rank4()
    size = op.integers(1)
    if len(size) != 2:
        raise Refused(f"its size is {list(size[:8])}")
    code = OperationCode[op.name]
    inputs = [op.input(), op.int32(size[1]), op.int32(size[0])]
    flags = [op.option("align_corners", 0, 1), op.option("half_pixel_centers", 0, 1)]
    if any(flags):
        op.builder.need(4, "align_corners or half_pixel_centers")
        inputs += [op.bool8(False), *map(op.bool8, flags)]
    elif code == OperationCode.RESIZE_NEAREST_NEIGHBOR:
        inputs += [op.bool8(False)]
    output = op.output(0, (batch, *size, channels))
    op.require_same_quantization(op.input(), output)
    op.emit(code, inputs, [output])


@rule("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def depth_to_space(op: Op) -> None:
    """Blocks of channels become blocks of pixels, or the other way."""
    batch, height, width, channels = op.rank4()
    block = op.option("block_size", 1, 2**15)
    if op.name == "DEPTH_TO_SPACE":
        shape = (batch, height * block, width * block, channels // block**2)
    else:
        shape = (batch, height // block, width // block, channels * block**2)
    if math.prod(shape) != math.prod(op.shape()):
        raise Refused(f"{list(op.shape())} has no blocks of {block}")
    output = op.output(0, shape)
    op.require_same_quantization(op.input(), output)
    op.emit(OperationCode[op.name], [op.input(), op.int32(block)], [output])


@rule("SPACE_TO_BATCH_ND")
def space_to_batch(op: Op) -> None:
    """Blocks of pixels become samples."""
    batch, height, width, channels = op.rank4()
    blocks, paddings = _blocks(op)
    padded = [n + a + b for n, (a, b) in zip((height, width), paddings, strict=True)]
    if padded[0] % blocks[0] or padded[1] % blocks[1]:
        raise Refused(f"{padded} has no blocks of {list(blocks)}")
    shape = (batch * blocks[0] * blocks[1], padded[0] // blocks[0], padded[1] // blocks[1], channels)
    output = op.output(0, shape)
    op.require_same_quantization(op.input(), output)
    op.builder.need(3 if op.is_quantized() else 2, "SPACE_TO_BATCH_ND")
    inputs = [op.input(), op.vector(blocks), op.made(OperandCode.TENSOR_INT32, np.array(paddings, np.int32))]
    op.emit(OperationCode.SPACE_TO_BATCH_ND, inputs, [output])


@rule("BATCH_TO_SPACE_ND")
def batch_to_space(op: Op) -> None:
    """Samples become blocks of pixels; what the file crops is sliced off."""
    batch, height, width, channels = op.rank4()
    blocks, crops = _blocks(op)
    if batch % (blocks[0] * blocks[1]):
        raise Refused(f"{batch} samples are no blocks of {list(blocks)}")
    shape = (batch // (blocks[0] * blocks[1]), height * blocks[0], width * blocks[1], channels)
    size = (shape[0], *(n - a - b for n, (a, b) in zip(shape[1:3], crops, strict=True)), channels)
    output = op.output(0, size)
    op.require_same_quantization(op.input(), output)
    result = output if size == shape else op.like(op.at(output), shape)
    op.emit(OperationCode.BATCH_TO_SPACE_ND, [op.input(), op.vector(blocks)], [result])
    if result != output:
        begin = op.vector((0, crops[0][0], crops[1][0], 0))
        op.emit(OperationCode.SLICE, [result, begin, op.vector(size)], [output])


def _blocks(op: Op) -> tuple[tuple[int, ...], list[list[int]]]:
    """The sizes of blocks, and what is padded or cropped before and after each dimension."""
    blocks, edges = op.integers(1), op.integers(2)
    if len(blocks) != 2 or len(edges) != 4 or min(blocks) < 1 or min(edges) < 0 or max(*blocks, *edges) > 2**15:
        raise Refused(f"its blocks are {list(blocks[:8])} and its edges {list(edges[:8])}")
    return blocks, [list(edges[:2]), list(edges[2:])]


def _paddings(op: Op) -> list[list[int]]:
    """What is padded before and after each dimension."""
    rank, edges = len(op.shape()), op.integers(1)
    if not 0 < rank <= MAX_RANK or len(edges) != 2 * rank or min(edges) < 0:
        raise Refused(f"it pads {rank} dimensions by {list(edges[:16])}")
    return [list(edges[i : i + 2]) for i in range(0, 2 * rank, 2)]


@rule("CONCATENATION", "PACK")
def concatenate(op: Op) -> None:
    """Joined along an axis; PACK joins along a new one. What is before and behind the axis counts as one each."""
    name = "axis"
    packed, shape = op.name == "PACK", op.result().shape
    axis = op.axis(op.option(name), len(shape))
    if op.fused() != FuseCode.NONE or not op.inputs:
        raise Refused("it has an activation or no inputs")
    for k in range(op.inputs):
        part = op.shape(k)
        whole = (*part[:axis], 1, *part[axis:]) if packed else part
        if len(whole) != len(shape) or whole[:axis] + whole[axis + 1 :] != shape[:axis] + shape[axis + 1 :]:
            raise Refused(f"its input {k} has the shape {list(part)}, and its output {list(shape)}")
    sizes = [1 if packed else op.shape(k)[axis] for k in range(op.inputs)]
    if sum(sizes) != shape[axis]:
        raise Refused(f"its inputs have {sum(sizes)} entries along the axis, and its output {shape[axis]}")
    inputs, output = [op.input(k) for k in range(op.inputs)], op.output()
    codes = {op.at(operand).code for operand in (*inputs, output)}
    if len(codes) > 1:
        raise Refused(f"it joins {' and '.join(sorted(code.name for code in codes))}")
    if op.builder.level < 3 or packed:
        for operand in inputs:
            op.require_same_quantization(operand, output)
    if packed and codes == {OperandCode.TENSOR_INT32} and len(shape) <= MAX_RANK:
        op.emit(OperationCode.PACK, [op.int32(axis), *inputs], [output], main=1)
        return
    before, behind = shape[:axis], shape[axis + 1 :]
    if len(shape) > MAX_RANK:
        before, behind = (math.prod(before),), (math.prod(behind),)
    parts = [op.view(operand, (*before, n, *behind)) for operand, n in zip(inputs, sizes, strict=True)]
    result = op.output_as((*before, sum(sizes), *behind))
    op.emit(OperationCode.CONCATENATION, [*parts, op.int32(len(before))], [result])
    op.finish(result)
