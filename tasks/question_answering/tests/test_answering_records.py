"""The reference app's TFRecord files of SQuAD: windows, answers, and what damaged ones get."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord_files import container, encode

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import RecordOptions
from mlperf_mobile_task_question_answering.squad_tfrecord import SquadRecords


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
    (tmp_path / "squad_eval_tiny.tfrecord").write_bytes(zlib.compress(container([b"record"])))
    with pytest.raises(DataError) as caught:
        SquadRecords(tmp_path, RecordOptions())
    assert caught.value.code == "data-ambiguous"
