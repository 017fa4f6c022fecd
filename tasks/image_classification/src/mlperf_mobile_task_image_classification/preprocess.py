"""The preprocessing of classification: resize, keep the centre, normalise.

Source: MLPerf Mobile's app, flutter/cpp/datasets/imagenet.cc.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlperf_mobile_images.normalise import normalise
from mlperf_mobile_images.resize import Pixels, aspect_preserving_size, crop_start, resize_bilinear

CROP_FRACTION = np.float32(0.875)


def classification_input(
    pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]
) -> npt.NDArray[np.generic]:
    """Resize so that the crop keeps 87.5 % of each side, crop the centre, and normalise.

    Args:
        pixels: uint8 [h, w, channels].
        height: Height of the result.
        width: Width of the result.
        dtype: float32, uint8 or int8.

    Returns:
        [height, width, channels] of ``dtype``.
    """
    target = resize_target(height), resize_target(width)
    size = aspect_preserving_size(pixels.shape[0], pixels.shape[1], *target)
    top, left = crop_start(size[0], height), crop_start(size[1], width)
    return normalise(resize_bilinear(pixels, size, (top, left, height, width)), dtype, overwrite=True)


def resize_target(size: int) -> int:
    """``size / 0.875`` in float32, truncated to an integer: 224 gives 256, 384 gives 438."""
    return int(np.float32(size) / CROP_FRACTION)
