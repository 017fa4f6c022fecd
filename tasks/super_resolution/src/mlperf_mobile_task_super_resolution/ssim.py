"""Structural similarity, as defined by Wang, Bovik, Sheikh and Simoncelli.

Source: "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE Transactions on Image
Processing 13(4), 2004; its constants: a Gaussian window of 11x11 with standard deviation 1.5, K1 = 0.01, K2 = 0.03.
Only windows that lie inside the image count, and colours are channels of equal weight.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TAPS = 11
SIGMA = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
TILE = 32
"""Windows processed at a time, in height and width: their data stay in the processor's caches, and their products are
too small for libraries to spread over threads, which would wait for each other on a busy machine."""

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


def ssim(one: Bytes, other: Bytes) -> float:
    """The mean structural similarity of two images, in float64.

    Args:
        one: uint8 [height, width, channels], height and width at least 11.
        other: An image of the same shape.

    Returns:
        1 for equal images.
    """
    height, width, channels = one.shape
    rows, columns = height - TAPS + 1, width - TAPS + 1
    total = 0.0
    for top in range(0, rows, TILE):
        for left in range(0, columns, TILE):
            tile = slice(top, top + TILE + TAPS - 1), slice(left, left + TILE + TAPS - 1)
            total += _similarity(_planes(one[tile]), _planes(other[tile]))
    return float(total / (channels * rows * columns))


def _planes(pixels: Bytes) -> Floats:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float64)


def _similarity(x: Floats, y: Floats) -> float:
    """The sum over all windows of [channels, rows, columns]."""
    mean_x, mean_y, squares, product = _weighted_means(np.stack((x, y, x * x + y * y, x * y)))
    means = mean_x * mean_y
    mean_squares = mean_x * mean_x + mean_y * mean_y
    covariance, variances = product - means, squares - mean_squares
    values = (2 * means + C1) * (2 * covariance + C2) / ((mean_squares + C1) * (variances + C2))
    return float(values.sum())


def _weighted_means(maps: Floats) -> Floats:
    """Gaussian means of every window of [maps, channels, rows, columns]: down the columns, then along the rows."""
    rows, columns = maps.shape[2:]
    down, along = _BAND[: rows - TAPS + 1, :rows], _BAND[: columns - TAPS + 1, :columns]
    means: Floats = down @ maps @ along.T
    return means


def _band(size: int) -> Floats:
    """The window's weights on the diagonals of [size, size + 10], so that a matrix product filters."""
    weights = np.exp(-((np.arange(TAPS) - TAPS // 2) ** 2) / (2 * SIGMA**2))
    weights /= weights.sum()
    band = np.zeros((size, size + TAPS - 1))
    for row in range(size):
        band[row, row : row + TAPS] = weights
    return band


_BAND = _band(TILE)
