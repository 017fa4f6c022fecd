"""Lowered operators against the API's documentation: how many inputs of which kind and type, and the feature level."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode
from mlperf_mobile_neural_networks.graph import Graph, Operand
from mlperf_mobile_neural_networks.lower import lower, unsupported

SIGNATURES = {
    "ADD": "TTi", "SUB": "TTi", "MUL": "TTi", "DIV": "TTi",
    "AVERAGE_POOL_2D": "Tiiiiii", "MAX_POOL_2D": "Tiiiiii", "L2_POOL_2D": "Tiiiiii",
    "BATCH_MATMUL": "TTbb", "BATCH_TO_SPACE_ND": "TV", "SPACE_TO_BATCH_ND": "TVV",
    "CONV_2D": "TTTiiii TTTiiiibii", "DEPTHWISE_CONV_2D": "TTTiiiii TTTiiiiibii",
    "GROUPED_CONV_2D": "TTTiiiiib",
    "TRANSPOSE_CONV_2D": "TTTViiiib", "FULLY_CONNECTED": "TTTi",
    "DEPTH_TO_SPACE": "Ti", "SPACE_TO_DEPTH": "Ti", "DETECTION_POSTPROCESSING": "TTTffffbiiiffb",
    "EMBEDDING_LOOKUP": "TT", "GATHER": "TiT", "CONCATENATION": "T+i", "PACK": "iT+", "SPLIT": "Tii", "SLICE": "TVV",
    "STRIDED_SLICE": "TVVViii", "TILE": "TV", "TRANSPOSE": "TV", "RESHAPE": "TV", "PAD": "TV", "PAD_V2": "TVf TVi",
    "RESIZE_BILINEAR": "Tii Tiibbb", "RESIZE_NEAREST_NEIGHBOR": "Tiib Tiibbb",
    "MEAN": "TVi", "REDUCE_MAX": "TVb", "REDUCE_MIN": "TVb", "REDUCE_SUM": "TVb",
    "REDUCE_PROD": "TVb", "REDUCE_ANY": "TVb",
    "ARGMAX": "Ti", "ARGMIN": "Ti", "TOPK_V2": "Ti", "SOFTMAX": "Tf", "LOG_SOFTMAX": "Tfi", "L2_NORMALIZATION": "T",
    "LOCAL_RESPONSE_NORMALIZATION": "Tifff", "ELU": "Tf", "SELECT": "TTT", "PRELU": "TT", "POW": "TT", "MAXIMUM": "TT",
    "MINIMUM": "TT", "EQUAL": "TT", "NOT_EQUAL": "TT", "GREATER": "TT", "LESS_EQUAL": "TT",
    "LOGICAL_AND": "TT", "LOGICAL_OR": "TT",
    "ABS": "T", "CAST": "T", "DEQUANTIZE": "T", "EXP": "T", "FLOOR": "T", "HARD_SWISH": "T", "LOG": "T",
    "LOGICAL_NOT": "T", "LOGISTIC": "T", "NEG": "T", "QUANTIZE": "T", "RELU": "T", "RELU1": "T", "RELU6": "T",
    "RSQRT": "T", "SIN": "T", "SQRT": "T", "TANH": "T",
}  # fmt: skip
"""Of the documentation of each operation: T tensor, V constant tensor of int32, i f b scalars; + one or more."""

SAME_QUANTIZATION = {
    "AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "GATHER", "MAX_POOL_2D", "MEAN", "PAD", "PAD_V2",
    "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR",
    "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "STRIDED_SLICE", "TILE", "TOPK_V2", "TRANSPOSE",
}  # fmt: skip
"""The documentation: "the scale and zeroPoint must be the same as input0"."""

SCALARS = {OperandCode.INT32: "i", OperandCode.FLOAT32: "f", OperandCode.BOOL: "b"}
QUANTIZED = {OperandCode.TENSOR_QUANT8_ASYMM: np.uint8, OperandCode.TENSOR_QUANT8_ASYMM_SIGNED: np.int8}


def patterns(signature: str, count: int) -> Iterator[str]:
    for word in signature.split():
        if "+" in word:
            before, after = word.split("T+")
            yield before + "T" * (count - len(before) - len(after)) + after
        else:
            yield word


def matches(operand: Operand, letter: str) -> bool:
    if operand.code in SCALARS:
        return SCALARS[operand.code] == letter and operand.value is not None and operand.value.shape == ()
    if letter == "V":
        return operand.code == OperandCode.TENSOR_INT32 and operand.value is not None
    return letter == "T"


def check(graph: Graph, level: int) -> None:
    """What holds of every graph."""
    known = set(graph.inputs) | {i for i, operand in enumerate(graph.operands) if operand.value is not None}
    for operand in graph.operands:
        is_scalar = operand.code in SCALARS
        assert (operand.dimensions == ()) == is_scalar
        assert min(operand.dimensions, default=1) > 0
        assert len(operand.dimensions) <= 4
        assert operand.code.feature_level <= level
        if operand.value is not None:
            assert operand.value.shape == operand.dimensions
            assert operand.value.flags.c_contiguous
            assert operand.value.flags.aligned
        if operand.code in QUANTIZED:
            limits = np.iinfo(QUANTIZED[operand.code])
            assert operand.scale > 0
            assert limits.min <= operand.zero_point <= limits.max
        elif operand.code == OperandCode.TENSOR_QUANT8_SYMM_PER_CHANNEL:
            assert operand.channel_scales is not None
            assert operand.channel_scales.shape == (operand.dimensions[operand.channel_dim],)
        elif operand.code != OperandCode.TENSOR_INT32:
            assert (operand.scale, operand.zero_point) == (0, 0)
    for operation in graph.operations:
        assert operation.code.feature_level <= level
        inputs = [graph.operands[i] for i in operation.inputs]
        assert any(
            len(pattern) == len(inputs) and all(map(matches, inputs, pattern))
            for pattern in patterns(SIGNATURES[operation.code.name], len(inputs))
        ), operation
        assert known.issuperset(operation.inputs)
        assert known.isdisjoint(operation.outputs)
        known |= set(operation.outputs)
        assert operation.sources
        check_operation(operation.code, inputs, [graph.operands[i] for i in operation.outputs])
    assert known.issuperset(graph.outputs)
    for operands, specs in ((graph.inputs, graph.input_specs), (graph.outputs, graph.output_specs)):
        for index, spec in zip(operands, specs, strict=True):
            assert math.prod(graph.operands[index].dimensions) == math.prod(spec.shape)


def check_operation(code: OperationCode, inputs: list[Operand], outputs: list[Operand]) -> None:
    """Sizes and scales that the documentation of single operations asks for."""
    main = inputs[0]
    if code.name in {"RESHAPE", "TRANSPOSE"}:
        assert math.prod(main.dimensions) == math.prod(outputs[0].dimensions)
    if code.name == "RESHAPE":
        assert tuple(inputs[1].value) == outputs[0].dimensions
    if code.name in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "GROUPED_CONV_2D", "TRANSPOSE_CONV_2D"}:
        weights, bias = inputs[1:3]
        channels = outputs[0].dimensions[-1]
        assert bias.dimensions == (channels,)
        assert weights.dimensions[-1 if code.name == "DEPTHWISE_CONV_2D" else 0] == channels
        if main.code in QUANTIZED:
            assert bias.code == OperandCode.TENSOR_INT32
            assert bias.zero_point == 0
            if weights.code == OperandCode.TENSOR_QUANT8_SYMM_PER_CHANNEL:
                assert bias.scale == 0
                assert weights.channel_dim == (3 if code.name == "DEPTHWISE_CONV_2D" else 0)
                assert code.name != "FULLY_CONNECTED"
            else:
                assert weights.code == main.code
                assert bias.scale == pytest.approx(main.scale * weights.scale, rel=1e-6)
        else:
            assert weights.code == bias.code == outputs[0].code == OperandCode.TENSOR_FLOAT32
    if code.name == "FULLY_CONNECTED":
        assert len(outputs[0].dimensions) == 2
    if code.name == "MUL" and main.code in QUANTIZED:
        assert outputs[0].scale > main.scale * inputs[1].scale
    if code.name in SAME_QUANTIZATION:
        assert (main.code, main.scale, main.zero_point) == (outputs[0].code, outputs[0].scale, outputs[0].zero_point)
    if code.name in {"SOFTMAX", "LOGISTIC"} and main.code in QUANTIZED:
        assert outputs[0].scale == 1 / 256
    if code.name == "QUANTIZE":
        assert main.code == OperandCode.TENSOR_FLOAT32
    if code.name == "DETECTION_POSTPROCESSING":
        assert [o.code.name for o in outputs] == ["TENSOR_FLOAT32", "TENSOR_FLOAT32", "TENSOR_INT32", "TENSOR_INT32"]


def test_operators(maker, each_case) -> None:
    """All are supported on recent levels, and all but a few on those of Android 11 and 12."""
    read = cache(maker.read)
    lowered = Counter()

    def check_case(case, level: int) -> None:
        model = read(case)
        if refused := unsupported(model, level):
            assert level < 6
            assert case.inputs[0].kind == "i" or case.name in {"SPLIT", "UNPACK", "PACK"}, refused
        else:
            check(lower(model, level), level)
            lowered[level] += 1

    each_case(check_case, [8, 6, 5, 4])
    assert lowered[8] == lowered[6] > lowered[5] >= lowered[4] > 250


def test_operators_on_old_levels(maker, each_case) -> None:
    """Less is supported, and what is, obeys the level."""
    read = cache(maker.read)

    def check_case(case, level: int) -> None:
        model = read(case)
        if unsupported(model, level):
            with pytest.raises(ModelError, match=case.name) as error:
                lower(model, level)
            assert error.value.code == "unsupported-operations"
        else:
            check(lower(model, level), level)

    each_case(check_case, [1, 2, 3])


def test_the_quickstarts(quickstart) -> None:
    for model in quickstart:
        check(lower(model, 8), 8)


def test_the_quickstarts_on_android_12(quickstart) -> None:
    for model in quickstart:
        check(lower(model, 5), 5)


@pytest.mark.slow
def test_real_models(shared) -> None:
    from mlperf_mobile_tflite_model.reader import read

    paths = sorted(shared.glob("*.tflite"))
    assert paths
    for path in paths:
        check(lower(read(path), 8), 8)
        check(lower(read(path), 5), 5)


def test_detector(maker, detector) -> None:
    graph = lower(maker.read(detector()), 8)
    check(graph, 8)
    assert [o.code.name for o in graph.operations] == ["DETECTION_POSTPROCESSING", "CAST", "CAST"]
    scalars = [graph.operands[i].value.item() for i in graph.operations[0].inputs[3:]]
    assert scalars[:4] == [10.0, 10.0, 5.0, 5.0]
    assert scalars[4:8] == [False, 10, 1, 100]
    assert scalars[8:10] == pytest.approx([0.3, 0.6])
    assert scalars[10] is False
    assert [spec.shape for spec in graph.output_specs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]


def test_detector_without_background(maker, detector) -> None:
    """The API passes over class 0, so that a class of zeros must stand there."""
    graph = lower(maker.read(detector(background=False)), 8)
    check(graph, 8)
    pad = graph.operations[0]
    assert pad.code == OperationCode.PAD
    assert graph.operands[pad.outputs[0]].dimensions == (1, 20, 4)
    assert graph.operands[pad.inputs[1]].value.tolist() == [[0, 0], [0, 0], [1, 0]]


@pytest.mark.parametrize(
    "options", [{"max_detections": -1}, {"num_classes": 7}, {"y_scale": float("inf")}, {"max_detections": 2**40}]
)
def test_detector_of_wrong_options(maker, detector, options) -> None:
    assert unsupported(maker.read(detector(**options)), 8)
