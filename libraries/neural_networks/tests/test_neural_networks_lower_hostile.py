"""What is wrong with a model is told, whatever it is."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.lower import lower, unsupported
from mlperf_mobile_neural_networks.lower.builder import MAX_MADE_BYTES
from mlperf_mobile_tflite_model.reader import read

SMALL = sorted((Path(__file__).parents[3] / "plugins" / "backend_tflite" / "tests" / "models").glob("*.tflite"))
STRIDE = 61
CODES = {"model-damaged", "model-not-tflite", "unsupported-operations"}


def outcome(path: Path, level: int = 8) -> str:
    """The error's code, or "lowered"; any other exception is a failure."""
    try:
        graph = lower(read(path), level)
    except ModelError as error:
        assert error.code in CODES
        assert len(error.summary) < 4000
        return error.code
    made = sum(operand.value.nbytes for operand in graph.operands if operand.value is not None)
    assert made <= 4 * path.stat().st_size + 16 * MAX_MADE_BYTES
    return "lowered"


@pytest.fixture(scope="module")
def written(tmp_path_factory, cases_of_session, maker_class) -> list[bytes]:
    """Every kind of operator as the bytes of a file, and small models of several."""
    maker = maker_class(tmp_path_factory.mktemp("written"))
    return [maker.write([case]).read_bytes() for case in cases_of_session] + [path.read_bytes() for path in SMALL]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "changed.tflite"


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4),
    st.integers(1, 8),
)
def test_flipped_bytes(written, scratch, which, flips, level) -> None:
    data = bytearray(written[which % len(written)])
    for position, value in flips:
        data[position % len(data)] ^= value
    scratch.write_bytes(data)
    outcome(scratch, level)


@pytest.mark.slow
def test_each_number_of_each_operator_at_its_extremes(written, scratch) -> None:
    """Some bytes of every model, others of each; all of them take minutes."""
    for start, data in enumerate(written):
        for position in range(start % STRIDE, len(data), STRIDE):
            for value in (0x00, 0x7F, 0xFF):
                scratch.write_bytes(data[:position] + bytes([value]) + data[position + 1 :])
                outcome(scratch)


@pytest.mark.slow
def test_missing_inputs_and_outputs(maker, each_case) -> None:
    def check(case) -> None:
        for k in range(len(case.inputs)):
            changed = deepcopy(case)
            changed.inputs[k] = None
            outcome(maker.write([changed]))
            del changed.inputs[k:]
            if changed.inputs:
                outcome(maker.write([changed]))
        changed = deepcopy(case)
        changed.outputs = []
        outcome(maker.write([changed]))

    each_case(check)


CHANGES = (
    {"shape": (5,)},
    {"shape": (2, 3, 4, 5, 6)},
    {"shape": ()},
    {"shape": (0, 3)},
    {"kind": "i"},
    {"kind": "l"},
)


@pytest.mark.nightly
@pytest.mark.slow
def test_other_shapes_and_types(maker, each_case) -> None:
    """No rule may trust that tensors fit together: each is given other dimensions, and each another type."""

    def check(case, change) -> None:
        for k, t in enumerate([*case.inputs, *case.outputs]):
            if t is None:
                continue
            changed = deepcopy(case)
            tensor = (changed.inputs + changed.outputs)[k]
            vars(tensor).update(change)
            if tensor.value is not None:
                tensor.value = True
            outcome(maker.write([changed]))

    each_case(check, CHANGES)


def test_options_left_out(maker, each_case) -> None:
    def check(case) -> None:
        changed = deepcopy(case)
        changed.options = {}
        outcome(maker.write([changed]))

    each_case(check)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CONV_2D", {"strideW": 0}),
        ("CONV_2D", {"strideH": -1}),
        ("CONV_2D", {"padding": 2}),
        ("CONV_2D", {"fusedActivationFunction": 4}),
        ("CONV_2D", {"dilationWFactor": 2**30}),
        ("AVERAGE_POOL_2D", {"filterWidth": 0}),
        ("CONCATENATION", {"axis": 3}),
        ("CONCATENATION", {"axis": -4}),
        ("GATHER", {"axis": 9}),
        ("GATHER", {"batchDims": 1}),
        ("DEPTH_TO_SPACE", {"blockSize": 0}),
        ("DEPTH_TO_SPACE", {"blockSize": 3}),
        ("SOFTMAX", {"beta": float("nan")}),
        ("SOFTMAX", {"beta": -1.0}),
        ("MIRROR_PAD", {"mode": 2}),
        ("UNPACK", {"axis": 5}),
        ("PACK", {"axis": -5}),
        ("FULLY_CONNECTED", {"weightsFormat": 1}),
        ("LEAKY_RELU", {"alpha": float("inf")}),
        ("LOCAL_RESPONSE_NORMALIZATION", {"radius": 0}),
        ("STRIDED_SLICE", {"offset": True}),
    ],
)
def test_options_out_of_range(maker, cases, name, options) -> None:
    case = deepcopy(next(case for case in cases if case.name == name))
    case.options |= options
    (refused,) = unsupported(maker.read(case), 8)
    assert (refused.name, refused.index) == (name, 0)


@pytest.mark.parametrize(
    ("name", "k", "value"),
    [
        ("GATHER", 1, [2, 3]),
        ("GATHER", 1, [-1, 0]),
        ("TRANSPOSE", 1, [0, 0, 1]),
        ("TRANSPOSE", 1, [0, 1, 3]),
        ("SLICE", 1, [0, 2, 2]),
        ("SLICE", 1, [0, -1, 2]),
        ("SLICE", 2, [2, -2, 1]),
        ("TILE", 1, [1, 2, -3]),
        ("TILE", 1, [2**31 - 1, 2**31 - 1, 2**31 - 1]),
        ("STRIDED_SLICE", 3, [1, 0, 1]),
        ("ARG_MAX", 1, [3]),
        ("TOPK_V2", 1, [5]),
        ("TOPK_V2", 1, [0]),
        ("MEAN", 1, [1, 3]),
        ("SPLIT", 0, [3]),
        ("RESIZE_BILINEAR", 1, [-9, 5]),
        ("SPACE_TO_BATCH_ND", 1, [0, 2]),
        ("SPACE_TO_BATCH_ND", 2, [1, 1, 0, -2]),
        ("MIRROR_PAD", 1, [2, 1, 0, 2, 0, 0]),
        ("PAD", 1, [-1, 2, 0, 2, 3, 0]),
    ],
)
def test_constants_out_of_range(maker, cases, name, k, value) -> None:
    case = deepcopy(next(case for case in cases if case.name == name))
    case.inputs[k].value = value
    (refused,) = unsupported(maker.read(case), 8)
    assert refused.name == name


def conv(cases):
    return deepcopy(next(case for case in cases if case.name == "CONV_2D" and case.inputs[0].kind == "s"))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e-45])
def test_invalid_scales(maker, cases, scale) -> None:
    case = conv(cases)
    case.inputs[0].quantized = (scale, 0)
    (refused,) = unsupported(maker.read(case), 8)
    assert "scale" in refused.reason


def test_a_zero_point_out_of_range(maker, cases) -> None:
    case = conv(cases)
    case.inputs[0].quantized = (0.1, 300)
    (refused,) = unsupported(maker.read(case), 8)
    assert refused.reason == "tensor 0 has the scale 0.1 and the zero point 300"


def test_a_large_constant_is_not_made(maker, case_class, tensor_class) -> None:
    """Truth values that would become a gigabyte of numbers."""
    shape = (2**14, 2**14)
    case = case_class("CAST", [tensor_class(shape, "b")], [tensor_class(shape)])
    (refused,) = unsupported(maker.read(case), 8)
    assert "large" in refused.reason


def test_a_tensor_beyond_any_memory(maker, case_class, tensor_class) -> None:
    shape = (2**20, 2**20, 2**20)
    (refused,) = unsupported(maker.read(case_class("ABS", [tensor_class(shape)], [tensor_class(shape)])), 8)
    assert "too large" in refused.reason


def test_one_constant_of_many_names(maker, case_class, tensor_class) -> None:
    """A file whose tensors share one buffer cannot make the graph many times as large as itself."""
    s = maker.schema
    half = tensor_class((2**20,), "h", True)
    count = 400
    unpack = [case_class("DEQUANTIZE", [half], [tensor_class((2**20,))]) for _ in range(2)]
    path = maker.write(unpack, [([0], [1]), ([0], [2])])
    model = s.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = model.subgraphs[0]
    for _ in range(count):
        operator = deepcopy(graph.operators[0])
        operator.outputs = [len(graph.tensors)]
        graph.tensors.append(deepcopy(graph.tensors[1]))
        graph.operators.append(operator)
    last = deepcopy(graph.operators[0])
    total = s.OperatorCodeT()
    total.builtinCode = total.deprecatedBuiltinCode = s.BuiltinOperator.CONCATENATION
    model.operatorCodes.append(total)
    last.opcodeIndex, last.inputs = len(model.operatorCodes) - 1, list(range(1, len(graph.tensors)))
    graph.tensors.append(deepcopy(graph.tensors[1]))
    last.outputs = graph.outputs = [len(graph.tensors) - 1]
    last.builtinOptions, last.builtinOptionsType = s.ConcatenationOptionsT(), s.BuiltinOptions.ConcatenationOptions
    graph.operators.append(last)
    builder = pytest.importorskip("flatbuffers").Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    reasons = {refused.reason for refused in unsupported(read(path), 8)}
    assert "the model's constants are larger than its file lets expect" in reasons


def test_long_dimensions_are_not_listed(maker, case_class, tensor_class) -> None:
    shape, edges = (2**28, 1), tensor_class((2, 2), "i", [1, 0, 0, 0])
    case = case_class("MIRROR_PAD", [tensor_class(shape), edges], [tensor_class((2**28 + 1, 1))])
    (refused,) = unsupported(maker.read(case), 8)
    assert refused.reason == f"it moves {2**28} entries"
    case = case_class("REVERSE_V2", [tensor_class(shape), tensor_class((1,), "i", [0])], [tensor_class(shape)])
    (refused,) = unsupported(maker.read(case), 8)
    assert refused.reason == f"it moves {2**28} entries"


def test_long_integers_that_do_not_fit(maker, case_class, tensor_class) -> None:
    inputs = [tensor_class((3, 4)), tensor_class((1,), "l", [2**40])]
    (refused,) = unsupported(maker.read(case_class("GATHER", inputs, [tensor_class((1, 4))])), 8)
    assert "64-bit" in refused.reason or "beyond" in refused.reason


# -------------------------------------------------------------------------------------------------- messages


def test_messages_name_each_kind_once(maker, case_class, tensor_class) -> None:
    """And no more than a few kinds, with names that can be shown."""
    kinds = [f"Odd\x1b[31m{i}{'x' * 200}" for i in range(20)] * 2
    chain = [case_class(kind, [tensor_class((1, 4))], [tensor_class((1, 4))]) for kind in kinds]
    path = maker.write(chain, [([i], [i + 1]) for i in range(len(chain))])
    with pytest.raises(ModelError) as error:
        lower(read(path), 8)
    summary = error.value.summary
    assert error.value.code == "unsupported-operations"
    assert f"40 of 40 operators of {path} cannot run on feature level 8" in summary
    assert summary.count("Odd?[31m") == 8
    assert "and 32 more" in summary
    assert "\x1b" not in summary
    assert len(summary) < 2000


def test_what_is_supported_on_a_higher_level(maker, cases) -> None:
    case = next(case for case in cases if case.name == "BATCH_MATMUL" and case.inputs[0].kind == "f")
    (refused,) = unsupported(maker.read(case), 2)
    assert str(refused) == "BATCH_MATMUL (operator 0: SPLIT needs feature level 3, and there is 2)"


# ------------------------------------------------------------------------------------------------ whole models


def relu(case_class, tensor_class):
    return case_class("RELU", [tensor_class((1, 4))], [tensor_class((1, 4))])


def test_operators_in_a_circle(maker, case_class, tensor_class) -> None:
    path = maker.write([relu(case_class, tensor_class)] * 4, [([0], [1]), ([2], [3]), ([3], [2]), ([3], [4])])
    assert outcome(path) == "unsupported-operations"


def test_a_tensor_that_is_written_twice(maker, case_class, tensor_class) -> None:
    path = maker.write([relu(case_class, tensor_class)] * 2, [([0], [1]), ([0], [1])])
    with pytest.raises(ModelError, match="operator 1 writes a tensor that has a value") as error:
        lower(read(path), 8)
    assert error.value.code == "model-damaged"


def test_a_tensor_without_a_value(maker, case_class, tensor_class) -> None:
    """The second operator reads what the third writes."""
    one = relu(case_class, tensor_class)
    model = read(maker.write([one, one, one], [([0], [1]), ([3], [2]), ([1], [3])]))
    assert [(each.index, each.reason) for each in unsupported(model, 8)] == [
        (1, "it reads tensor 3, which has no value")
    ]


def test_unread_operators_do_not_count(maker, case_class, tensor_class) -> None:
    """What computes the shape for a RESHAPE is known from the file, though no device has such operators."""
    odd = case_class("SHAPE", [tensor_class((1, 4))], [tensor_class((2,), "l")])
    sums = case_class("CUMSUM", [tensor_class((2,), "l")], [tensor_class((2,), "l")])
    reshape = case_class("RESHAPE", [tensor_class((1, 4)), tensor_class((2,), "l")], [tensor_class((4, 1))])
    model = read(maker.write([odd, sums, reshape], [([0], [1]), ([1], [2]), ([0, 2], [3])]))
    assert unsupported(model, 8) == ()
    assert [operation.code.name for operation in lower(model, 8).operations] == ["RESHAPE"]


def test_an_input_that_is_an_output(maker, case_class, tensor_class) -> None:
    from dataclasses import replace

    model = read(maker.write([relu(case_class, tensor_class)]))
    with pytest.raises(ModelError, match="no operation computes it") as error:
        lower(replace(model, outputs=model.inputs), 8)
    assert error.value.code == "unsupported-operations"


def test_an_input_of_long_integers(maker, case_class, tensor_class) -> None:
    case = case_class("CAST", [tensor_class((1, 4), "l")], [tensor_class((1, 4))])
    with pytest.raises(ModelError, match="no tensors of type int64"):
        lower(maker.read(case), 8)


# -------------------------------------------------------------------------------------------------- constants


def test_equal_constants_are_shared(maker, case_class, tensor_class) -> None:
    ones = tensor_class((1, 4), "f", [1, 1, 1, 1])
    adds = [case_class("ADD", [tensor_class((1, 4)), ones], [tensor_class((1, 4))]) for _ in range(2)]
    graph = lower(read(maker.write(adds, [([0, 1], [2]), ([2, 3], [4])])), 8)
    assert len(graph.operands) == 5  # an input, a constant, an activation's code, a sum, the output
    assert graph.operations[0].inputs[1:] == graph.operations[1].inputs[1:]


def test_weights_of_half_precision(maker, case_class, tensor_class) -> None:
    half = tensor_class((3,), "h", [0.5, -2, 1])
    unpack = case_class("DEQUANTIZE", [half], [tensor_class((3,))])
    multiply = case_class("MUL", [tensor_class((1, 3)), tensor_class((3,))], [tensor_class((1, 3))])
    graph = lower(read(maker.write([unpack, multiply], [([1], [2]), ([0, 2], [3])])), 1)
    (operation,) = graph.operations
    assert (operation.code.name, operation.sources) == ("MUL", (1,))
    constant = graph.operands[operation.inputs[1]]
    assert constant.value.dtype == np.float32
    assert constant.value.tolist() == [0.5, -2, 1]


def test_dynamic_range_weights(maker, cases) -> None:
    """By the file: 0.01, 0.011, ... are the scales of the channels, and zero points are 0."""
    case = next(c for c in cases if c.name == "FULLY_CONNECTED" and [t.kind for t in c.inputs[:2]] == ["f", "c"])
    model = maker.read(case)
    graph = lower(model, 1)
    weights = graph.operands[graph.operations[0].inputs[1]]
    stored = model.tensors[1].data.astype(np.float64)
    wanted = stored * (0.01 + 0.001 * np.arange(5))[:, None]
    np.testing.assert_allclose(weights.value, wanted, rtol=1e-6)
