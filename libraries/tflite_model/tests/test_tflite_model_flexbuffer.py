from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_tflite_model.flatbuffer import Damaged
from mlperf_mobile_tflite_model.flexbuffer import MAX_ENTRIES, read_map

NUMBERS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-1e38, 1e38))
KEYS = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=12)


@given(st.dictionaries(KEYS, NUMBERS, max_size=20))
def test_maps_are_read_as_they_were_written(wanted: dict[str, bool | int | float]) -> None:
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    found = read_map(bytes(flexbuffers.Dumps(wanted)))
    assert {key: (type(value), value) for key, value in found.items()} == {
        key: (type(value), value) for key, value in wanted.items()
    }


def test_what_is_no_number_is_left_out() -> None:
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    content = {"name": "x", "list": [1, 2], "inner": {"a": 1}, "number": 3}
    assert read_map(bytes(flexbuffers.Dumps(content))) == {"number": 3}


def test_numbers_elsewhere_in_the_buffer() -> None:
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("a")
        builder.IndirectInt(-5)
        builder.Key("b")
        builder.IndirectFloat(0.5)
        builder.Key("c")
        builder.IndirectUInt(2**40)
    assert read_map(bytes(builder.Finish())) == {"a": -5, "b": 0.5, "c": 2**40}


@pytest.mark.parametrize("content", [[1, 2], 7, "text"])
def test_what_is_no_map(content: object) -> None:
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    with pytest.raises(Damaged, match="is not a map"):
        read_map(bytes(flexbuffers.Dumps(content)))


def test_too_many_entries() -> None:
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    with pytest.raises(Damaged, match="has 1001 entries"):
        read_map(bytes(flexbuffers.Dumps({f"{i:04}": i for i in range(MAX_ENTRIES + 1)})))


@settings(max_examples=1000)
@given(st.binary(max_size=80), st.sampled_from([b"", b"\x24\x01", b"\x25\x02", b"\x26\x04", b"\x27\x08"]))
def test_noise(noise: bytes, end: bytes) -> None:
    """Of any kind, and ending as a map does."""
    try:
        found = read_map(noise + end)
    except Damaged:
        return
    assert all(isinstance(value, bool | int | float) for value in found.values())


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes(flips: list[tuple[int, int]]) -> None:
    flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")
    data = bytearray(flexbuffers.Dumps({"max_detections": 10, "nms_iou_threshold": 0.6, "use_regular_nms": True}))
    for position, value in flips:
        data[position % len(data)] ^= value
    try:
        found = read_map(bytes(data))
    except Damaged:
        return
    assert all(isinstance(value, bool | int | float) for value in found.values())
