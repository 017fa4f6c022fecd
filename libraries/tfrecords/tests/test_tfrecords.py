"""The container, the messages in it, and what damaged files get."""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord_files import container, crc32c, encode, masked, message, write_tfrecord

from mlperf_mobile.errors import DataError
from mlperf_mobile_tfrecords import container as files
from mlperf_mobile_tfrecords import example
from mlperf_mobile_tfrecords.record import read


def test_the_checksum_of_rfc_3720():
    """The RFC's examples, B.4: 32 bytes of zeros, of ones, and 0 to 31."""
    for data, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)):
        assert crc32c(data) == crc
        assert struct.pack("<I", files.masked_crc(memoryview(data))) == masked(data)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_records_round_trip(records):
    found = files.split_records(memoryview(container(records)), "x")
    assert [bytes(record) for record in found] == records


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3), st.data())
def test_a_changed_bit_is_found(records, data):
    """A CRC finds every single changed bit: the records before it come out, and then an error."""
    whole = bytearray(container(records))
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[place // 8] ^= 1 << place % 8
    with pytest.raises(DataError, match=r"x record \d"):
        list(files.split_records(memoryview(bytes(whole)), "x"))


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3), st.data())
def test_a_file_that_is_cut_off_is_found(records, data):
    whole = container(records)
    ends = np.cumsum([0] + [len(record) + 16 for record in records]).tolist()
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda n: n not in ends))
    with pytest.raises(DataError, match=r"x record \d"):
        list(files.split_records(memoryview(whole[:cut]), "x"))


def test_a_length_beyond_the_file_allocates_nothing():
    length = struct.pack("<Q", 2**63)
    with pytest.raises(DataError, match="it should have 9223372036854775808 bytes, 8 are left"):
        list(files.split_records(memoryview(length + masked(length) + bytes(8)), "x"))


WHOLE = zlib.compress(container([b"record"]))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (container([b"record"]), "cannot be unpacked"),
        (gzip.compress(container([b"record"]), mtime=0), "cannot be unpacked"),
        (WHOLE[:-1], "is cut off after"),
        (b"", "is cut off after"),
        (WHOLE + b"x", "has data after the end"),
        (WHOLE[:-1] + bytes((WHOLE[-1] ^ 1,)), "cannot be unpacked"),
    ],
)
def test_files_that_are_damaged_or_compressed_otherwise(tmp_path, data, what):
    (tmp_path / "x.tfrecord").write_bytes(data)
    with pytest.raises(DataError, match=what) as caught:
        files.read_records(tmp_path / "x.tfrecord")
    assert "x.tfrecord" in caught.value.summary


def test_a_stream_that_ends_with_a_chunk_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_CHUNK", len(WHOLE))
    (tmp_path / "x.tfrecord").write_bytes(WHOLE + WHOLE)
    with pytest.raises(DataError, match="has data after the end"):
        files.unpack(tmp_path / "x.tfrecord")


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    (tmp_path / "x.tfrecord").write_bytes(zlib.compress(bytes(1 << 22)))
    with pytest.raises(DataError, match="more than 1000 bytes"):
        files.unpack(tmp_path / "x.tfrecord")


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.lists(st.text(max_size=5), min_size=1, max_size=4)
        | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6),
        max_size=4,
    ),
    st.booleans(),
)
def test_features_round_trip(features, packed):
    found = example.features(memoryview(encode(features, packed)))
    assert found.keys() == features.keys()
    for key, values in features.items():
        if isinstance(values[0], str):
            assert example.texts(found[key]) == values
        else:
            assert example.integers(found[key]).tolist() == values


@given(st.binary(max_size=60))
def test_any_bytes_are_features_or_an_error(data):
    try:
        found = example.features(memoryview(data))
    except ValueError:
        return
    for feature in found.values():
        for as_list in (example.texts, example.integers):
            try:
                as_list(feature)
            except ValueError:
                continue


def test_kinds_of_lists_are_not_mixed_up():
    found = example.features(memoryview(encode({"text": ["a"], "numbers": [1]})))
    with pytest.raises(ValueError, match="kind"):
        example.integers(found["text"])
    with pytest.raises(ValueError, match="kind"):
        example.texts(found["numbers"])


@pytest.mark.parametrize("block", [b"\x0a", b"\x0a\x01a\x0a", b"\x0a\x02a", b"\x0a\x01\xff", b"\x0a\xff", b"\x08\x01"])
def test_texts_that_are_cut_off_or_no_text(block):
    with pytest.raises(ValueError, match=r"."):
        example.texts(memoryview(message(1, block)))


@pytest.mark.parametrize("data", [b"\x80", b"\x80" * 10 + b"\x01", b"\x01\xff"])
def test_numbers_that_do_not_end(data):
    with pytest.raises(ValueError, match="a number"):
        example.varints(data)


def test_records_by_name(tmp_path):
    write_tfrecord(tmp_path / "x.tfrecord", [{"text": ["a", "é"], "one": ["b"], "numbers": [-1, 7], "ids": [3]}])
    (record,) = read(tmp_path / "x.tfrecord")
    assert (list(record.texts("text")), record.text("one")) == (["a", "é"], "b")
    assert (record.numbers("numbers").tolist(), record.integers("ids").tolist()) == ([-1, 7], [3])
    assert set(record.names) == {"text", "one", "numbers", "ids"}
    for get, what in (
        (lambda: record.text("text"), "text has 2 values, not one"),
        (lambda: record.text("none"), "it has no none"),
        (lambda: record.integers("numbers"), "out of range"),
        (lambda: record.texts("numbers"), "numbers is damaged"),
    ):
        with pytest.raises(DataError, match=what) as caught:
            get()
        assert "x.tfrecord record 0" in caught.value.summary
