"""mIoU: intersection over union of predicted and true pixels, averaged over the classes.

Source: the reference app, flutter/cpp/datasets/ade20k.cc.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile_images.resize import Pixels

LABELS = 256
LEAST = 16
"""A response may be at most this many times smaller than the truth: smaller ones belong to another task."""


@runtime_checkable
class Annotated(Protocol):
    """A data set that has a number of classes that count: labels 1 to ``classes``."""

    @property
    def classes(self) -> int: ...


class MeanIoU:
    """Scores label maps, one byte per pixel and row by row, against the data set's.

    Pixels whose truth is not a class (0, or more than ``classes``) are ignored.

    Args:
        dataset: Its truths are uint8 [height, width].
        classes: Number of classes that count, from 1; by default the data set's.

    Raises:
        DataError: The data set has no annotations; raised here, before the first inference.
    """

    def __init__(self, dataset: Dataset, classes: int | None = None) -> None:
        self._dataset = dataset
        self._truth(0)
        if classes is None:
            if not isinstance(dataset, Annotated):
                reason = f"the data set {type(dataset).__name__} does not say how many classes count"
                raise DataError("classes", reason, "set it with --set classes=N")
            classes = dataset.classes
        self._classes = classes
        self._samples = 0
        self._confusion = np.zeros(LABELS * LABELS, np.int64)

    def update(self, index: int, response: bytes) -> None:
        """Count one label map; one of another resolution is compared by the nearest label.

        Raises:
            DataError: Its aspect ratio differs from the truth's, or it is too small.
        """
        truth = self._truth(index)
        found = _of_size(np.frombuffer(response, np.uint8), truth.shape)
        if found is None:
            (height, width), size = truth.shape, len(response)
            reason = f"the response to sample {index} has {size} bytes, which is not a label map for {width}x{height}"
            raise DataError("response", reason, "the log belongs to another task, data set or model")
        pairs = truth.astype(np.uint16)
        pairs <<= 8
        pairs |= found
        self._confusion += np.bincount(pairs.reshape(-1), minlength=LABELS * LABELS)
        self._samples += 1

    def score(self) -> Score:
        """The app's mIoU: the sum of the classes' IoU divided by the number of all classes, absent ones included.

        A class that is neither in the truth nor predicted has no IoU; it counts as 0 here. Details:
        ``mean_of_present``, the mean over the classes that have an IoU; their number; the fraction of correct pixels
        among those whose truth is a class; and the IoU of each class.
        """
        matrix = self._confusion.reshape(LABELS, LABELS)[1 : self._classes + 1]
        right = np.diagonal(matrix[:, 1:])
        true = matrix.sum(axis=1)
        union = true + matrix.sum(axis=0)[1 : self._classes + 1] - right
        shares = {label: int(right[label - 1]) / int(n) for label, n in enumerate(union, 1) if n}
        total = math.fsum(shares.values())
        details: dict[str, float] = {
            "mean_of_present": total / max(1, len(shares)),
            "classes_present": len(shares),
            "pixel_accuracy": int(right.sum()) / max(1, int(true.sum())),
        }
        details |= {f"iou_{label}": share for label, share in shares.items()}
        return Score("mIoU", total / self._classes, self._samples, details)

    def _truth(self, index: int) -> Pixels:
        truth = self._dataset.truth(index)
        if not isinstance(truth, np.ndarray) or truth.dtype != np.uint8 or truth.ndim != 2 or not truth.size:
            found = f"{truth.dtype}{list(truth.shape)}" if isinstance(truth, np.ndarray) else repr(truth)[:40]
            reason = f"the truth of sample {index} is {found}, not one label per pixel"
            raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
        return truth


def _of_size(labels: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Pixels | None:
    """Labels as a map of ``shape``: each pixel gets the label at its centre; None if the sizes do not fit."""
    height, width = shape
    if labels.size == height * width:
        return labels.reshape(shape)
    high = math.isqrt(labels.size * height // width)
    wide = labels.size // max(1, high)
    if high * wide != labels.size or high * width != wide * height or high * LEAST < height:
        return None
    rows, columns = ((2 * np.arange(size) + 1) * few // (2 * size) for size, few in ((height, high), (width, wide)))
    return labels.reshape(high, wide)[rows[:, None], columns]
