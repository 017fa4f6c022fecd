"""Convolutions and pooling: windows that move over [batch, height, width, channels].

Paddings stay implicit, because SAME and VALID mean the same in both; a layout flag stands only before options that
come after it, so that the short forms run on the lowest feature level.
"""

from __future__ import annotations

import numpy as np

from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode, PaddingCode
from mlperf_mobile_neural_networks.graph import Operand
from mlperf_mobile_neural_networks.lower.builder import MAX_MADE_BYTES, Refused, narrowed, quantization
from mlperf_mobile_neural_networks.lower.op import FLOAT, Op
from mlperf_mobile_neural_networks.lower.rules import rule

MAX_STRIDE = 2**15


@rule("CONV_2D")
def conv_2d(op: Op) -> None:
    """Filter [out, height, width, in]; fewer channels than the input has mean groups."""
    batch, _, _, channels = op.rank4()
    out, height, width, depth = op.rank4(1)
    if not depth or channels % depth:
        raise Refused(f"its filter is {depth} deep and its input {channels}")
    groups = channels // depth
    area, dilation = _window(op, height, width)
    inputs = [op.input(), op.weights(1), bias(op, 1, out), op.int32(op.padding()), *strides(op)]
    if groups == 1:
        inputs += [op.int32(op.fused()), *dilation]
        op.emit(OperationCode.CONV_2D, inputs, [op.output(0, (batch, *area, out))])
        return
    if dilation or out % groups:
        raise Refused(f"a convolution of {groups} groups is dilated or gives {out} channels")
    inputs += [op.int32(groups), op.int32(op.fused()), op.bool8(False)]
    op.emit(OperationCode.GROUPED_CONV_2D, inputs, [op.output(0, (batch, *area, out))])


@rule("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(op: Op) -> None:
    """Filter [1, height, width, channels * multiplier]; the file's own multiplier may be 0."""
    batch, _, _, channels = op.rank4()
    one, height, width, out = op.rank4(1)
    if one != 1 or not channels or not out or out % channels:
        raise Refused(f"its filter has the shape {list(op.shape(1))} for {channels} channels")
    area, dilation = _window(op, height, width)
    inputs = [op.input(), op.weights(1), bias(op, 1, out, 3), op.int32(op.padding()), *strides(op)]
    inputs += [op.int32(out // channels), op.int32(op.fused()), *dilation]
    op.emit(OperationCode.DEPTHWISE_CONV_2D, inputs, [op.output(0, (batch, *area, out))])


@rule("TRANSPOSE_CONV")
def transpose_conv(op: Op) -> None:
    """Inputs: the output's shape, filter [out, height, width, in], input, and perhaps a bias."""
    shape = op.integers(0)
    batch, _, _, channels = op.rank4(2)
    out, _, _, depth = op.rank4(1)
    if channels != depth or len(shape) != 4 or shape[0] != batch or shape[3] != out:
        raise Refused(f"its filter has the shape {list(op.shape(1))} for {channels} channels and {list(shape[:8])}")
    hybrid = op.tensor(2).dtype == np.float32 and op.tensor(1).dtype != np.float32
    weights = op.float_constant(1) if hybrid else op.input(1)
    inputs = [op.input(2), weights, bias(op, 1, out, source=2, k=3, weights=weights), op.vector(shape)]
    inputs += [op.int32(op.padding()), *strides(op), op.int32(op.fused()), op.bool8(False)]
    op.emit(OperationCode.TRANSPOSE_CONV_2D, inputs, [op.output(0, shape)])


@rule("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
def pool_2d(op: Op) -> None:
    """Pooling; the output is quantised as the input is."""
    batch, _, _, channels = op.rank4()
    width, height = op.option("filter_width", 1, MAX_STRIDE), op.option("filter_height", 1, MAX_STRIDE)
    area, _ = _window(op, height, width)
    inputs = [op.input(), op.int32(op.padding()), *strides(op), op.int32(width), op.int32(height), op.int32(op.fused())]
    output = op.output(0, (batch, *area, channels))
    op.require_same_quantization(op.input(), output)
    op.emit(OperationCode[op.name], inputs, [output])


def strides(op: Op) -> tuple[int, int]:
    """The operands of the strides, width first."""
    return op.int32(op.option("stride_w", 1, MAX_STRIDE)), op.int32(op.option("stride_h", 1, MAX_STRIDE))


def _window(op: Op, height: int, width: int) -> tuple[tuple[int, int], list[int]]:
    """The output's height and width, and the operands of layout and dilation where the window is dilated."""
    dilation = [
        op.option(name, 1, MAX_STRIDE) if name in op.operator.options else 1
        for name in ("dilation_hfactor", "dilation_wfactor")
    ]
    area = []
    for axis, (size, name) in enumerate(((height, "stride_h"), (width, "stride_w"))):
        reach = 1 if op.padding() == PaddingCode.SAME else (size - 1) * dilation[axis] + 1
        area.append(-((reach - 1 - op.shape()[1 + axis]) // op.option(name, 1, MAX_STRIDE)))
    if dilation == [1, 1]:
        return (area[0], area[1]), []
    op.builder.need(3, "a dilated window")
    return (area[0], area[1]), [op.bool8(False), op.int32(dilation[1]), op.int32(dilation[0])]


def bias(op: Op, filter_input: int, size: int, channel: int = 0, source: int = 0, k: int = 2, weights: int = -1) -> int:
    """The operand of the bias; zeros without one.

    An int32 bias has the scale ``input * filter``, whatever the file says, and 0 where the filter has a scale for each
    channel, as the API demands.

    Args:
        op: The operator.
        filter_input: Which input the filter is.
        size: The number of output channels.
        channel: The filter's dimension that has the output channels.
        source: Which input is convolved.
        k: Which input the bias is.
        weights: The filter's operand, where it has been made.
    """
    source_operand = op.at(op.input(source))
    filter_operand = op.at(weights if weights >= 0 else op.weights(filter_input))
    if op.has(k) and op.shape(k) != (size,):
        raise Refused(f"its bias has the shape {list(op.shape(k))} and not [{size}]")
    if source_operand.code == FLOAT:
        if filter_operand.code != FLOAT:
            raise Refused(f"its filter is {filter_operand.code.name} and its input float32")
        if not op.has(k):
            return op.made(FLOAT, np.zeros(_made(size), np.float32))
        return op.float_constant(k) if op.is_constant(k) else op.input(k)
    scale = bias_scale(source_operand, filter_operand)
    if filter_operand.channel_scales is not None:
        scale = 0.0
        if filter_operand.channel_dim != channel or len(filter_operand.channel_scales) != size:
            raise Refused(f"its filter has scales for dimension {filter_operand.channel_dim}")
    elif filter_operand.code != source_operand.code:
        raise Refused(f"its filter is {filter_operand.code.name} and its input {source_operand.code.name}")
    elif not 0 < scale < np.inf:
        raise Refused(f"its bias would have the scale {scale:g}")
    elif op.result().dtype == op.tensor(source).dtype and quantization(op.result())[0] <= scale:
        op.builder.need(3, "an output of a scale that is not above that of its sums")
    if not op.has(k):
        return op.made(OperandCode.TENSOR_INT32, np.zeros(_made(size), np.int32), scale)
    value = op.value(k)
    if value.dtype.kind != "i" or value.dtype.itemsize < 4:
        raise Refused(f"its bias is {value.dtype.name} and not int32")
    return op.builder.tensor(OperandCode.TENSOR_INT32, (size,), scale, 0, narrowed(value), op.tensor(k).name[:100])


def bias_scale(source: Operand, weights: Operand) -> float:
    """The product of two scales, as the API computes it."""
    with np.errstate(all="ignore"):
        return float(np.float32(source.scale) * np.float32(weights.scale))


def _made(size: int) -> int:
    if size > MAX_MADE_BYTES // 4:
        raise Refused(f"it needs a constant of {size} elements")
    return size
