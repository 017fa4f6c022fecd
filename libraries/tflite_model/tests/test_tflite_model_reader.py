from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model.reader import TFLiteModel, read

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "plugins" / "backend_tflite" / "tests" / "models").glob("*.tflite"))
REAL = sorted(ROOT.glob("tasks/*/src/*/quickstart/*.tflite"))


def check_against_the_schema(path: Path) -> None:
    """What LiteRT's own schema module says of a file is what was read."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model, wanted = read(path), schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    graph = wanted.subgraphs[0]
    assert (list(model.inputs), list(model.outputs)) == (list(graph.inputs), list(graph.outputs))
    assert len(model.tensors) == len(graph.tensors)
    for tensor, other in zip(model.tensors, graph.tensors, strict=True):
        assert tensor.name == other.name.decode()
        assert tensor.shape == tuple([] if other.shape is None else other.shape)
        signature = [] if other.shapeSignature is None else list(other.shapeSignature)
        assert tensor.open_axes == tuple(axis for axis, size in enumerate(signature) if size == -1)
        if other.quantization is not None and other.quantization.scale is not None:
            assert tensor.scales == tuple(other.quantization.scale)
            assert tensor.zero_points == tuple(other.quantization.zeroPoint)
        else:
            assert tensor.scales == tensor.zero_points == ()
        buffer = wanted.buffers[other.buffer]
        if buffer.data is not None and len(buffer.data) and tensor.dtype is not None:
            assert tensor.data is not None
            assert tensor.data.tobytes() == buffer.data.tobytes()
        elif not buffer.offset:
            assert tensor.data is None
    assert len(model.operators) == len(graph.operators)
    for operator, other in zip(model.operators, graph.operators, strict=True):
        code = wanted.operatorCodes[other.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        assert operator.name == (code.customCode.decode() if name == "CUSTOM" else name)
        assert operator.is_custom == (name == "CUSTOM")
        assert operator.version == code.version
        assert list(operator.inputs) == list(other.inputs)
        assert list(operator.outputs) == list(other.outputs)
        assert operator.custom_options == bytes([] if other.customOptions is None else other.customOptions)
        known = {} if other.builtinOptions is None else vars(other.builtinOptions)
        assert sorted(operator.options) == sorted(map(snake, known))
        for key, value in known.items():
            option = operator.options[snake(key)]
            assert option == (tuple([] if value is None else value) if isinstance(option, tuple) else value), key


def snake(name: str) -> str:
    return "".join(
        f"_{c.lower()}" if c.isupper() and i and not name[i - 1].isupper() else c.lower() for i, c in enumerate(name)
    )


@pytest.mark.parametrize("path", [*FILES, *REAL], ids=lambda path: path.stem)
def test_models_are_read_as_the_schema_says(path: Path) -> None:
    check_against_the_schema(path)


@pytest.mark.slow
def test_larger_models_are_read_as_the_schema_says(shared: Path) -> None:
    for path in sorted(shared.glob("*.tflite")):
        check_against_the_schema(path)


def model_of(name: str) -> TFLiteModel:
    return read(FILES[0].parent / f"{name}.tflite")


def test_a_constant_behind_the_flatbuffer() -> None:
    data = model_of("external").tensors[2].data
    assert data is not None
    assert data.tolist() == [[1, 2, 3, 4]]
    assert not data.flags.writeable


def test_a_text_tensor_has_no_type() -> None:
    assert [tensor.dtype for tensor in model_of("text").tensors] == [None, None, np.int32]


def test_an_options_list() -> None:
    assert model_of("folded_batch").operators[0].options == {"new_shape": (1, -1)}


def test_defaults_are_filled_in() -> None:
    """``pot_scale_int16`` is true unless a file says otherwise (schema.fbs), and this one says nothing."""
    assert model_of("mixed").operators[0].options == {"fused_activation_function": 0, "pot_scale_int16": True}


def with_tensor_field(tmp_path: Path, tensor: int, field: int, value: int) -> Path:
    """The model ``mixed`` with one number of the vector ``field`` of a tensor replaced."""
    data = bytearray((FILES[0].parent / "mixed.tflite").read_bytes())

    def follow(at: int) -> int:
        return at + int(struct.unpack_from("<I", data, at)[0])

    def slot(table: int, number: int) -> int:
        vtable = table - struct.unpack_from("<i", data, table)[0]
        return table + int(struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0])

    graph = follow(follow(slot(follow(0), 2)) + 4)
    entry = follow(follow(slot(graph, 0)) + 4 + 4 * tensor)
    struct.pack_into("<i", data, follow(slot(entry, field)) + 4, value)
    path = tmp_path / "changed.tflite"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("tensor", "value", "message"),
    [
        (0, -1, r"tensor 0 has the shape \(-1, 4\)"),
        (6, 5, r"tensor 6 of shape \(5,\) and type float32 has 16 bytes"),
        (6, 2**31 - 1, "has 16 bytes"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path: Path, tensor: int, value: int, message: str) -> None:
    path = with_tensor_field(tmp_path, tensor, 0, value)
    with pytest.raises(ModelError, match=message) as error:
        read(path)
    assert error.value.code == "model-damaged"
    assert str(path) in error.value.summary


@pytest.mark.parametrize("name", ["missing.tflite", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError) as error:
        read(tmp_path / name)
    assert error.value.code == "model-missing"


@settings(max_examples=500, deadline=5000)
@given(st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), min_size=1, max_size=6))
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, path: Path, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(path.read_bytes())
    for position, value in flips:
        data[position % len(data)] ^= value
    changed = tmp_path_factory.getbasetemp() / "flipped.tflite"
    changed.write_bytes(data)
    try:
        model = read(changed)
    except ModelError as error:
        assert error.code in {"model-damaged", "model-not-tflite"}
        return
    assert sum(
        tensor.data.nbytes for tensor in model.tensors if tensor.data is not None and tensor.data.base is None
    ) <= len(data)
