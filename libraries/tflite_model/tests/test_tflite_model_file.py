from __future__ import annotations

import importlib
import struct
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model import flatbuffer
from mlperf_mobile_tflite_model.model_file import check, check_data

MODELS = Path(__file__).parents[3] / "plugins" / "backend_tflite" / "tests" / "models"
FILES = sorted(MODELS.glob("*.tflite"))
OPERATORS = {
    "mixed": 5,
    "two": 2,
    "dynamic": 3,
    "unread": 3,
    "constant": 2,
    "open_two": 2,
    "open_image": 2,
    "fixed_image": 2,
}
NAME = Path("some.tflite")


def refused(data: bytes) -> str | None:
    """The error's code, or None when the check finds nothing; any other exception is a failure of the test."""
    try:
        check_data(data, NAME)
    except ModelError as error:
        assert str(NAME) in error.summary
        assert error.hint
        return error.code
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sound_models_pass(path: Path) -> None:
    assert check(path).operators == OPERATORS.get(path.stem, 1)


def test_real_models_pass(shared: Path) -> None:
    paths = sorted(shared.glob("*.tflite"))
    assert paths
    for path in paths:
        assert check(path).operators > 0


def test_real_models_cut_short(shared: Path, is_litert: bool) -> None:
    """What LiteRT's own verifier refuses is refused, and no more: labels may follow the model, as a zip."""
    for path in sorted(shared.glob("*.tflite")):
        data = path.read_bytes()
        for length in [*range(0, len(data), max(1, len(data) // 50)), len(data) - 1]:
            if is_litert:
                assert (refused(data[:length]) is None) == runtime_takes(data[:length]), f"{path.name} cut at {length}"
            elif length < len(data) // 2:
                assert refused(data[:length]), f"{path.name} cut at {length}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cut_at_any_length(path: Path) -> None:
    data = path.read_bytes()
    padding = 7  # at most: nothing in a flatbuffer is aligned to more than 8 bytes
    codes = [refused(data[:length]) for length in range(len(data) - padding)]
    assert codes == ["model-not-tflite"] * 8 + ["model-damaged"] * (len(data) - padding - 8)
    assert refused(data) is None


def runtime_takes(data: bytes) -> bool:
    """LiteRT's verdict, which is that of flatbuffers' own verifier."""
    try:
        importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=data)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_runtimes_own_verifier_agrees(path: Path, is_litert: bool) -> None:
    """LiteRT verifies with flatbuffers' own verifier: what it refuses of a cut file is refused here, and no more."""
    if not is_litert:
        pytest.skip("only LiteRT verifies models")
    data = path.read_bytes()
    for length in range(1, len(data) + 1):
        verdict = runtime_takes(data[:length])
        if path.stem == "external" and verdict and length < len(data):
            continue  # the verifier does not look behind the flatbuffer, where this one's constants are
        assert (refused(data[:length]) is None) == verdict, f"cut at {length}"


def flipped(data: bytes, flips: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for position, value in flips:
        changed[position % len(changed)] ^= value
    return bytes(changed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=5000)
@given(st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 255)), min_size=1, max_size=6))
def test_flipped_bytes_never_crash_or_hang(path: Path, flips: list[tuple[int, int]]) -> None:
    assert refused(flipped(path.read_bytes(), flips)) in (None, "model-damaged", "model-not-tflite")


@pytest.mark.sampled(3)
@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_byte_set_to_its_extremes(path: Path) -> None:
    data = path.read_bytes()
    for position in range(len(data)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            refused(data[:position] + bytes([value]) + data[position + 1 :])


@settings(max_examples=300, deadline=5000)
@given(st.binary(max_size=300))
@example(b"")
def test_noise_behind_a_header(noise: bytes) -> None:
    assert refused(struct.pack("<I4s", 8, b"TFL3") + noise) in (None, "model-damaged")


# --------------------------------------------------------------------------------------------- single damages


def add() -> bytes:
    return (MODELS / "add.tflite").read_bytes()


def test_another_format() -> None:
    assert refused(b"\x08\x07\x12\x04onnx, for example" * 9) == "model-not-tflite"


def table(data: bytes, slot: int) -> int:
    """The table or vector that a reference leads to."""
    return slot + int(struct.unpack_from("<I", data, slot)[0])


def slot(data: bytes, table: int, field: int) -> int:
    """Where a field of a table is."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    offset = struct.unpack_from("<H", data, vtable + 4 + 2 * field)[0]
    assert offset
    return table + int(offset)


def find(data: bytes, *path: int) -> int:
    """Follow references from the model's table: field, entry of the list, field of that, ... field."""
    at = table(data, 0)
    for depth, step in enumerate(path[:-1]):
        at = table(data, at + 4 + 4 * step if depth % 2 else slot(data, at, step))
    return slot(data, at, path[-1])


def damaged(name: str, value: int, *path: int) -> str:
    """What is said of a model in which one number is replaced."""
    data = bytearray((MODELS / f"{name}.tflite").read_bytes())
    struct.pack_into("<I", data, find(data, *path), value)
    with pytest.raises(ModelError) as error:
        check_data(bytes(data), NAME)
    assert error.value.code == "model-damaged"
    return error.value.summary


def test_a_reference_to_itself() -> None:
    assert "its Model at byte" in damaged("add", 0, 1)


def test_another_schema_version() -> None:
    assert "schema version is 2, not 3" in damaged("add", 2, 0)


def test_an_operator_code_that_does_not_exist() -> None:
    """Of the second operation of the first subgraph; ``mixed`` has five codes."""
    assert "operator code 5 of 5" in damaged("mixed", 5, 2, 0, 3, 1, 0)


def test_a_buffer_that_does_not_exist() -> None:
    """Of the seventh tensor, the constant."""
    assert "buffer 2 of 2" in damaged("mixed", 2, 2, 0, 0, 6, 2)


def test_metadata_in_a_buffer_that_does_not_exist() -> None:
    assert "buffer 2 of 2" in damaged("described", 2, 6, 0, 1)


def test_a_signature_of_a_tensor_that_does_not_exist() -> None:
    assert "tensor 2 of 2" in damaged("described", 2, 7, 0, 1, 0, 1)


def test_a_signature_of_a_subgraph_that_does_not_exist() -> None:
    assert "subgraph 1 of 1" in damaged("described", 1, 7, 0, 4)


def test_an_operations_own_settings() -> None:
    """``newShape`` of the options of ``RESHAPE``: a union's table, which only the operation refers to."""
    data = (MODELS / "fixed_batch.tflite").read_bytes()
    options = table(data, find(data, 2, 0, 3, 0, 4))
    shape = table(data, slot(data, options, 0))
    assert struct.unpack_from("<3i", data, shape) == (2, 4, 1)
    cut = data[:shape] + struct.pack("<I", len(data)) + data[shape + 4 :]
    with pytest.raises(ModelError, match="a vector of its ReshapeOptions"):
        check_data(cut, NAME)


@pytest.mark.parametrize("value", [2, 2**31 - 1, 2**32 - 2])
def test_a_tensor_that_does_not_exist(value: int) -> None:
    """First of the subgraph's inputs, then of the operation's; -2 is as wrong as 2, -1 would be an absent tensor."""
    for path in ((2, 0, 1), (2, 0, 3, 0, 1)):
        data = bytearray(add())
        first = table(data, find(data, *path)) + 4
        assert struct.unpack_from("<I", data, first)[0] == 0
        struct.pack_into("<I", data, first, value)
        with pytest.raises(ModelError, match=r"refers to tensor -?[0-9]+ of 2"):
            check_data(bytes(data), NAME)


def test_constants_beyond_the_end() -> None:
    data = (MODELS / "external.tflite").read_bytes()
    with pytest.raises(ModelError, match="a buffer at byte 384 has 16 bytes"):
        check_data(data[:-1], NAME)


def test_constants_at_an_impossible_place() -> None:
    data = (MODELS / "external.tflite").read_bytes()
    place = find(data, 4, 1, 1)
    assert struct.unpack_from("<Q", data, place)[0] == 384
    assert refused(data[:place] + b"\xff" * 8 + data[place + 8 :]) == "model-damaged"


def test_a_small_file_cannot_ask_for_endless_work() -> None:
    """A subgraph listed 50,000 times, each with the same 50,000 tensors: 2.5 billion tables in a small file."""
    count = 50_000
    model, subgraphs, graph, tensors, tensor = 100, 200, 200 + 4 + 4 * count, 300 + 4 + 4 * count, 304 + 8 * count + 8
    out = bytearray(tensor + 100)
    out[:8] = struct.pack("<I4s", model, b"TFL3")
    struct.pack_into("<HHHHH", out, 64, 10, 12, 4, 0, 8)  # model: version at 4, subgraphs at 8
    struct.pack_into("<iII", out, model, model - 64, 3, subgraphs - model - 8)
    struct.pack_into("<I", out, subgraphs, count)
    for i in range(count):
        struct.pack_into("<I", out, subgraphs + 4 + 4 * i, graph - (subgraphs + 4 + 4 * i))
    struct.pack_into("<HHH", out, 80, 6, 8, 4)  # subgraph: tensors at 4
    struct.pack_into("<iI", out, graph, graph - 80, tensors - graph - 4)
    struct.pack_into("<I", out, tensors, count)
    for i in range(count):
        struct.pack_into("<I", out, tensors + 4 + 4 * i, tensor - (tensors + 4 + 4 * i))
    struct.pack_into("<HH", out, 90, 4, 4)  # tensor: no field
    struct.pack_into("<i", out, tensor, tensor - 90)
    started = time.process_time()
    with pytest.raises(ModelError, match="more parts than a file of its size can hold"):
        check_data(bytes(out), NAME)
    assert time.process_time() - started < 5


def test_work_is_bounded_for_files_of_any_size(monkeypatch) -> None:
    monkeypatch.setattr(flatbuffer, "MAX_PARTS", 3)
    with pytest.raises(ModelError, match="more parts"):
        check_data(add(), NAME)


# ------------------------------------------------------------------------------------------------------ files


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(ModelError, match=r"empty\.tflite is empty") as error:
        check(tmp_path / "empty.tflite")
    assert error.value.code == "model-damaged"


@pytest.mark.parametrize("name", ["missing.tflite", ".", "no\0name.tflite"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError) as error:
        check(tmp_path / name)
    assert error.value.code == "model-missing"


def test_bytes_and_files_are_checked_alike(tmp_path: Path) -> None:
    data = add()
    (tmp_path / "cut.tflite").write_bytes(data[:200])
    with pytest.raises(ModelError) as from_file:
        check(tmp_path / "cut.tflite")
    with pytest.raises(ModelError) as from_bytes:
        check_data(bytes(data[:200]), tmp_path / "cut.tflite")
    assert from_file.value.summary == from_bytes.value.summary
