"""Brings images and annotations to the benchmark's size: enlarged or reduced to fit, then padded.

Source: what the reference app's preparation script (datasets/util/ade20k/resize_512_ade20k.py) calls, DeepLab's
``preprocess_image_and_label`` without a model variant (TensorFlow Model Garden, research/deeplab/input_preprocess.py,
core/preprocess_utils.py and core/feature_extractor.py), and TensorFlow's bilinear and nearest-neighbour kernels with
``align_corners`` (core/kernels/image). All arithmetic is in float32 and in the order of that code, because the bytes
are truncated at the end.
"""

from __future__ import annotations

import numpy as np

from mlperf_mobile_images.resize import ROWS, Floats, Indices, Pixels

MEAN_RGB = np.array((123.15, 115.90, 103.06), np.float32)
"""Padding of images; for greyscale ones, the mean of the three."""
IGNORED = 255
"""Padding of annotations: not a class, so these pixels are ignored."""


def fitted_size(height: int, width: int, target: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same aspect ratio inside ``target``, sides rounded up: (height, width)."""
    scale = min(np.float32(target[0]) / np.float32(height), np.float32(target[1]) / np.float32(width))
    new_height, new_width = (int(np.ceil(np.float32(size) * scale)) for size in (height, width))
    return min(new_height, target[0]), min(new_width, target[1])


def fit_image(pixels: Pixels, target: tuple[int, int]) -> Pixels:
    """Resize an image to fit into ``target`` and pad it below and on the right; an image of that size is unchanged.

    Args:
        pixels: uint8 [h, w, 1 or 3].
        target: (height, width) of the result.

    Returns:
        uint8 [height, width, channels].
    """
    if pixels.shape[:2] == target:
        return pixels
    channels = pixels.shape[2]
    mean = MEAN_RGB if channels == 3 else np.full(channels, MEAN_RGB.mean())
    values = resize_bilinear(pixels, fitted_size(pixels.shape[0], pixels.shape[1], target))
    values -= mean  # the preparation pads with zeros around the mean, and truncates what this loses
    values += mean
    result = np.empty((*target, channels), np.uint8)
    result[:] = mean.astype(np.uint8)
    result[: values.shape[0], : values.shape[1]] = values.astype(np.uint8)
    return result


def fit_labels(labels: Pixels, target: tuple[int, int]) -> Pixels:
    """The same for labels, uint8 [h, w]: each takes the nearest pixel's label, and the padding is :data:`IGNORED`."""
    if labels.shape == target:
        return labels
    height, width = fitted_size(labels.shape[0], labels.shape[1], target)
    rows, columns = (_nearest(size, new) for size, new in zip(labels.shape, (height, width), strict=True))
    result = np.full(target, IGNORED, np.uint8)
    result[:height, :width] = labels[rows[:, None], columns]
    return result


def resize_bilinear(pixels: Pixels, size: tuple[int, int]) -> Floats:
    """Bilinear resize with aligned corners: the centres of the corner pixels stay where they are.

    Args:
        pixels: uint8 [h, w, channels].
        size: (height, width) of the result.

    Returns:
        float32 [height, width, channels], not rounded.
    """
    y, y_next, y_share = _interpolation(pixels.shape[0], size[0])
    x, x_next, x_share = _interpolation(pixels.shape[1], size[1])
    x_share = x_share[:, None]
    result = np.empty((*size, pixels.shape[2]), np.float32)
    for start in range(0, size[0], ROWS):
        rows = slice(start, start + ROWS)
        upper, lower = (
            _between(lines[:, x], lines[:, x_next], x_share)
            for lines in (pixels[y[rows]].astype(np.float32), pixels[y_next[rows]].astype(np.float32))
        )
        result[rows] = _between(upper, lower, y_share[rows, None, None])
    return result


def _between(one: Floats, other: Floats, share: Floats) -> Floats:
    """``one + (other - one) * share``, in place of ``other``."""
    other -= one
    other *= share
    other += one
    return other


def _scale(size: int, new_size: int) -> np.float32:
    """Source pixels for each step in the result."""
    if new_size > 1:
        return np.float32(size - 1) / np.float32(new_size - 1)
    return np.float32(size) / np.float32(new_size)


def _interpolation(size: int, new_size: int) -> tuple[Indices, Indices, Floats]:
    """For each place in the result the source pixels before and after it, and its fraction of the way between them."""
    place = np.arange(new_size, dtype=np.float32) * _scale(size, new_size)
    before = np.floor(place)
    after = np.minimum(np.ceil(place), np.float32(size - 1))
    return np.minimum(before, after).astype(np.intp), after.astype(np.intp), place - before


def _nearest(size: int, new_size: int) -> Indices:
    """For each place in the result the nearest source pixel, the later one of two equally near."""
    place = np.arange(new_size, dtype=np.float32) * _scale(size, new_size)
    whole = np.floor(place)
    nearest: Indices = (whole + (place - whole >= np.float32(0.5))).astype(np.intp)
    return np.minimum(nearest, size - 1)
