"""COCO's own evaluation, by pycocotools; its matching is reimplemented with the same results, several times faster."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mlperf_mobile_task_object_detection.truth import CocoObjects

Doubles = npt.NDArray[np.float64]

NAMES = (
    "COCO AP",
    "COCO AP50",
    "COCO AP75",
    "COCO AP small",
    "COCO AP medium",
    "COCO AP large",
    "COCO AR1",
    "COCO AR10",
    "COCO AR100",
    "COCO AR small",
    "COCO AR medium",
    "COCO AR large",
)
"""The names of pycocotools' twelve numbers, in its order."""


def coco_statistics(
    truth: Sequence[CocoObjects], found: Sequence[tuple[Doubles, Doubles, npt.NDArray[np.int64]]]
) -> dict[str, float]:
    """The twelve numbers of pycocotools by name; those that are undefined, for lack of such objects, are left out.

    Images are taken by their ids, as pycocotools does: of detections with equal scores in two of them, the one in the
    image with the smaller id comes first.

    Args:
        truth: Of each image.
        found: Of the same images: boxes [m, 4] as fractions of the image (ymin, xmin, ymax, xmax), scores, classes.
    """
    order = sorted(range(len(truth)), key=lambda number: truth[number].image)
    truth, found = [truth[number] for number in order], [found[number] for number in order]
    annotations: list[dict[str, Any]] = []
    for image, known in enumerate(truth, 1):
        never = known.numbered_0 if known.numbered_0 is not None else np.zeros_like(known.crowds)
        columns = (known.boxes, known.classes, known.areas, known.crowds, never)
        for box, category, area, crowd, numbered_0 in zip(*(each.tolist() for each in columns), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "bbox": box,
                    "area": area,
                    "iscrowd": int(crowd),
                    "numbered_0": numbered_0,
                }
            )
    if not annotations:
        return {}
    detections: list[dict[str, Any]] = []
    for image, (known, (shares, scores, classes)) in enumerate(zip(truth, found, strict=True), 1):
        corners = shares[:, [1, 0, 3, 2]] * np.array([known.width, known.height] * 2, np.float64)
        sizes = corners[:, 2:] - corners[:, :2]
        boxes = np.concatenate((corners[:, :2], sizes), axis=1).tolist()
        for box, area, score, category in zip(
            boxes, sizes.prod(axis=1).tolist(), scores.tolist(), classes.tolist(), strict=True
        ):
            detections.append(
                {
                    "id": len(detections) + 1,
                    "image_id": image,
                    "category_id": category,
                    "bbox": box,
                    "area": area,
                    "iscrowd": 0,
                    "score": score,
                }
            )
    content = {
        "images": [{"id": number} for number in range(1, len(truth) + 1)],
        "categories": [{"id": number} for number in sorted({each["category_id"] for each in annotations})],
    }
    with redirect_stdout(io.StringIO()):
        evaluation = _Evaluation(
            _index(content | {"annotations": annotations}), _index(content | {"annotations": detections}), "bbox"
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(value) for name, value in zip(NAMES, evaluation.stats, strict=True) if value >= 0}


def _index(content: Mapping[str, Any]) -> Any:
    coco = COCO()
    coco.dataset = dict(content)
    coco.createIndex()
    return coco


class _Evaluation(COCOeval):  # type: ignore[misc]
    """COCOeval with a matching that handles all area ranges and thresholds together, and skips empty images."""

    def evaluate(self) -> None:
        """Fill ``evalImgs``: a result for each category, area range and image.

        Images where a category is neither in the truth nor detected are skipped, so the images are numbered separately
        for each category, in the same order; None pads the shorter lists.
        """
        params = self.params
        self._prepare()
        ranges = np.array(params.areaRng, np.float64)
        categories: dict[int, list[list[dict[str, Any]]]] = {category: [] for category in params.catIds}
        for image, category in sorted(self._gts.keys() | self._dts.keys()):
            pair = self._gts[image, category], self._dts[image, category]
            categories[category].append(_match(*pair, ranges, params.iouThrs, params.maxDets[-1]))
        params.imgIds = list(range(max(map(len, categories.values()))))
        self.evalImgs = [
            images[number][area] if number < len(images) else None
            for images in categories.values()
            for area in range(len(ranges))
            for number in params.imgIds
        ]
        self._paramsEval = params


def _match(
    truth: list[dict[str, Any]], found: list[dict[str, Any]], ranges: Doubles, thresholds: Doubles, most: int
) -> list[dict[str, Any]]:
    """COCOeval's evaluateImg for every area range.

    Each detection in turn takes the box that it overlaps most, if the overlap is enough: one that counts if possible,
    otherwise an ignored one; a crowd may be taken again. Among equal overlaps the last box is taken. evaluateImg
    records the id of the taken box, so a box with id 0 is taken but never counts as found.
    """
    found = sorted(found, key=lambda each: -each["score"])[:most]
    areas = np.array([each["area"] for each in truth], np.float64)
    crowds = np.array([each["iscrowd"] for each in truth], np.bool_)
    never = np.array([each["numbered_0"] for each in truth], np.bool_)
    ignored = crowds | (areas < ranges[:, :1]) | (areas > ranges[:, 1:])  # [range, box]
    sizes = np.array([each["area"] for each in found], np.float64)
    outside = (sizes < ranges[:, :1]) | (sizes > ranges[:, 1:])  # [range, detection]
    matched = np.zeros((len(ranges), len(thresholds), len(found)), np.bool_)
    unseen = np.broadcast_to(outside[:, None], matched.shape).copy()
    if truth and found:
        boxes = np.array([each["bbox"] for each in truth], np.float64)
        shares = mask.iou(np.array([each["bbox"] for each in found], np.float64), boxes, crowds.tolist())
        ranks = shares.argsort(axis=1, kind="stable").argsort(axis=1) + len(truth) * ~ignored[:, None, None]
        enough = (shares >= thresholds[:, None, None]).swapaxes(0, 1)  # [detection, threshold, box]
        free = np.ones((len(ranges), len(thresholds), len(truth)), np.bool_)
        for number in range(len(found)):
            options = np.where(free & enough[number], ranks[:, :, number], -1)
            best = options.argmax(axis=2)
            taken = options.max(axis=2) >= 0
            at_range, at_threshold = np.nonzero(taken)
            box = best[at_range, at_threshold]
            matched[at_range, at_threshold, number] = ~never[box]
            unseen[at_range, at_threshold, number] = ignored[at_range, box] | (never[box] & outside[at_range, number])
            free[at_range, at_threshold, box] = crowds[box]
    scores = [each["score"] for each in found]
    return [
        {
            "dtScores": scores,
            "dtMatches": matched[number],
            "dtIgnore": unseen[number],
            "gtIgnore": ignored[number].astype(np.int64),
        }
        for number in range(len(ranges))
    ]
