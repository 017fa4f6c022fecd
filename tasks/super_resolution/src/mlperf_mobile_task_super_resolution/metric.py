"""PSNR of the images against those of high resolution, in dB, and SSIM."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_super_resolution.ssim import TAPS, ssim

MOST = 100.0
"""Most dB that one image counts: an image without any error has infinite PSNR, which would make the mean infinite."""
ROWS = 64
"""Rows of an image compared at a time."""

Bytes = npt.NDArray[np.uint8]


class PSNR:
    """Scores images as bytes against the data set's high-resolution images.

    Raises:
        DataError: The data set has none; raised here, before the first inference.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._identical = 0
        self._decibels: list[float] = []
        self._similarities: list[float] = []
        self._truth(0)

    def update(self, index: int, response: bytes) -> None:
        """Compare one image, over all pixels and colours."""
        truth = self._truth(index)
        pixels = truth.pixels
        if len(response) != pixels.size:
            size = f"{truth.source} has {pixels.size} ({pixels.shape[1]}x{pixels.shape[0]} pixels)"
            reason = f"the response to sample {index} has {len(response)} bytes, {size}"
            raise DataError("response", reason, "the log belongs to another task, data set or model")
        image = np.frombuffer(response, np.uint8).reshape(pixels.shape)
        error = squared_error(image, pixels)
        self._identical += not error
        self._decibels.append(psnr(error / pixels.size))
        if min(pixels.shape[:2]) >= TAPS:
            self._similarities.append(ssim(image, pixels))

    def score(self) -> Score:
        """The mean PSNR of the images.

        Details: the lowest PSNR, the number of images without any error, and the mean SSIM of the images that are large
        enough.
        """
        count = len(self._decibels)
        details: dict[str, float] = {"identical": self._identical}
        if count:
            details["psnr_min"] = min(self._decibels)
        if self._similarities:
            details["ssim"] = math.fsum(self._similarities) / len(self._similarities)
        return Score("PSNR", math.fsum(self._decibels) / max(1, count), count, details)

    def _truth(self, index: int) -> Image:
        truth = self._dataset.truth(index)
        if not isinstance(truth, Image) or truth.pixels.ndim != 3 or truth.pixels.shape[2] != 3:
            found = f"{truth.source} of shape {truth.pixels.shape}" if isinstance(truth, Image) else repr(truth)[:40]
            reason = f"the truth of sample {index} is {found}, not a colour image"
            raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
        return truth


def squared_error(one: Bytes, other: Bytes) -> int:
    """The exact sum of all squared differences."""
    total = 0
    for top in range(0, len(one), ROWS):
        difference = np.subtract(one[top : top + ROWS], other[top : top + ROWS], dtype=np.int32)
        difference *= difference
        total += int(difference.sum(dtype=np.int64))
    return total


def psnr(mean_squared_error: float) -> float:
    """``10 log10(255² / error)`` in dB, at most :data:`MOST`, which equal images have."""
    if mean_squared_error <= 0:
        return MOST
    return min(MOST, 10 * math.log10(255**2 / mean_squared_error))
