"""Responses of models' outputs: labels of every type, and the largest score by the plainest definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_task_semantic_segmentation import outputs

SCORES = ("float32", "float16", "uint8", "int8")


def spec(shape, dtype="float32"):
    return TensorSpec("t", tuple(shape), np.dtype(dtype))


def decode(values, background=True):
    return list(outputs.reading(spec(values.shape, values.dtype), background=background)(values))


def plain_best(scores, first):
    """Pixel by pixel: the first class whose score no other number exceeds; 255 without numbers."""
    answers = []
    for pixel in scores.reshape(-1, scores.shape[-1]).tolist():
        numbers = [(value, -number) for number, value in enumerate(pixel) if value == value]
        answers.append(first - max(numbers)[1] if numbers else 255)
    return answers


@pytest.mark.parametrize("dtype", outputs.LABEL_TYPES)
@pytest.mark.parametrize("last", [(), (1,)])
def test_labels_of_every_type(dtype, last):
    labels = np.array([0, 1, 31, 32, 100, 127], dtype).reshape(1, 2, 3, *last)
    assert decode(labels) == [0, 1, 31, 32, 100, 127]
    assert decode(labels, background=False) == [1, 2, 32, 33, 101, 128]


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_of_wide_labels_the_lowest_byte_counts(dtype):
    """The reference app masks with 0xff, after a cast to int32."""
    assert decode(np.array([[[256, 261, -1, 255]]], dtype)) == [0, 5, 255, 255]


def test_float_labels_are_truncated():
    assert decode(np.array([[[3.0, 3.99, 0.5, 30.000001]]], np.float32)) == [3, 3, 0, 30]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("background", [True, False])
def test_float_labels_that_are_no_numbers(dtype, background):
    values = np.array([[[np.nan, 1, np.inf, -np.inf]]], dtype)
    assert decode(values, background) == [255, 1 if background else 2, 255, 255]


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("dtype", SCORES)
@given(st.data())
def test_the_largest_score(dtype, background, data):
    shape = (1, *data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(2, 40))))
    kind = np.dtype(dtype)
    few = st.sampled_from([0, 1, 2, 3])  # ties
    numbers = st.integers(-128, 127) if dtype == "int8" else st.integers(0, 255)
    if kind.kind == "f":
        numbers = npst.from_dtype(kind)  # nan, infinities, -0.0 and subnormal numbers included
    values = data.draw(npst.arrays(kind, shape, elements=st.one_of(few, numbers)))
    assert decode(values, background) == plain_best(values, 0 if background else 1)


@pytest.mark.parametrize("dtype", SCORES)
@pytest.mark.parametrize("classes", [2, 21, 32, 254])
def test_more_pixels_than_one_block(dtype, classes):
    """Blocks hold 512 kB of scores: this is several of them, the last one cut short."""
    pixels = 3 * outputs.BLOCK // classes // np.dtype(dtype).itemsize + 7
    values = np.random.default_rng(0).integers(0, 9, (1, 1, pixels, classes)).astype(dtype)
    assert decode(values) == np.argmax(values[0, 0], axis=-1).tolist()


def test_scores_that_are_no_numbers_never_win():
    nan = np.nan
    values = np.array([[[[nan, 1, 3, nan], [nan, -np.inf, nan, nan], [nan] * 4, [5, nan, 5, 1]]]], np.float32)
    assert decode(values) == [2, 1, 255, 0]


def test_zeros_of_both_signs_are_equal():
    for dtype in ("float32", "float16"):
        assert decode(np.array([[[[-0.0, 0.0], [0.0, -0.0]]]], dtype)) == [0, 0]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((1, 8), "int32"),
        ((2, 8, 8), "int32"),
        ((1, 8, 0), "int32"),
        ((1, 8, 8), "complex64"),
        ((1, 8, 8, 4), "int32"),
        ((1, 8, 8, 255), "float32"),
        ((1, 8, 8, 4, 1), "float32"),
        ((), "float32"),
    ],
)
def test_what_is_neither_labels_nor_scores(shape, dtype):
    assert outputs.reading(spec(shape, dtype), background=True) is None


def test_threads_do_not_share_scratch():
    """One codec serves several sessions at once."""
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(0)
    values = [rng.random((1, 64, 64, 21), np.float32) for _ in range(4)]
    read = outputs.reading(spec(values[0].shape), background=True)
    alone = [read(value) for value in values]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, values * 8)) == alone * 8
