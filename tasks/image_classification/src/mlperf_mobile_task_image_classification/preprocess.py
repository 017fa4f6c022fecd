"""The benchmark's image preprocessing: legacy bilinear resize, centre crop, normalisation by the input's type.

Source of every formula: TensorFlow Lite, tools/evaluation/stages/image_preprocessing_stage.{h,cc} and
kernels/internal/reference/resize_bilinear.h, as MLPerf Mobile's app calls them (flutter/cpp/datasets/imagenet.cc).
All arithmetic is in float32 and in the order of that code, because the integer types truncate at the end.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

CROP_FRACTION = np.float32(0.875)
ROWS = 32
"""Rows that are resized at a time, so that what is intermediate stays in the cache."""

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


def classification_input(
    pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]
) -> npt.NDArray[np.generic]:
    """Resize so that the crop keeps 87.5 % of each side, crop the centre, and normalise.

    Args:
        pixels: uint8 [h, w, channels].
        height: Of the result.
        width: Of the result.
        dtype: float32, uint8 or int8.

    Returns:
        [height, width, channels] of ``dtype``.
    """
    target = resize_target(height), resize_target(width)
    size = aspect_preserving_size(pixels.shape[0], pixels.shape[1], *target)
    top, left = crop_start(size[0], height), crop_start(size[1], width)
    return normalise(resize_bilinear(pixels, size, (top, left, height, width)), dtype)


def resize_target(size: int) -> int:
    """``size / 0.875`` in float32, truncated to an integer: 224 gives 256, 384 gives 438."""
    return int(np.float32(size) / CROP_FRACTION)


def aspect_preserving_size(height: int, width: int, target_height: int, target_width: int) -> tuple[int, int]:
    """The smallest size of the same aspect ratio that covers the target: (height, width)."""
    ratio_h = np.float32(target_height) / np.float32(height)
    ratio_w = np.float32(target_width) / np.float32(width)
    if ratio_w >= ratio_h:
        return round_half_away(np.float32(height) * ratio_w), target_width
    return target_height, round_half_away(np.float32(width) * ratio_h)


def crop_start(size: int, crop: int) -> int:
    """Where a centre crop begins."""
    return round_half_away((size - crop) / 2.0)


def round_half_away(value: float | np.float32) -> int:
    """C's ``round`` for values that are not negative: halves go up."""
    return math.floor(float(value) + 0.5)


def resize_bilinear(pixels: Pixels, size: tuple[int, int], window: tuple[int, int, int, int] | None = None) -> Floats:
    """Legacy bilinear resize (align_corners and half_pixel_centers both false).

    Args:
        pixels: uint8 [h, w, channels].
        size: (height, width) of the resized image.
        window: (top, left, height, width) of the part of it that is wanted; all of it by default.

    Returns:
        float32 [height, width, channels] of the window, not rounded.
    """
    top, left, height, width = window or (0, 0, *size)
    channels = pixels.shape[2]
    y0, y1, dy = _interpolation(pixels.shape[0], size[0], top, height)
    x0, x1, dx = _interpolation(pixels.shape[1], size[1], left, width)
    first, last = x0[0], x1[-1] + 1
    strip = pixels[:, first:last].reshape(len(pixels), -1)  # rows of values: one index moves one channel
    x0, x1, dx = _by_channel(x0 - first, channels), _by_channel(x1 - first, channels), np.repeat(dx, channels)
    one = np.float32(1)
    result = np.empty((height, width * channels), np.float32)
    for start in range(0, height, ROWS):
        rows = slice(start, start + ROWS)
        upper = strip.take(y0[rows], axis=0) * (one - dy[rows, None])
        lower = strip.take(y1[rows], axis=0) * dy[rows, None]
        part = result[rows]
        np.multiply(upper.take(x0, axis=1), one - dx, out=part)
        for row, x, weight in ((lower, x0, one - dx), (upper, x1, dx), (lower, x1, dx)):
            term = row.take(x, axis=1)
            term *= weight
            part += term
    return result.reshape(height, width, channels)


def _by_channel(columns: Indices, channels: int) -> Indices:
    """The indices of each column's channels in a row of interleaved channels."""
    return (columns[:, None] * channels + np.arange(channels)).ravel()


def _interpolation(size: int, new_size: int, start: int, count: int) -> tuple[Indices, Indices, Floats]:
    """Lower and upper source index and the weight of the upper one, for ``count`` places from ``start``."""
    scale = np.float32(size) / np.float32(new_size)
    place = np.arange(start, start + count, dtype=np.float32) * scale
    lower = np.floor(place)
    upper = np.minimum(np.ceil(place), np.float32(size - 1))
    lower = np.minimum(lower, np.float32(size - 1))
    return lower.astype(np.intp), upper.astype(np.intp), place - lower


def normalise(values: npt.NDArray[np.generic], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """The benchmark's three normalisations of values between 0 and 255; integers truncate towards zero.

    float32: ``(x - 127.5) * (1 / 127.5)``; uint8: ``x``; int8: ``x - 128``.

    Raises:
        ValueError: Another type.
    """
    if dtype == np.float32:
        centred = values.astype(np.float32, copy=False) - np.float32(127.5)
        centred *= np.float32(1 / 127.5)
        return centred
    if dtype == np.uint8:
        return values.astype(np.uint8)
    if dtype == np.int8:
        return (values.astype(np.float32, copy=False) - np.float32(128)).astype(np.int8)
    raise ValueError(f"no normalisation for {dtype}")
