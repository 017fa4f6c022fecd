"""Models cut into parts: which operators go together, and that the parts on LiteRT give what the whole gives."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.contracts import Tensors
from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.extract import Extractor
from mlperf_mobile_neural_networks.lower import lower
from mlperf_mobile_neural_networks.split import Segment, part, segments
from mlperf_mobile_tflite_model.model_file import check_data
from mlperf_mobile_tflite_model.reader import TFLiteModel, read

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "plugins" / "backend_tflite" / "tests" / "models"
QUICKSTART = sorted(ROOT.glob("tasks/*/src/*/quickstart/*.tflite"))


@pytest.fixture
def wire(maker, case_class, tensor_class):
    """``wire(([0], [1]), ([1, 9], [2]), constants=[9])``: additions and activations that are wired so."""

    def wire(*wiring: tuple[list[int], list[int]], constants: tuple[int, ...] = (), names=()) -> TFLiteModel:
        def tensor(index: int):
            return tensor_class((1, 4), "f", True if index in constants else None)

        chain = [
            case_class(
                names[i] if names else ("RELU", "ADD", "ADD_N")[len(ends[0]) - 1],
                *([tensor(t) for t in end] for end in ends),
            )
            for i, ends in enumerate(wiring)
        ]
        return read(maker.write(chain, list(wiring)))

    return wire


def test_a_chain(wire) -> None:
    model = wire(([0], [1]), ([1], [2]), ([2], [3]), ([3], [4]))
    assert segments(model, {0, 3}) == [
        Segment(True, (0,), (0,), (1,)),
        Segment(False, (1, 2), (1,), (3,)),
        Segment(True, (3,), (3,), (4,)),
    ]


@pytest.mark.parametrize("on_device", [{0, 1, 2}, set()])
def test_all_of_one_kind(wire, on_device) -> None:
    model = wire(([0], [1]), ([1], [2]), ([2], [3]))
    assert segments(model, on_device) == [Segment(bool(on_device), (0, 1, 2), (0,), (3,))]


def test_branches_are_taken_together(wire) -> None:
    """Two branches, each device then CPU, which meet on the device: three segments, and not five."""
    model = wire(([0], [1]), ([1], [2]), ([0], [3]), ([3], [4]), ([2, 4], [5]))
    assert segments(model, {0, 2, 4}) == [
        Segment(True, (0, 2), (0,), (1, 3)),
        Segment(False, (1, 3), (1, 3), (2, 4)),
        Segment(True, (4,), (2, 4), (5,)),
    ]


def test_an_early_tensor_that_is_read_late(wire) -> None:
    model = wire(([0], [1]), ([1], [2]), ([2, 1], [3]))
    assert segments(model, {0, 2}) == [
        Segment(True, (0,), (0,), (1,)),
        Segment(False, (1,), (1,), (2,)),
        Segment(True, (2,), (2, 1), (3,)),
    ]


def test_constants_follow_their_readers(wire) -> None:
    """Operator 0 reads a constant: both parts that need its result compute it by themselves."""
    model = wire(([5], [6]), ([0, 6], [1]), ([1, 6], [2]), constants=(5,))
    start, folded = model.inputs[0], model.operators[0].outputs[0]
    middle, end = model.operators[1].outputs[0], model.operators[2].outputs[0]
    assert segments(model, {0, 1}) == [
        Segment(True, (0, 1), (start,), (middle,)),
        Segment(False, (0, 2), (middle,), (end,)),
    ]
    # A device that does not take operator 0 gets its result, and so does the CPU.
    assert segments(model, {1}) == [
        Segment(False, (0,), (), (folded,)),
        Segment(True, (1,), (start, folded), (middle,)),
        Segment(False, (2,), (middle, folded), (end,)),
    ]


def test_unread_operators_are_left_out(wire) -> None:
    from dataclasses import replace

    model = wire(([0], [1]), ([1], [2]), ([1], [3]))
    model = replace(model, outputs=(2,))
    assert segments(model, {0, 1}) == [Segment(True, (0, 1), (0,), (2,))]


def test_a_part_can_be_lowered(wire) -> None:
    model = wire(([0], [1]), ([1], [2]), ([2], [3]))
    first, _, last = segments(model, {0, 2})
    graphs = [lower(part(model, segment), 8) for segment in (first, last)]
    assert [[operation.sources for operation in graph.operations] for graph in graphs] == [[(0,)], [(2,)]]
    assert [spec.name for graph in graphs for spec in (*graph.input_specs, *graph.output_specs)] == [
        "t0",
        "t1",
        "t2",
        "t3",
    ]


def test_shared_state(wire) -> None:
    model = wire(([0], [1]), ([1], [2]), names=("READ_VARIABLE", "RELU"))
    with pytest.raises(ModelError, match="READ_VARIABLE share a state") as error:
        segments(model, {1})
    assert error.value.code == "unsupported-operations"


def test_an_output_that_nothing_computes(wire) -> None:
    from dataclasses import replace

    model = wire(([0], [1]))
    with pytest.raises(ModelError, match=r"output 0 of .* is not computed"):
        segments(replace(model, outputs=(0,)), {0})


def test_operators_in_a_circle(wire) -> None:
    model = wire(([0, 2], [1]), ([1], [2]), ([2], [3]))
    with pytest.raises(ModelError, match="reads what is written later") as error:
        segments(model, {0, 2})
    assert error.value.code == "model-damaged"


def test_too_many_parts(wire) -> None:
    model = wire(*(([i], [i + 1]) for i in range(1100)))
    with pytest.raises(ModelError, match="more than 1000 parts") as error:
        segments(model, set(range(0, 1100, 2)))
    assert error.value.code == "unsupported-operations"


@settings(max_examples=200)
@given(st.data())
def test_segments_can_run_in_their_order(data) -> None:
    """Of random graphs on random placements: everything is there when it is read, and once."""
    from mlperf_mobile_tflite_model.reader import Operator, Tensor

    count = data.draw(st.integers(1, 12))
    operators = []
    for index in range(count):
        inputs = data.draw(st.lists(st.integers(0, index), min_size=1, max_size=3))
        operators.append(Operator(index, "ADD", False, 1, tuple(inputs), (index + 1,), {}, b""))
    tensors = tuple(Tensor(i, f"t{i}", (1,), np.dtype(np.float32)) for i in range(count + 1))
    outputs = tuple(sorted(data.draw(st.sets(st.integers(1, count), min_size=1))))
    model = TFLiteModel(Path("m"), tensors, tuple(operators), (0,), outputs)
    on_device = data.draw(st.sets(st.integers(0, count - 1)))
    known, seen = {0}, set()
    for segment in segments(model, on_device):
        assert known.issuperset(segment.inputs)
        inside = set(segment.inputs)
        for index in segment.operators:
            assert index not in seen
            assert (index in on_device) == segment.on_device
            assert inside.issuperset(operators[index].inputs)
            inside |= set(operators[index].outputs)
            seen.add(index)
        assert inside.issuperset(segment.outputs)
        known |= set(segment.outputs)
    assert known.issuperset(outputs)


# -------------------------------------------------------------------------------------------------- extraction


def litert(content: bytes, sample: Tensors) -> list[np.ndarray]:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    for detail, tensor in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], tensor)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def in_parts(path: Path, on_device: set[int], sample: Tensors) -> list[np.ndarray]:
    """The outputs when all segments run on LiteRT, each as a file of its own."""
    model, extractor = read(path), Extractor(path)
    known = dict(zip(model.inputs, sample, strict=True))
    for segment in segments(model, on_device):
        content = extractor.extract(segment)
        check_data(content, path)
        known |= zip(segment.outputs, litert(content, tuple(known[i] for i in segment.inputs)), strict=True)
    return [known[index] for index in model.outputs]


def random_sample(path: Path) -> Tensors:
    rng, model = np.random.default_rng(3), read(path)
    tensors = [model.tensors[index] for index in model.inputs]
    return tuple(
        rng.uniform(-1, 1, t.shape).astype(np.float32)
        if t.dtype.kind == "f"
        else rng.integers(0, 2, t.shape).astype(t.dtype)
        for t in tensors
    )


def folded(model: TFLiteModel) -> set[int]:
    """What lowering computes by itself: weights of half precision."""
    return {o.index for o in model.operators if o.name == "DEQUANTIZE" and model.tensors[o.inputs[0]].data is not None}


def check_cuts(path: Path, seeds: range) -> None:
    sample, model = random_sample(path), read(path)
    count = len(model.operators)
    whole = litert(path.read_bytes(), sample)
    for seed in seeds:
        chance = random.Random(seed)
        borders = sorted(chance.sample(range(count), min(3, count)))
        on_device = {i for i in range(count) if sum(i >= border for border in borders) % 2} | folded(model)
        for ours, theirs in zip(in_parts(path, on_device, sample), whole, strict=True):
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("path", QUICKSTART, ids=lambda path: path.stem)
def test_quickstart_models_in_parts(path: Path) -> None:
    check_cuts(path, range(2))


@pytest.mark.slow
def test_real_models_in_parts(shared) -> None:
    for path in sorted(shared.glob("*.tflite")):
        if path.stem != "add":
            check_cuts(path, range(2))


@pytest.mark.parametrize("on_device", [{0}, {1}, {0, 2}, {1, 3}, {4}])
def test_a_small_model_in_parts(on_device) -> None:
    """By hand, of x = [1, -2, 0.5, 4]: ``relu((x + x) * [1,2,3,4] + x) + x``."""
    sample = (np.array([[1, -2, 0.5, 4]], np.float32),)
    assert in_parts(MODELS / "mixed.tflite", on_device, sample)[0].tolist() == [[4, -2, 4, 40]]


def test_constants_behind_the_flatbuffer() -> None:
    sample = (np.array([[1, 1, 1, 1]], np.float32),)
    assert in_parts(MODELS / "external.tflite", set(), sample)[0].tolist() == [[2, 3, 4, 5]]


def test_custom_options_are_kept(maker, detector) -> None:
    path = maker.write([detector()])
    content = Extractor(path).extract(segments(read(path), set())[0])
    target = path.with_name("cut.tflite")
    target.write_bytes(content)
    assert read(target).operators == read(path).operators


def test_quantisation_is_kept(tmp_path) -> None:
    path = next(path for path in QUICKSTART if path.stem == "fashion_mobilenet_int8")
    model = read(path)
    segment = segments(model, set(range(5)))[1]
    target = tmp_path / "cut.tflite"
    target.write_bytes(Extractor(path).extract(segment))
    cut = read(target)
    assert [operator.name for operator in cut.operators] == [operator.name for operator in model.operators[5:]]
    for ours, theirs in zip(cut.operators, model.operators[5:], strict=True):
        assert ours.options == theirs.options
        for a, b in zip((*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs), strict=True):
            one, other = cut.tensors[a], model.tensors[b]
            assert (one.name, one.shape, one.dtype, one.scales, one.zero_points, one.quantized_dimension) == (
                other.name, other.shape, other.dtype, other.scales, other.zero_points, other.quantized_dimension
            )  # fmt: skip
            assert (one.data is None) == (other.data is None)
            assert one.data is None or np.array_equal(one.data, other.data)
    assert target.stat().st_size < path.stat().st_size


def test_a_missing_model(tmp_path) -> None:
    with pytest.raises(ModelError) as error:
        Extractor(tmp_path / "missing.tflite")
    assert error.value.code == "model-missing"
