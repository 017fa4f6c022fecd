"""The reference app's mean average precision, bit for bit in float32.

Source: TensorFlow Lite, tools/evaluation/stages/object_detection_average_precision_stage.cc and utils/image_metrics.cc,
as MLPerf Mobile's app calls them (flutter/cpp/datasets/coco.cc). It differs from COCO's own evaluation: it has no
crowds, no areas and no limit of detections; a class that is only detected counts as 0; and precision at a recall is
looked up in float32. Detections of equal scores, whose order that code leaves open, are in image order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

THRESHOLDS = np.array([0.5 + number * 0.05 for number in range(10)], np.float32)
"""The intersection over union that a detection must reach to be correct."""
RECALL_LEVELS = np.arange(100, -1, -1).astype(np.float32)
"""In hundredths, highest first."""
ZERO = np.float32(0)


def average_precisions(truth: Sequence[tuple[Floats, Whole]], found: Sequence[tuple[Floats, Floats, Whole]]) -> Floats:
    """The average precision of every class that is in the truth or detected, at every threshold.

    Args:
        truth: Of each image: boxes [n, 4] and classes [n].
        found: Of the same images: boxes [m, 4], scores [m] and classes [m].

    Returns:
        float32 [thresholds, classes], classes in ascending order.
    """
    images = len(truth)
    boxes = _joined([each[0] for each in truth], np.float32).reshape(-1, 4)
    classes = _joined([each[1] for each in truth], np.int64)
    places = np.repeat(np.arange(images), [len(each[1]) for each in truth])
    found_boxes = _joined([each[0] for each in found], np.float32).reshape(-1, 4)
    scores = _joined([each[1] for each in found], np.float32)
    found_classes = _joined([each[2] for each in found], np.int64)
    found_places = np.repeat(np.arange(images), [len(each[1]) for each in found])

    order = np.lexsort((-scores, found_places))  # stable: equal scores keep their order
    right = _match(boxes, classes * images + places, found_boxes[order], (found_classes * images + found_places)[order])
    scores, found_classes = scores[order], found_classes[order]
    all_classes = np.union1d(classes, found_classes)
    results = np.zeros((len(THRESHOLDS), len(all_classes)), np.float32)
    for column, number in enumerate(all_classes):
        if count := int((classes == number).sum()):
            mine = np.flatnonzero(found_classes == number)
            mine = mine[np.argsort(-scores[mine], kind="stable")]
            results[:, column] = [_average_precision(each, count) for each in right[:, mine]]
    return results


def mean(values: Floats) -> float:
    """The mean, summed in float32 threshold by threshold, as in the reference app; 0 if there are no values."""
    return float(np.add.accumulate(values.reshape(-1))[-1] / np.float32(values.size)) if values.size else 0.0


def _match(boxes: Floats, groups: Whole, found: Floats, found_groups: Whole) -> npt.NDArray[np.bool_]:
    """Which detections are correct, [thresholds, detections].

    In each group (class and image), each detection in turn takes the remaining box that it overlaps most, if that
    overlap reaches the threshold.
    """
    right = np.zeros((len(THRESHOLDS), len(found)), np.bool_)
    box_order, found_order = np.argsort(groups, kind="stable"), np.argsort(found_groups, kind="stable")
    both = np.intersect1d(groups, found_groups)
    box_starts, box_ends = _spans(groups[box_order], both)
    found_starts, found_ends = _spans(found_groups[found_order], both)
    thresholds, rows = THRESHOLDS, np.arange(len(THRESHOLDS))
    for start, end, first, last in zip(box_starts, box_ends, found_starts, found_ends, strict=True):
        mine = found_order[first:last]
        shares = overlaps(found[mine], boxes[box_order[start:end]])
        left = np.broadcast_to(shares[:, None], (len(mine), len(rows), end - start)).copy()
        for number, detection in enumerate(mine.tolist()):
            options = left[number]
            best = options.argmax(axis=1)
            enough = options[rows, best] >= thresholds
            right[:, detection] = enough
            left[:, rows[enough], best[enough]] = -1  # taken
    return right


def overlaps(some: Floats, others: Floats) -> Floats:
    """Intersection over union, float32 [n, m]; 0 where the union is empty; negative lengths count as 0."""
    one, other = some[:, None], others[None]
    common = np.maximum(ZERO, np.minimum(one[..., 3], other[..., 3]) - np.maximum(one[..., 1], other[..., 1]))
    common = common * np.maximum(ZERO, np.minimum(one[..., 2], other[..., 2]) - np.maximum(one[..., 0], other[..., 0]))
    union = _areas(some)[:, None] + _areas(others) - common
    result: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return result


def _areas(boxes: Floats) -> Floats:
    widths, heights = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    areas: Floats = np.maximum(ZERO, widths) * np.maximum(ZERO, heights)
    return areas


def _average_precision(right: npt.NDArray[np.bool_], count: int) -> np.float32:
    """The mean of the best precision at 101 recall levels, for detections by falling score and ``count`` boxes."""
    if not right.size:
        return ZERO
    correct = right.cumsum().astype(np.float32)
    precision = correct / np.arange(1, right.size + 1, dtype=np.float32)
    recall = correct / np.float32(count)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], ZERO)
    levels = best[np.searchsorted(recall * np.float32(100), RECALL_LEVELS, side="left")]
    mean_level: np.float32 = np.add.accumulate(levels)[-1] / np.float32(len(RECALL_LEVELS))
    return mean_level


def _spans(ordered: Whole, groups: Whole) -> tuple[list[int], list[int]]:
    return np.searchsorted(ordered, groups, "left").tolist(), np.searchsorted(ordered, groups, "right").tolist()


def _joined(parts: Sequence[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros((0, *parts[0].shape[1:]), dtype), *parts]) if parts else np.zeros(0, dtype)
