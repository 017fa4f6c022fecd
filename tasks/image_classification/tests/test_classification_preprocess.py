"""The whole preprocessing against its steps in the plainest order, and known sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_images.resize import resize_bilinear
from mlperf_mobile_task_image_classification import preprocess

F = np.float32


@given(st.integers(20, 60), st.integers(20, 60), st.sampled_from([7, 8, 14, 21]), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_whole_preprocessing(dtype, height, width, size, seed):
    """Resize everything, crop, normalise and cast; the resize has its own tests, against the reference kernel."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    target = int(F(size) / F(0.875))
    ratio_h, ratio_w = F(target) / F(height), F(target) / F(width)
    if ratio_w >= ratio_h:
        new = (math.floor(float(F(height) * ratio_w) + 0.5), target)
    else:
        new = (target, math.floor(float(F(width) * ratio_h) + 0.5))
    whole = resize_bilinear(pixels, new)
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
