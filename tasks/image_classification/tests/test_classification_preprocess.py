"""The preprocessing against a naive implementation, one pixel at a time in float32, and against known sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_task_image_classification import preprocess

F = np.float32


def naive_resize(pixels, height, width):
    """TensorFlow Lite's reference kernel, read as a formula: each output pixel from its four neighbours."""
    in_height, in_width, channels = pixels.shape
    out = np.zeros((height, width, channels), F)
    scale_y, scale_x = F(in_height) / F(height), F(in_width) / F(width)
    for y in range(height):
        fy = F(y) * scale_y
        y0 = max(0, math.floor(fy))
        y1 = min(math.ceil(fy), in_height - 1)
        dy = F(fy - F(y0))
        for x in range(width):
            fx = F(x) * scale_x
            x0 = max(0, math.floor(fx))
            x1 = min(math.ceil(fx), in_width - 1)
            dx = F(fx - F(x0))
            for c in range(channels):
                total = F(F(F(pixels[y0, x0, c]) * F(F(1) - dy)) * F(F(1) - dx))
                total = F(total + F(F(F(pixels[y1, x0, c]) * dy) * F(F(1) - dx)))
                total = F(total + F(F(F(pixels[y0, x1, c]) * F(F(1) - dy)) * dx))
                out[y, x, c] = F(total + F(F(F(pixels[y1, x1, c]) * dy) * dx))
    return out


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1, 3]),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_resize_is_the_reference_kernel(in_height, in_width, height, width, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (in_height, in_width, channels), dtype=np.uint8)
    np.testing.assert_array_equal(
        preprocess.resize_bilinear(pixels, (height, width)), naive_resize(pixels, height, width)
    )


@pytest.mark.parametrize("height", [preprocess.ROWS - 1, preprocess.ROWS, 2 * preprocess.ROWS + 7])
def test_results_longer_than_one_block_of_rows(height):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(preprocess.resize_bilinear(pixels, (height, 5)), naive_resize(pixels, height, 5))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_window_is_that_part_of_the_whole(data):
    size = data.draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    top, left = (data.draw(st.integers(0, n - 1)) for n in size)
    height, width = data.draw(st.integers(1, size[0] - top)), data.draw(st.integers(1, size[1] - left))
    pixels = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    whole = preprocess.resize_bilinear(pixels, size)
    part = preprocess.resize_bilinear(pixels, size, (top, left, height, width))
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


@given(st.integers(20, 60), st.integers(20, 60), st.sampled_from([7, 8, 14, 21]), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_whole_preprocessing(dtype, height, width, size, seed):
    """Resize everything, crop, normalise and cast, in the plainest order."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    target = int(F(size) / F(0.875))
    ratio_h, ratio_w = F(target) / F(height), F(target) / F(width)
    if ratio_w >= ratio_h:
        new = (math.floor(float(F(height) * ratio_w) + 0.5), target)
    else:
        new = (target, math.floor(float(F(width) * ratio_h) + 0.5))
    whole = naive_resize(pixels, *new)
    top, left = (math.floor((n - size) / 2 + 0.5) for n in new)
    crop = whole[top : top + size, left : left + size]
    if dtype == "float32":
        expected = (crop - F(127.5)) * F(1 / 127.5)
    elif dtype == "uint8":
        expected = np.trunc(crop).astype(np.uint8)
    else:
        expected = np.trunc(crop - F(128)).astype(np.int8)
    got = preprocess.classification_input(pixels, size, size, np.dtype(dtype))
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("size", "target"), [(224, 256), (384, 438), (320, 365), (299, 341)])
def test_targets_are_truncated(size, target):
    """224 and 384 as the reference app has them; the others by hand: 365.7, 341.7."""
    assert preprocess.resize_target(size) == target


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (375, 500, (256, 341)),  # 500 * 256/375 = 341.33
        (500, 375, (341, 256)),
        (256, 256, (256, 256)),
        (100, 300, (256, 768)),
        (333, 500, (256, 384)),  # 384.38
        (427, 640, (256, 384)),  # 383.7
    ],
)
def test_aspect_is_preserved(height, width, expected):
    assert preprocess.aspect_preserving_size(height, width, 256, 256) == expected


@pytest.mark.parametrize(("size", "crop", "start"), [(256, 224, 16), (341, 224, 59), (257, 224, 17), (438, 384, 27)])
def test_crop_rounds_halves_up(size, crop, start):
    """(341-224)/2 = 58.5 and (257-224)/2 = 16.5 round away from zero, as C's round does."""
    assert preprocess.crop_start(size, crop) == start


def test_normalisations_by_hand():
    values = np.array([0, 127, 128, 255], np.uint8)
    np.testing.assert_allclose(
        preprocess.normalise(values, np.dtype(np.float32)), [-1, -0.00392157, 0.00392157, 1], atol=1e-6
    )
    np.testing.assert_array_equal(preprocess.normalise(values, np.dtype(np.uint8)), values)
    np.testing.assert_array_equal(preprocess.normalise(values, np.dtype(np.int8)), [-128, -1, 0, 127])


def test_casts_truncate_towards_zero():
    """A resized value of 126.9 is -1.1 for int8, which truncates to -1 and not to -2."""
    values = np.array([126.9, 0.9, 200.99], np.float32)
    np.testing.assert_array_equal(preprocess.normalise(values, np.dtype(np.int8)), [-1, -127, 72])
    np.testing.assert_array_equal(preprocess.normalise(values, np.dtype(np.uint8)), [126, 0, 200])


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="float64"):
        preprocess.normalise(np.zeros(1), np.dtype(np.float64))
