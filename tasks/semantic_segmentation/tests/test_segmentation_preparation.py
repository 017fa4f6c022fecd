"""Preparation against a naive implementation, one pixel at a time in float32, and sizes known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_task_semantic_segmentation.preparation import IGNORED, fit_image, fit_labels, fitted_size

F = np.float32


def naive(pixels, labels, size):
    """DeepLab's preprocessing without a model variant, read as a formula, for a square target."""
    height, width, channels = pixels.shape
    factor = F(size) / F(max(height, width))
    new_height, new_width = (min(size, math.ceil(float(F(n) * factor))) for n in (height, width))

    def scale(old, new):
        return F(old - 1) / F(new - 1) if new > 1 else F(old) / F(new)

    image = np.zeros((size, size, channels), np.uint8)
    answer = np.full((size, size), 255, np.uint8)
    mean = [F(123.15), F(115.90), F(103.06)]
    for y in range(size):
        for x in range(size):
            if y >= new_height or x >= new_width:
                image[y, x] = [123, 115, 103]
                continue
            py, px = F(y) * scale(height, new_height), F(x) * scale(width, new_width)
            y0, x0 = math.floor(py), math.floor(px)
            y1, x1 = min(math.ceil(py), height - 1), min(math.ceil(px), width - 1)
            y0, x0 = min(y0, y1), min(x0, x1)
            dy, dx = F(py - F(math.floor(py))), F(px - F(math.floor(px)))
            for c in range(channels):
                corners = [[F(pixels[a, b, c]) for b in (x0, x1)] for a in (y0, y1)]
                top = F(corners[0][0] + F(F(corners[0][1] - corners[0][0]) * dx))
                bottom = F(corners[1][0] + F(F(corners[1][1] - corners[1][0]) * dx))
                value = F(top + F(F(bottom - top) * dy))
                image[y, x, c] = int(F(F(value - mean[c]) + mean[c]))
            ny = min(math.floor(py) + (float(py) - math.floor(py) >= 0.5), height - 1)
            nx = min(math.floor(px) + (float(px) - math.floor(px) >= 0.5), width - 1)
            answer[y, x] = labels[ny, nx]
    return image, answer


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([8, 13, 16, 24]), st.integers(0, 2**31))
@settings(max_examples=30)
def test_against_a_naive_implementation(height, width, size, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = rng.integers(0, 151, (height, width), dtype=np.uint8)
    if (height, width) == (size, size):
        return
    image, answer = naive(pixels, labels, size)
    np.testing.assert_array_equal(fit_image(pixels, (size, size)), image)
    np.testing.assert_array_equal(fit_labels(labels, (size, size)), answer)


PIXELS = [[[34, 32, 204], [127, 151, 153], [182, 7, 124]], [[37, 102, 237], [140, 18, 138], [33, 193, 242]]]
FITTED = [
    [[34, 32, 204], [96, 111, 170], [145, 102, 143], [182, 7, 124]],
    [[35, 67, 220], [100, 78, 170], [124, 89, 158], [107, 100, 183]],
    [[37, 102, 237], [105, 46, 171], [104, 76, 172], [33, 193, 242]],
    [[123, 115, 103], [123, 115, 103], [123, 115, 103], [123, 115, 103]],
]
FITTED_LABELS = [[1, 2, 2, 3], [4, 5, 5, 6], [4, 5, 5, 6], [255, 255, 255, 255]]


def test_what_tensorflow_gives():
    """TensorFlow 2.21's own operations on the same pixels: tf.compat.v1.image.resize_images with align_corners."""
    labels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert fit_image(np.array(PIXELS, np.uint8), (4, 4)).tolist() == FITTED
    assert fit_labels(labels, (4, 4)).tolist() == FITTED_LABELS


@pytest.mark.parametrize(
    ("height", "width", "target", "expected"),
    [
        (512, 683, (512, 512), (384, 512)),  # 512 * 512 / 683 = 383.8
        (683, 512, (512, 512), (512, 384)),
        (375, 500, (512, 512), (385, 512)),  # 384, but in float32 512 / 500 is a little more; TensorFlow has 385 too
        (256, 256, (512, 512), (512, 512)),
        (2, 700, (512, 512), (2, 512)),
        (100, 200, (257, 257), (129, 257)),  # 128.5
        (100, 200, (64, 256), (64, 128)),
    ],
)
def test_sizes_by_hand(height, width, target, expected):
    assert fitted_size(height, width, target) == expected


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_one_side_fills_the_target_and_none_exceeds_it(height, width):
    new = fitted_size(height, width, (512, 512))
    assert max(new) == 512
    assert min(new) >= 1


def test_what_has_the_size_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert fit_image(pixels, (16, 16)) is pixels
    assert fit_labels(pixels[:, :, 0], (16, 16)).base is pixels


def test_padding():
    image = fit_image(np.zeros((4, 8, 3), np.uint8), (16, 16))
    assert not image[:8].any()
    assert (image[8:] == [123, 115, 103]).all()
    assert (fit_image(np.zeros((4, 8, 1), np.uint8), (16, 16))[8:] == 114).all()  # 114.04, the mean of the three
    labels = fit_labels(np.full((4, 8), 7, np.uint8), (16, 16))
    assert (labels[:8] == 7).all()
    assert (labels[8:] == IGNORED).all()
