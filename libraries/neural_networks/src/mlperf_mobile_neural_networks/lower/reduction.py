"""Values along an axis: normalised, summed up, compared."""

from __future__ import annotations

from mlperf_mobile_neural_networks.codes import FuseCode, OperandCode, OperationCode
from mlperf_mobile_neural_networks.lower.arithmetic import require_range
from mlperf_mobile_neural_networks.lower.builder import MAX_RANK, QUANTIZED, Refused
from mlperf_mobile_neural_networks.lower.op import Op
from mlperf_mobile_neural_networks.lower.rules import rule

_REDUCTIONS = {
    "MEAN": OperationCode.MEAN,
    "SUM": OperationCode.REDUCE_SUM,
    "REDUCE_MAX": OperationCode.REDUCE_MAX,
    "REDUCE_MIN": OperationCode.REDUCE_MIN,
    "REDUCE_PROD": OperationCode.REDUCE_PROD,
    "REDUCE_ANY": OperationCode.REDUCE_ANY,
    "REDUCE_ALL": OperationCode.REDUCE_ALL,
}


@rule(*_REDUCTIONS)
def reduce(op: Op) -> None:
    """Axes are a constant; what the API cannot do in 8 bits is done in float32."""
    shape, code = op.shape(), _REDUCTIONS[op.name]
    axes = sorted({op.axis(axis, len(shape)) for axis in op.integers(1)})
    keep = op.option("keep_dims", 0, 1)
    if not axes or len(shape) > MAX_RANK:
        raise Refused(f"it reduces {list(shape[:8])} along {axes}")
    left = [1 if axis in axes else n for axis, n in enumerate(shape) if keep or axis not in axes]
    output = op.output(0, left)
    flag = op.int32(keep) if code == OperationCode.MEAN else op.bool8(keep)
    inputs = [op.input(), op.vector(axes), flag]
    alone = code in {OperationCode.REDUCE_SUM, OperationCode.REDUCE_PROD}
    if not op.is_quantized() or not (alone or not op.same_quantization(op.input(), output)):
        op.emit(code, inputs, [output])
        return
    result = op.real_output()
    op.emit(code, [op.real_input(0), *inputs[1:]], [result])
    op.finish_real(result)


@rule("ARG_MAX", "ARG_MIN")
def arg_max(op: Op) -> None:
    """The axis is a scalar."""
    axis = op.axis(op.integer(1), len(op.shape()))
    output = op.output(0, op.shape()[:axis] + op.shape()[axis + 1 :])
    if op.at(output).code != OperandCode.TENSOR_INT32 or len(op.shape()) > MAX_RANK:
        raise Refused(f"its output is {op.at(output).code.name}, of an input of {len(op.shape())} dimensions")
    op.emit(OperationCode[op.name.replace("_", "")], [op.input(), op.int32(axis)], [output])


@rule("TOPK_V2")
def top_k(op: Op) -> None:
    """The number is a scalar; values and their indices come out."""
    shape, number = op.shape(), op.integer(1)
    if not shape or not 0 < number <= shape[-1] or len(shape) > MAX_RANK:
        raise Refused(f"it takes {number} of {list(shape[:8])}")
    outputs = [op.output(k, (*shape[:-1], number)) for k in range(2)]
    op.require_same_quantization(op.input(), outputs[0])
    if op.at(outputs[1]).code != OperandCode.TENSOR_INT32:
        raise Refused(f"its indices are {op.at(outputs[1]).code.name}")
    op.emit(OperationCode.TOPK_V2, [op.input(), op.int32(number)], outputs)


@rule("SOFTMAX")
def softmax(op: Op) -> None:
    """Along the last dimension, with a factor before the exponent."""
    output, beta = op.output(0, op.shape()), op.real("beta")
    if len(op.shape()) > MAX_RANK or beta <= 0:
        raise Refused(f"its input has {len(op.shape())} dimensions, and its factor is {beta:g}")
    if len(op.shape()) not in {2, 4}:
        op.builder.need(3, "SOFTMAX of other than 2 or 4 dimensions")
    require_range(op, 1 / 256, -128)
    op.emit(OperationCode.SOFTMAX, [op.input(), op.float32(beta)], [output])


@rule("LOG_SOFTMAX")
def log_softmax(op: Op) -> None:
    """In float32, along the last dimension."""
    op.output(0, op.shape())
    if len(op.shape()) > MAX_RANK:
        raise Refused(f"its input has {len(op.shape())} dimensions")
    result = op.real_output()
    op.emit(OperationCode.LOG_SOFTMAX, [op.real_input(0), op.float32(1.0), op.int32(-1)], [result])
    op.finish_real(result)


@rule("L2_NORMALIZATION")
def l2_normalization(op: Op) -> None:
    """Along the last dimension."""
    output = op.output(0, op.shape())
    if op.fused() != FuseCode.NONE or len(op.shape()) > MAX_RANK:
        raise Refused("it has an activation or too many dimensions")
    if len(op.shape()) < 4:
        op.builder.need(3, "L2_NORMALIZATION of fewer than 4 dimensions")
    if op.at(output).code in QUANTIZED:
        require_range(op, 1 / 128, 0)
    op.emit(OperationCode.L2_NORMALIZATION, [op.input()], [output])


@rule("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(op: Op) -> None:
    """Across channels that are near."""
    output = op.output(0, op.rank4())
    inputs = [
        op.input(),
        op.int32(op.option("radius", 1, 2**15)),
        *(op.float32(op.real(n)) for n in ("bias", "alpha", "beta")),
    ]
    op.emit(OperationCode.LOCAL_RESPONSE_NORMALIZATION, inputs, [output])
