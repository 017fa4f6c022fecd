"""mAP: the mean of average precisions over classes and over thresholds of box overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_object_detection.average_precision import average_precisions, mean
from mlperf_mobile_task_object_detection.coco_evaluation import coco_statistics
from mlperf_mobile_task_object_detection.response import BOX, CLASS, NUMBERS, SCORE, read_response
from mlperf_mobile_task_object_detection.truth import Truth


class MeanAveragePrecision:
    """Scores detections against the data set's boxes, as the reference app does; COCO's own numbers are in the details.

    Detections with a box or score that is not finite count as wrong detections of the lowest score.

    Args:
        dataset: Supplies a :class:`~truth.Truth` for each image.
        classes: The number of classes, which are numbered from 0.

    Raises:
        DataError: The data set has no boxes, or classes that are out of range; raised before the first inference.
    """

    def __init__(self, dataset: Dataset, classes: int) -> None:
        self._truths = [_checked(index, dataset.truth(index), classes) for index in range(len(dataset))]
        self._classes = classes
        self._found: dict[int, npt.NDArray[np.float32]] = {}
        if not any(len(truth.classes) for truth in self._truths):
            reason = "the annotations of these images contain no objects"
            raise DataError("no-labels", reason, "check the annotations, or measure with --mode performance")

    def update(self, index: int, response: bytes) -> None:
        if not 0 <= index < len(self._truths):
            reason = f"the log has a response to sample {index}, the data set has {len(self._truths)} samples"
            raise DataError("response", reason, "the log belongs to another data set")
        table = read_response(index, response, self._classes)
        broken = ~np.isfinite(table[:, NUMBERS]).all(axis=1)
        if broken.any():
            table = table.copy()
            table[broken, BOX] = 0
            table[broken, SCORE] = -np.finfo(np.float32).max
        self._found[index] = table

    def score(self) -> Score:
        """The mAP of the images answered so far; the details have the app's and COCO's own numbers."""
        indices = sorted(self._found, key=self._place)
        truths = [self._truths[index] for index in indices]
        tables = [self._found[index] for index in indices]
        classes = [table[:, CLASS].astype(np.int64) for table in tables]
        precisions = average_precisions(
            [(truth.boxes, truth.classes) for truth in truths],
            [(table[:, BOX], table[:, SCORE], each) for table, each in zip(tables, classes, strict=True)],
        )
        details = {
            "detections": float(sum(map(len, tables))),
            "objects": float(sum(len(truth.classes) for truth in truths)),
            "classes": float(precisions.shape[1]),
            "AP50": mean(precisions[0]),
            "AP75": mean(precisions[5]),
        }
        known = [truth.coco for truth in truths if truth.coco]
        if len(known) == len(truths):
            found = [
                (table[:, BOX].astype(np.float64), table[:, SCORE].astype(np.float64), each)
                for table, each in zip(tables, classes, strict=True)
            ]
            details |= coco_statistics(known, found)
        return Score("mAP", mean(precisions), len(indices), details)

    def _place(self, index: int) -> tuple[int, int]:
        """Sort key of an image, which orders equal scores: its id as in pycocotools, otherwise its index."""
        known = self._truths[index].coco
        return known.image if known else index, index


def _checked(index: int, truth: object, classes: int) -> Truth:
    if not isinstance(truth, Truth):
        reason = f"sample {index} has the label {truth!r:.40}, not the objects of an image"
        raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
    if truth.classes.size and truth.classes.max() >= classes:
        reason = f"sample {index} shows class {truth.classes.max()}, classes are 0 to {classes - 1}"
        raise DataError("class-range", reason, "set the number of classes with --set num_classes=N")
    return truth
