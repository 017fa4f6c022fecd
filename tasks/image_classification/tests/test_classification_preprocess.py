"""The whole preprocessing against a naive implementation, one pixel at a time in float32, and known sizes."""

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
