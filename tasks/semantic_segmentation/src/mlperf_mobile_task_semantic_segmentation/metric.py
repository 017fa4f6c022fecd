"""mIoU: how much of what is or should be a class is both, averaged over the classes.

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
"""A response's height is that of the truth divided by this at least: smaller ones belong to another task."""


@runtime_checkable
class Annotated(Protocol):
    """A data set that says how many classes count: labels 1 to ``classes``."""

    @property
    def classes(self) -> int: ...


class MeanIoU:
    """Scores label maps, one byte a pixel and row by row, against the data set's.

    Pixels whose truth is no class (0, or more than ``classes``) are not held against the model.

    Args:
        dataset: Its truths are uint8 [height, width].
        classes: That count, from 1; by default those that the data set names.

    Raises:
        DataError: The data set has no annotations; told here, before the first image is inferred.
    """

    def __init__(self, dataset: Dataset, classes: int | None = None) -> None:
        self._dataset = dataset
        self._truth(0)
        if classes is None:
            if not isinstance(dataset, Annotated):
                reason = f"the data set {type(dataset).__name__} does not say how many classes count"
                raise DataError("classes", reason, "tell it with --set classes=N")
            classes = dataset.classes
        self._classes = classes
        self._samples = 0
        self._confusion = np.zeros(LABELS * LABELS, np.int64)

    def update(self, index: int, response: bytes) -> None:
        """Count one label map; one of another resolution is compared by the nearest label.

        Raises:
            DataError: It has not the aspect ratio of the truth, or is too small.
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
        """The app's mIoU: the sum of the classes' IoU divided by the number of all classes, also absent ones.

        A class that is neither in the truth nor found has no IoU; it counts as 0 here. Details: ``mean_of_present``,
        the mean over the classes that have one; how many those are; the share of right pixels among those whose
        truth is a class; and the IoU of each class.
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
    """Labels as a map of ``shape``: each pixel gets the label of the one that its centre lies in."""
    height, width = shape
    if labels.size == height * width:
        return labels.reshape(shape)
    high = math.isqrt(labels.size * height // width)
    wide = labels.size // max(1, high)
    if high * wide != labels.size or high * width != wide * height or high * LEAST < height:
        return None
    rows, columns = ((2 * np.arange(size) + 1) * few // (2 * size) for size, few in ((height, high), (width, wide)))
    return labels.reshape(high, wide)[rows[:, None], columns]
