"""The reference app's TFRecord files: the container, the records in it, and what damaged ones get."""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering import example, tfrecord
from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import RecordOptions
from mlperf_mobile_task_question_answering.squad_tfrecord import SquadRecords

# ------------------------------------------------------------------------------------------------ writers, for tests


def crc32c(data):
    """Bit by bit, from the polynomial of RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15) + (crc << 17) + 0xA282EAD8) % 2**32)


def container(records):
    parts = []
    for record in records:
        length = struct.pack("<Q", len(record))
        parts += [length, masked(length), record, masked(record)]
    return b"".join(parts)


def number(value):
    out = b""
    value %= 2**64
    while value >= 0x80:
        out += bytes((value % 128 + 128,))
        value //= 128
    return out + bytes((value,))


def message(field, content):
    return number(field * 8 + 2) + number(len(content)) + content


def encode(features, packed=True):
    entries = b""
    for key, values in features.items():
        if all(isinstance(value, str) for value in values):
            kind, body = 1, b"".join(message(1, value.encode()) for value in values)
        elif packed:
            kind, body = 3, message(1, b"".join(map(number, values)))
        else:
            kind, body = 3, b"".join(number(8) + number(value) for value in values)
        entries += message(1, message(1, key.encode()) + message(2, message(kind, body)))
    return message(1, entries)


def window(question="q1", passage=("red", "cat"), length=12, **changes):
    row = ["[CLS]", "who", "[SEP]", *passage, "[SEP]"]
    used = len(row)
    features = {
        "qas_id": [question],
        "tokens": row,
        "token_to_orig_map": list(range(len(passage))),
        "token_is_max_context": [1] * len(passage),
        "unique_ids": [1000000000],
        "input_ids": [*range(101, 101 + used), *[0] * (length - used)],
        "input_mask": [1] * used + [0] * (length - used),
        "segment_ids": [0] * 3 + [1] * (used - 3) + [0] * (length - used),
    }
    return {key: values for key, values in (features | changes).items() if values is not None}


def truth(question="q1", words=("Red", "Cat."), tokens=("red", "cat ."), answers=("Red Cat",)):
    return {"tokens": list(tokens), "words": list(words), "qas_id": [question], "answers": list(answers)}


def write(folder, windows, truths):
    for name, records in (("squad_eval_mini.tfrecord", windows), ("squad_groundtruth.tfrecord", truths)):
        if records is not None:
            (folder / name).write_bytes(zlib.compress(container([encode(record) for record in records])))
    return SquadRecords(folder, RecordOptions())


def test_the_checksum_of_rfc_3720():
    """The RFC's examples, B.4: 32 bytes of zeros, of ones, and 0 to 31."""
    for data, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)):
        assert crc32c(data) == crc
        assert struct.pack("<I", tfrecord.masked_crc(memoryview(data))) == masked(data)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_records_round_trip(records):
    found = tfrecord.split_records(memoryview(container(records)), "x")
    assert [bytes(record) for record in found] == records


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3), st.data())
def test_a_changed_bit_is_found(records, data):
    """A CRC finds every single changed bit: the records before it come out, and then an error."""
    whole = bytearray(container(records))
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[place // 8] ^= 1 << place % 8
    with pytest.raises(DataError, match=r"x record \d"):
        list(tfrecord.split_records(memoryview(bytes(whole)), "x"))


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3), st.data())
def test_a_file_that_is_cut_off_is_found(records, data):
    whole = container(records)
    ends = np.cumsum([0] + [len(record) + 16 for record in records]).tolist()
    cut = data.draw(st.integers(1, len(whole) - 1).filter(lambda n: n not in ends))
    with pytest.raises(DataError, match=r"x record \d"):
        list(tfrecord.split_records(memoryview(whole[:cut]), "x"))


def test_a_length_beyond_the_file_allocates_nothing():
    length = struct.pack("<Q", 2**63)
    with pytest.raises(DataError, match="it should have 9223372036854775808 bytes, 8 are left"):
        list(tfrecord.split_records(memoryview(length + masked(length) + bytes(8)), "x"))


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
        tfrecord.read_records(tmp_path / "x.tfrecord")
    assert "x.tfrecord" in caught.value.summary


def test_a_stream_that_ends_with_a_chunk_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord, "_CHUNK", len(WHOLE))
    (tmp_path / "x.tfrecord").write_bytes(WHOLE + WHOLE)
    with pytest.raises(DataError, match="has data after the end"):
        tfrecord.unpack(tmp_path / "x.tfrecord")


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecord, "MAX_BYTES", 1000)
    (tmp_path / "x.tfrecord").write_bytes(zlib.compress(bytes(1 << 22)))
    with pytest.raises(DataError, match="more than 1000 bytes"):
        tfrecord.unpack(tmp_path / "x.tfrecord")


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
        for read in (example.texts, example.integers):
            try:
                read(feature)
            except ValueError:
                continue


@given(st.data())
def test_any_change_of_a_record_is_a_window_or_an_error(data):
    record = bytearray(encode(window()))
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    records = SquadRecords.__new__(SquadRecords)
    records._file, records._records, records._answers = "x", [memoryview(bytes(record))], None
    try:
        sample = records.sample(0)
    except DataError as error:
        assert "x record 0" in error.summary
        return
    assert len(sample.ids) == len(sample.mask) == len(sample.segments) > 0


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


def test_windows_and_answers(tmp_path):
    data = write(
        tmp_path, [window(), window("q2", ("a", "dog"))], [truth("q2", ("A", "dog"), ("a", "dog"), ("dog",)), truth()]
    )
    sample = data.sample(0)
    assert sample.ids.tolist() == [101, 102, 103, 104, 105, 106, 0, 0, 0, 0, 0, 0]
    assert sample.mask.tolist() == [1] * 6 + [0] * 6
    assert sample.segments.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert sample.ids.dtype == sample.mask.dtype == sample.segments.dtype == np.int32
    metric = F1(data)
    scores = np.zeros((2, 12), np.float32)
    scores[0, 3] = scores[1, 4] = 5  # "red cat", which is "Red Cat" of "Red Cat."
    metric.update(0, scores.tobytes())
    metric.update(1, scores.tobytes())  # "A dog": the official evaluation strikes the article out, the app counts it
    score = metric.score()
    assert score.value == 1.0
    assert score.details["app_f1"] == pytest.approx((1 + 2 / 3) / 2)
    official = F1(data, "app")
    official.update(0, scores.tobytes())
    official.update(1, scores.tobytes())
    assert official.score().value == score.details["app_f1"]
    assert official.score().details["squad_f1"] == 1.0


def test_without_answers_there_is_no_truth(tmp_path):
    data = write(tmp_path, [window()], None)
    assert len(data.sample(0).ids) == 12
    with pytest.raises(DataError) as caught:
        F1(data)
    assert caught.value.code == "no-labels"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"input_ids": [1, 2]}, "it has 2 tokens, a mask of 12 and 12 segments"),
        ({"input_ids": None}, "it has no input_ids"),
        ({"input_ids": [2**31] * 12}, "out of range"),
        ({"input_ids": [-1] * 12}, "out of range"),
        ({"input_ids": ["a"] * 12}, "input_ids is damaged"),
        ({"input_mask": [2] * 12}, "values other than 0 and 1"),
    ],
)
def test_damaged_windows_are_named(tmp_path, changes, what):
    data = write(tmp_path, [window(), window(**changes)], None)
    with pytest.raises(DataError, match=what) as caught:
        data.sample(1)
    assert "squad_eval_mini.tfrecord record 1" in caught.value.summary


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"tokens": ["[CLS]", "[SEP]"]}, "it has 2 tokens, places of 2"),
        ({"token_is_max_context": [1]}, "contexts of 1"),
        ({"input_ids": [1] * 5}, "6 tokens in a window of 5"),
        ({"qas_id": ["a", "b"]}, "2 question ids"),
        ({"qas_id": [""]}, "no answers to question"),
        ({"qas_id": ["q7"]}, "no answers to question q7"),
        ({"input_mask": [1]}, ""),
    ],
)
def test_damaged_truths_are_named(tmp_path, changes, what):
    data = write(tmp_path, [window(), window(**changes)], [truth()])
    if not what:  # what only the model reads is no matter of the truth
        assert data.truth(1).question == "q1"
        return
    with pytest.raises(DataError, match=what) as caught:
        data.truth(1)
    assert "squad_eval_mini.tfrecord record 1" in caught.value.summary


def test_places_outside_of_the_passage_are_named(tmp_path):
    data = write(tmp_path, [window(token_to_orig_map=[0, 5])], [truth()])
    with pytest.raises(DataError, match=r"groundtruth.tfrecord record 0: it has 2 words.*spans 0 to 5"):
        data.truth(0).words(3, 4)


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ([b"\xff\xff"], "record 0: it is not a tf.train.Example"),
        ([encode(truth()), encode(truth())], "record 1: question q1 already has answers"),
        ([encode({"tokens": ["a"]})], "record 0: it has no qas_id"),
    ],
)
def test_damaged_answers_are_named(tmp_path, records, what):
    write(tmp_path, [window()], None)
    (tmp_path / "squad_groundtruth.tfrecord").write_bytes(zlib.compress(container(records)))
    with pytest.raises(DataError, match=what):
        SquadRecords(tmp_path, RecordOptions())


def test_which_files(tmp_path):
    write(tmp_path, [window()], [truth()])
    assert len(SquadRecords(tmp_path / "squad_eval_mini.tfrecord", RecordOptions())) == 1
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DataError, match="other has no"):
        SquadRecords(other, RecordOptions())
    named = {"samples": tmp_path / "squad_eval_mini.tfrecord", "answers": tmp_path / "squad_groundtruth.tfrecord"}
    assert SquadRecords(other, RecordOptions.model_validate(named)).truth(0).answers == ("Red Cat",)
    (tmp_path / "squad_eval_tiny.tfrecord").write_bytes(WHOLE)
    with pytest.raises(DataError) as caught:
        SquadRecords(tmp_path, RecordOptions())
    assert caught.value.code == "data-ambiguous"
