"""The task, bound to models that fit and that do not; encoding, decoding, and the metric."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_question_answering.answer_score import app_f1, exact_match, f1, normalised
from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import TaskOptions
from mlperf_mobile_task_question_answering.task import QuestionAnswering
from mlperf_mobile_task_question_answering.window import Window, WindowTruth

LENGTH = 16
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")
OFFICIAL = [
    log
    for log in sorted(Path(SHARED).glob("official_results/v3.1/**/mlperf_log_accuracy.json") if SHARED else ())
    if "accuracy" in log.parent.name and ("mobileBERT" in log.parts or "natural_language" in log.parent.name)
]


def spec(shape=(1, LENGTH), dtype="float32", name="t", scale=0.0, zero_point=0):
    return TensorSpec(name, tuple(shape), np.dtype(dtype), scale, zero_point)


def bind(inputs=None, outputs=None, **options):
    chosen = inputs or [spec(dtype="int32", name=name) for name in ("a", "b", "c")]
    return QuestionAnswering(TaskOptions.model_validate(options)).bind(chosen, outputs or [spec(), spec()])


def window(length=LENGTH, largest=9):
    ids = np.arange(length, dtype=np.int32) % (largest + 1)
    return Window(ids, np.full(length, 1, np.int32), np.full(length, 2, np.int32), "x.json question q")


def vector(length=LENGTH, first=0):
    return np.arange(first, first + length, dtype=np.float32)[None]


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], [spec(), spec()]),
        ([spec()] * 2, [spec()] * 2),
        ([spec(dtype="int32")] * 4, [spec()] * 2),
        ([spec(dtype="complex64")] * 3, [spec()] * 2),
        ([spec((1, 16)), spec((1, 16)), spec((1, 8))], [spec()] * 2),
        ([spec((16,))] * 3, [spec()] * 2),
        ([spec((2, 16))] * 3, [spec()] * 2),
        ([spec(())] * 3, [spec()] * 2),
        ([spec((1, 4))] * 3, [spec((1, 4))] * 2),
        ([spec()] * 3, []),
        ([spec()] * 3, [spec()]),
        ([spec()] * 3, [spec()] * 3),
        ([spec()] * 3, [spec((1, 8))] * 2),
        ([spec()] * 3, [spec((1, 16, 2))] * 2),
        ([spec()] * 3, [spec(dtype="int64")] * 2),
        ([spec()] * 3, [spec(dtype="int8"), spec(dtype="int8")]),
    ],
)
def test_models_that_do_not_fit_are_named(inputs, outputs):
    with pytest.raises(ModelError) as caught:
        QuestionAnswering(TaskOptions()).bind(inputs, outputs)
    assert caught.value.code in ("model-input", "model-output")
    assert ("16" in caught.value.summary) or not inputs or inputs[0].shape in ((), (1, 4))


@pytest.mark.parametrize("shape", [(1, LENGTH), (LENGTH,), (1, LENGTH, 1), (1, 1, LENGTH)])
def test_outputs_of_any_rank(shape):
    values = vector().reshape(shape)
    assert bind(outputs=[spec(shape), spec(shape)]).decode((values, values)) == values.tobytes() * 2


def codes(inputs, **options):
    """What each input gets: 0 for token numbers, 1 for the mask, 2 for segments."""
    tensors = bind(inputs, **options).encode(window(largest=0))
    return [int(tensor[0, 0]) for tensor in tensors]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("x", "y", "z"), [0, 1, 2]),
        (("input_ids", "input_mask", "segment_ids"), [0, 1, 2]),
        (("segment_ids", "input_mask", "input_ids"), [2, 1, 0]),
        (("bert/embeddings/ExpandDims", "segment_ids", "input_mask"), [0, 2, 1]),
        (
            ("serving_default_attention_mask:0", "serving_default_input_ids:0", "serving_default_token_type_ids:0"),
            [1, 0, 2],
        ),
        (
            ("serving_default_input_word_ids:0", "serving_default_input_type_ids:0", "serving_default_input_mask:0"),
            [0, 2, 1],
        ),
        (("serving_default_args_0", "serving_default_args_1", "serving_default_args_2"), [0, 1, 2]),
        (("input_mask", "b", "c"), [0, 1, 2]),  # leaves two orders: no guess
        (("input_ids", "token_ids", "mask"), [0, 1, 2]),  # contradictory
    ],
)
def test_inputs_are_recognised_by_name_or_place(names, expected):
    assert codes([spec(dtype="int32", name=name) for name in names]) == expected


@pytest.mark.parametrize(
    "order", [o for o in TaskOptions.model_fields["input_order"].annotation.__args__ if o != "auto"]
)
def test_the_order_of_inputs_can_be_set(order):
    expected = [("ids", "mask", "segments").index(word) for word in order.split(",")]
    misleading = [spec(dtype="int32", name=name) for name in ("input_ids", "input_mask", "segment_ids")]
    assert codes(misleading, input_order=order) == expected


@pytest.mark.parametrize(
    ("names", "order", "start_first"),
    [
        (("x", "y"), "auto", False),  # the official order: end, then start
        (("end_logits", "start_logits"), "auto", False),
        (("start_logits", "end_logits"), "auto", True),
        (("unstack:start", "unstack:1"), "auto", True),
        (("StartLogits", "append"), "auto", False),  # no words that tell
        (("start", "start_2"), "auto", False),
        (("start_logits", "end_logits"), "end,start", False),
        (("x", "y"), "start,end", True),
    ],
)
def test_outputs_are_recognised_by_name_or_place(names, order, start_first):
    codec = bind(outputs=[spec(name=name) for name in names], output_order=order)
    one, other = vector(), vector(first=100)
    response = np.frombuffer(codec.decode((one, other)), "<f4")
    assert (response[0] == 0) is np.bool_(start_first)
    assert sorted(response) == [*range(LENGTH), *range(100, 100 + LENGTH)]


def test_the_response_is_that_of_the_app():
    """types.h: start scores and then end scores; squad.cc: the first output has those of the end."""
    end, start = vector(first=1), vector(first=50)
    assert bind().decode((end, start)) == start.astype("<f4").tobytes() + end.astype("<f4").tobytes()


def test_outputs_need_not_be_contiguous():
    whole = np.arange(2 * LENGTH, dtype=np.float32).reshape(1, LENGTH, 2)
    end, start = whole[:, :, 0], whole[:, :, 1]
    assert bind().decode((end, start)) == start.tobytes() + end.tobytes()


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -5), ("uint8", 130), ("int16", 0)])
@given(data=st.data())
def test_quantised_scores(dtype, zero_point, data):
    limits = np.iinfo(dtype)
    values = data.draw(st.lists(st.integers(limits.min, limits.max), min_size=LENGTH, max_size=LENGTH))
    codec = bind(outputs=[spec(dtype=dtype, scale=0.25, zero_point=zero_point), spec(dtype=dtype, scale=0.5)])
    stored = np.array([values], dtype)
    start, end = np.frombuffer(codec.decode((stored, stored)), "<f4").reshape(2, LENGTH)
    assert start.tolist() == [0.5 * value for value in values]
    assert end.tolist() == [0.25 * (value - zero_point) for value in values]


def test_half_floats():
    values = np.array([[-1.5, np.inf, np.nan, 65504, *range(12)]], np.float16)
    codec = bind(outputs=[spec(dtype="float16"), spec(dtype="float16")])
    start = np.frombuffer(codec.decode((values, values)), "<f4")[:LENGTH]
    np.testing.assert_array_equal(start, values[0].astype(np.float32))


def test_inputs_get_the_models_types():
    mixed = [spec(dtype="int32"), spec(dtype="float32"), spec(dtype="int32")]
    tensors = bind(mixed).encode(window())
    assert [tensor.dtype.name for tensor in tensors] == ["int32", "float32", "int32"]
    assert tensors[0].tolist() == [[*range(10), *range(6)]]


def test_encoded_samples_have_different_keys():
    several = [bind(), bind(input_order="mask,ids,segments"), bind([spec()] * 3), bind(vocabulary_size=10)]
    assert len({codec.recipe for codec in several}) == 4


@pytest.mark.parametrize(
    ("sample", "code", "what"),
    [
        (np.zeros(LENGTH), "not-a-window", "ndarray"),
        (window(length=8), "window-length", "8 tokens, the model takes 16"),
        (window(length=17), "window-length", "17 tokens"),
        (window(largest=10), "token-range", "token 10, the model's vocabulary has 10"),
    ],
)
def test_samples_that_do_not_fit_are_named(sample, code, what):
    codec = bind(vocabulary_size=10)
    assert codec.encode(window(largest=9))
    with pytest.raises(DataError, match=what) as caught:
        codec.encode(sample)
    assert caught.value.code == code


# ------------------------------------------------------------------------------------------------------------ metric


class Truths:
    """Windows of questions, each ``(question, answers)``; the passage is one word a token, from place 1."""

    def __init__(self, *windows, length=8, words="red cat sat on the mat"):
        self._windows, self._length, self._words = windows, length, words.split()

    def __len__(self):
        return len(self._windows)

    def truth(self, index):
        question, answers = self._windows[index]
        return WindowTruth(
            question=question,
            source="x",
            length=self._length,
            first=1,
            max_context=lambda: np.ones(len(self._words), bool),
            pieces=lambda begin, end: self._words[begin - 1 : end],
            words=lambda begin, end: (" ".join(self._words[begin - 1 : end]),) * 2,
            answers=answers,
        )


def points(start, end, score=1.0):
    scores = np.zeros((2, 8), np.float32)
    scores[0, start] = scores[1, end] = score
    return scores.tobytes()


def test_the_best_window_answers():
    metric = F1(Truths(("q", ("red cat",)), ("q", ("red cat",))))
    metric.update(1, points(1, 2, 5))
    metric.update(0, points(3, 3, 4))
    assert metric.score().value == 1.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_equal_windows_the_first_answers(order):
    metric = F1(Truths(("q", ("cat",)), ("q", ("cat",))))
    for index in order:
        metric.update(index, (points(2, 2), points(3, 3))[index])
    assert metric.score().value == 1.0


def test_questions_are_counted_and_not_windows():
    metric = F1(Truths(("a", ("red",)), ("a", ("red",)), ("b", ("cat sat",))))
    for index, response in enumerate((points(1, 1), points(4, 4, 0.5), points(2, 2))):
        metric.update(index, response)
    score = metric.score()
    assert score.value == pytest.approx((1 + 2 / 3) / 2)
    assert score.samples == 3
    assert score.details["questions"] == score.details["answered"] == 2
    assert score.details["exact_match"] == 0.5


def test_a_log_of_a_part_counts_as_in_the_app():
    """The app takes the best of the windows that were answered, and divides by all questions."""
    metric = F1(Truths(("a", ("red",)), ("a", ("red",)), ("b", ("cat",)), ("c", ("sat",))))
    metric.update(1, points(1, 1))
    metric.update(2, points(2, 2))
    score = metric.score()
    assert score.value == pytest.approx(2 / 3)
    assert (score.details["questions"], score.details["answered"]) == (3, 2)


def test_a_model_that_gives_no_numbers_is_wrong():
    metric = F1(Truths(("a", ("red",))))
    metric.update(0, np.full(16, np.nan, np.float32).tobytes())
    score = metric.score()
    assert (score.value, score.details["answered"]) == (0.0, 0)


@pytest.mark.parametrize("response", [b"", bytes(63), bytes(65), bytes(4), bytes(128)])
def test_damaged_responses_are_refused(response):
    with pytest.raises(DataError, match="sample 0") as caught:
        F1(Truths(("a", ("red",)))).update(0, response)
    assert caught.value.code == "response"


def test_truths_of_another_kind_are_refused():
    class Labels:
        def __len__(self):
            return 1

        def truth(self, index):
            return 7

    with pytest.raises(DataError, match="sample 0 has the truth 7"):
        F1(Labels())


# ------------------------------------------------------------------------------- the official evaluation, by its words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Cat, a dog", "cat dog"),
        ("an  A\tTHE", ""),
        ("U.S.A.", "usa"),  # marks go before articles
        ("the-cat", "thecat"),
        ("A.", ""),
        ("Theatre and", "theatre and"),
        ("caf\u00e9 \u2013 \u201cx\u201d", "caf\u00e9 \u2013 \u201cx\u201d"),  # ASCII marks only
        ("$5\u00a0million", "$5 million".replace("$", "")),
    ],
)
def test_normalisation_by_hand(text, words):
    assert normalised(text) == words


@pytest.mark.parametrize(
    ("answer", "references", "f", "exact"),
    [
        ("the cat", ("a cat!",), 1.0, True),
        ("cat sat", ("cat", "sat cat"), 1.0, False),
        ("cat cat", ("cat",), 2 * 0.5 * 1 / 1.5, False),
        ("dog", ("cat",), 0.0, False),
        ("the", ("a",), 0.0, True),  # nothing is left of either: the official script says so too
        ("", ("cat",), 0.0, False),
        ("x", (), 0.0, False),
    ],
)
def test_scores_by_hand(answer, references, f, exact):
    assert f1(answer, references) == pytest.approx(f)
    assert exact_match(answer, references) is exact


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("the cat", "cat", 2 / 3),  # common.h counts the emptied article as a word
        ("the cat", "a cat", 1.0),
        ("Cat -", "cat !", 1.0),
        ("two  cats", "two cats", 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        ("THE cat", "the cat", 0.5),  # only a, an, the, A, An and The are articles
    ],
)
def test_the_apps_own_score_by_hand(answer, reference, expected):
    assert app_f1(answer, (reference,)) == pytest.approx(expected)


@pytest.mark.skipif(not OFFICIAL, reason="no official logs here")
@pytest.mark.parametrize("log", OFFICIAL, ids=lambda log: "-".join(log.parts[-5:-1]))
def test_official_logs_are_responses(log):
    """Each record holds finite scores of 384 tokens; first those of the start, for starts come before ends."""
    records = json.loads(log.read_text())
    assert sorted(record["qsl_idx"] for record in records) == [*range(100)]
    words = " ".join(f"w{number}" for number in range(382))
    metric = F1(Truths(*[(str(n), ("w1",)) for n in range(100)], length=384, words=words))
    in_order = 0
    for record in records:
        response = bytes.fromhex(record["data"])
        start, end = np.frombuffer(response, "<f4").reshape(2, 384)
        assert np.isfinite(start).all()
        assert np.isfinite(end).all()
        in_order += start.argmax() <= end.argmax()
        metric.update(record["qsl_idx"], response)
    assert in_order >= 95
    assert metric.score().details["answered"] == 100


def test_a_data_set_without_samples_is_not_divided_by():
    assert F1(Truths()).score().value == 0.0
