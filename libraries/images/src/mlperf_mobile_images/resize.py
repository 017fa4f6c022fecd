"""Legacy bilinear resizing, and the sizes that the benchmark requires.

Source of every formula: TensorFlow Lite, tools/evaluation/stages/image_preprocessing_stage.{h,cc} and
kernels/internal/reference/resize_bilinear.h, as MLPerf Mobile's app calls them (flutter/cpp/datasets).
All arithmetic is in float32 and in the order of that code, because the integer types truncate at the end.
"""

from __future__ import annotations

import math
import threading
from functools import lru_cache

import numpy as np
import numpy.typing as npt

ROWS = 256
"""Rows resized at a time: few enough to bound memory, enough to keep threads from waiting for each other.

A thread releases the interpreter's lock in every numpy operation, and may then have to wait for it.
"""

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


def aspect_preserving_size(height: int, width: int, target_height: int, target_width: int) -> tuple[int, int]:
    """The smallest size of the same aspect ratio that covers the target: (height, width)."""
    ratio_h = np.float32(target_height) / np.float32(height)
    ratio_w = np.float32(target_width) / np.float32(width)
    if ratio_w >= ratio_h:
        return round_half_away(np.float32(height) * ratio_w), target_width
    return target_height, round_half_away(np.float32(width) * ratio_h)


def crop_start(size: int, crop: int) -> int:
    """The first row or column of a centre crop."""
    return round_half_away((size - crop) / 2.0)


def round_half_away(value: float | np.float32) -> int:
    """C's ``round`` for non-negative values: halves are rounded up."""
    return math.floor(float(value) + 0.5)


def resize_bilinear(pixels: Pixels, size: tuple[int, int], window: tuple[int, int, int, int] | None = None) -> Floats:
    """Legacy bilinear resize (align_corners and half_pixel_centers both false).

    Args:
        pixels: uint8 [h, w, channels].
        size: (height, width) of the resized image.
        window: (top, left, height, width) of the part to compute; by default the whole image.

    Returns:
        float32 [height, width, channels] of the window, not rounded.
    """
    top, left, height, width = window or (0, 0, *size)
    channels = pixels.shape[2]
    y, weight_y = _interpolation(pixels.shape[0], size[0], top, height)
    x, weight_x, columns = _values_of_a_row(pixels.shape[1], size[1], left, width, channels)
    strip = pixels[:, columns].reshape(len(pixels), -1)  # a row has the channels of all its columns in order
    result = np.empty((height, width * channels), np.float32)
    for start in range(0, height, ROWS):
        rows = slice(start, min(start + ROWS, height))
        count = rows.stop - start
        lines = _scratch.array("lines", (2, count, strip.shape[1]))  # [lower or upper y, row, value]
        corners = _scratch.array("corners", (2, 2, count, width * channels))  # [lower or upper x, y, row, value]
        np.multiply(strip.take(y[:, rows], axis=0), weight_y[:, rows, None], out=lines)
        for side in (0, 1):  # all indices are valid; with mode "raise" numpy would copy
            lines.take(x[side], axis=2, out=corners[side], mode="clip")
        corners *= weight_x[:, None, None]
        part = np.add(corners[0, 0], corners[0, 1], out=result[rows])
        part += corners[1, 0]
        part += corners[1, 1]
    return result.reshape(height, width, channels)


class _Scratch(threading.local):
    """Memory that a thread reuses: allocating it costs as much as the arithmetic."""

    def __init__(self) -> None:
        self._arrays: dict[str, Floats] = {}

    def array(self, name: str, shape: tuple[int, ...]) -> Floats:
        """An uninitialised array, which replaces the last one of the same name."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, np.float32)
        return self._arrays[name][:size].reshape(shape)


_scratch = _Scratch()


@lru_cache(maxsize=64)
def _values_of_a_row(size: int, new_size: int, start: int, count: int, channels: int) -> tuple[Indices, Floats, slice]:
    """Index and weight of every value in a resized row, both [lower or upper x, value], and the columns used."""
    x, weight_x = _interpolation(size, new_size, start, count)
    columns = slice(int(x.min()), int(x.max()) + 1)
    values = (x - columns.start)[:, :, None] * channels + np.arange(channels)
    return values.reshape(2, -1), np.repeat(weight_x, channels, axis=1), columns


@lru_cache(maxsize=64)
def _interpolation(size: int, new_size: int, start: int, count: int) -> tuple[Indices, Floats]:
    """Lower and upper source index and their weights, both [2, count], for ``count`` places from ``start``."""
    scale = np.float32(size) / np.float32(new_size)
    place = np.arange(start, start + count, dtype=np.float32) * scale
    lower = np.minimum(np.floor(place), np.float32(size - 1))
    upper = np.minimum(np.ceil(place), np.float32(size - 1))
    distance = place - lower
    return np.stack((lower, upper)).astype(np.intp), np.stack((np.float32(1) - distance, distance))
