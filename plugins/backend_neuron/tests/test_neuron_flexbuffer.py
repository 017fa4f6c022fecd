"""FlexBuffers as the format's own library writes them, and as nobody should."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile_backend_neuron.flexbuffer import read_map

flexbuffers = pytest.importorskip("flatbuffers.flexbuffers")

KEYS = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=20)
NUMBERS = st.integers(0, 2**63 - 1) | st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(KEYS, NUMBERS | TEXTS, max_size=6))
def test_maps_are_read(entries):
    assert read_map(bytes(flexbuffers.Dumps(entries))) == entries


@given(st.dictionaries(KEYS, NUMBERS | TEXTS, max_size=4), st.data())
def test_damage_is_reported(entries, data):
    """Whatever is changed, there is a map or a ValueError."""
    whole = bytearray(flexbuffers.Dumps(entries))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    start, end = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    for damaged in (bytes(whole), bytes(whole[start:end])):
        try:
            read_map(damaged)
        except ValueError as error:
            assert str(error)


@given(st.binary(max_size=200))
def test_rubbish_is_reported(data):
    try:
        read_map(data)
    except ValueError as error:
        assert str(error)


def test_other_things_are_left_out():
    assert read_map(bytes(flexbuffers.Dumps({"a": 1, "b": [1, 2], "c": 1.5, "d": "x"}))) == {"a": 1, "d": "x"}


@pytest.mark.parametrize("value", [1, "text", [1, 2, 3]])
def test_no_map(value):
    with pytest.raises(ValueError, match="map"):
        read_map(bytes(flexbuffers.Dumps(value)))


def test_very_many_entries():
    with pytest.raises(ValueError, match="entries"):
        read_map(bytes(flexbuffers.Dumps({f"key{n}": n for n in range(100)})))


def test_as_litert_writes_it():
    """ForceMinimumBitWidth(64), in the order of dispatch_op_schema.cc; bytes of LiteRT's own plugin look like this."""
    keys = b"bytecode_offset\0bytecode_size\0name\0"
    text = struct.pack("<Q", 11) + b"Partition_0\0"
    data = bytearray(keys + b"\0" * (-len(keys) % 8) + text)
    data += b"\0" * (-len(data) % 8)
    at = len(data)
    data += struct.pack("<Q", 3) + b"".join(struct.pack("<Q", at + 8 + 8 * n - o) for n, o in enumerate((0, 16, 30)))
    keys_at = at + 8
    data += struct.pack("<QQQ", 0, 8, 3)
    values = len(data)
    struct.pack_into("<Q", data, values - 24, values - 24 - keys_at)
    text_at = (len(keys) + 7) // 8 * 8 + 8
    data += struct.pack("<QQQ", 1152, 5788, values + 16 - text_at) + bytes([2 << 2 | 3, 2 << 2 | 3, 5 << 2 | 3])
    data += struct.pack("<B", len(data) - values) + bytes([9 << 2 | 3, 1])
    assert read_map(bytes(data)) == {"bytecode_offset": 1152, "bytecode_size": 5788, "name": "Partition_0"}
