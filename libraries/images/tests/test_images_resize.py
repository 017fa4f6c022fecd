"""The resize against a naive implementation, one pixel at a time in float32, and against known sizes."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_images import resize

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
    np.testing.assert_array_equal(resize.resize_bilinear(pixels, (height, width)), naive_resize(pixels, height, width))


@pytest.mark.parametrize("height", [resize.ROWS - 1, resize.ROWS, 2 * resize.ROWS + 7])
def test_results_longer_than_one_block_of_rows(height):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 6, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize.resize_bilinear(pixels, (height, 5)), naive_resize(pixels, height, 5))


def test_threads_do_not_share_their_memory():
    """Images of several sizes, side by side; a result stays as it is when its thread goes on."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (20 + n, 300, 3), dtype=np.uint8) for n in range(24)]
    sizes = [(150 + 10 * (n % 5), 250 + n) for n in range(24)]
    expected = [resize.resize_bilinear(image, size).copy() for image, size in zip(images, sizes, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        for found in (list(pool.map(resize.resize_bilinear, images, sizes)) for _ in range(3)):
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_window_is_that_part_of_the_whole(data):
    size = data.draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    top, left = (data.draw(st.integers(0, n - 1)) for n in size)
    height, width = data.draw(st.integers(1, size[0] - top)), data.draw(st.integers(1, size[1] - left))
    pixels = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    whole = resize.resize_bilinear(pixels, size)
    part = resize.resize_bilinear(pixels, size, (top, left, height, width))
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


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
    assert resize.aspect_preserving_size(height, width, 256, 256) == expected


@pytest.mark.parametrize(("size", "crop", "start"), [(256, 224, 16), (341, 224, 59), (257, 224, 17), (438, 384, 27)])
def test_crop_rounds_halves_up(size, crop, start):
    """(341-224)/2 = 58.5 and (257-224)/2 = 16.5 round away from zero, as C's round does."""
    assert resize.crop_start(size, crop) == start
