"""Measures scoring of a COCO-sized validation set, with synthetic annotations of its size and density."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mlperf_mobile_task_object_detection import metric as module
from mlperf_mobile_task_object_detection.coco_json import read_instances
from mlperf_mobile_task_object_detection.response import BOX, CLASS, SCORE, new_response
from mlperf_mobile_task_object_detection.truth import Truth

IMAGES, CLASSES, OBJECTS, DETECTIONS = 5000, 80, 36_000, 10
WIDTH, HEIGHT = 640, 480

T = TypeVar("T")


class Annotated:
    """A data set of annotations without images."""

    def __init__(self, truths: list[Truth]) -> None:
        self._truths = truths

    def __len__(self) -> int:
        return len(self._truths)

    def sample(self, index: int) -> object:
        raise NotImplementedError("there are no images")

    def truth(self, index: int) -> Truth:
        return self._truths[index]


def instances(rng: np.random.Generator) -> dict[str, Any]:
    """About 7 objects per image, of 1 to 5 classes with very different frequencies, of all sizes; 1 % are crowds."""
    share = 1 / np.arange(1, CLASSES + 1)
    annotations: list[dict[str, Any]] = []
    for image in range(IMAGES):
        classes = rng.choice(CLASSES, rng.integers(1, 6), replace=False, p=share / share.sum())
        for _ in range(min(60, int(rng.geometric(IMAGES / OBJECTS)))):
            width, height = np.exp(rng.uniform(np.log(8), np.log((WIDTH, HEIGHT))))
            left, top = rng.uniform(0, (WIDTH - width, HEIGHT - height))
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": int(rng.choice(classes)) + 1,
                "bbox": [round(float(v), 2) for v in (left, top, width, height)],
                "area": float(width * height * 0.6), "iscrowd": int(rng.random() < 0.01),
            })  # fmt: skip
    images = [{"id": n, "file_name": f"{n:012}.jpg", "width": WIDTH, "height": HEIGHT} for n in range(IMAGES)]
    return {"images": images, "annotations": annotations, "categories": [{"id": n + 1} for n in range(CLASSES)]}


def responses(rng: np.random.Generator, truths: list[Truth]) -> list[bytes]:
    """Ten detections per image: objects slightly displaced, a quarter of them with a wrong class."""
    answers = []
    for truth in truths:
        table = new_response(DETECTIONS)
        chosen = rng.integers(0, max(1, len(truth.classes)), DETECTIONS)
        boxes = truth.boxes[chosen] if len(truth.boxes) else np.full((DETECTIONS, 4), (0.1, 0.1, 0.5, 0.5))
        table[:, BOX] = boxes + rng.normal(0, 0.02, (DETECTIONS, 4))
        other = rng.integers(1, CLASSES + 1, DETECTIONS)
        table[:, CLASS] = np.where(rng.random(DETECTIONS) < 0.25, other, truth.classes[chosen] if len(boxes) else other)
        table[:, SCORE] = rng.random(DETECTIONS)
        answers.append(table.tobytes())
    return answers


def timed(what: str, work: Callable[[], T]) -> T:
    """Call the function and print its time."""
    started, worked = time.perf_counter(), time.process_time()
    result = work()
    spent, worked = time.perf_counter() - started, time.process_time() - worked
    print(f"{what:26} {spent:6.2f} s, {worked:.2f} s of CPU time")
    return result


def main() -> None:
    """Print seconds for each step, and for scoring in all."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instances.json"
        path.write_text(json.dumps(instances(rng)), encoding="utf-8")
        known = timed("read annotations", lambda: read_instances(path))
    truths = [known[name] for name in sorted(known)]
    answers = responses(rng, truths)
    print(f"{sum(len(truth.classes) for truth in truths)} objects, {IMAGES * DETECTIONS} detections")
    for what, left_out in (
        ("the app's mAP", "coco_statistics"),
        ("COCO's statistics", "average_precisions"),
        ("both", ""),
    ):
        replaced = getattr(module, left_out, None)
        if left_out:
            stand_in: Any = {} if left_out == "coco_statistics" else np.zeros((10, 1), np.float32)
            setattr(module, left_out, lambda *_, result=stand_in: result)

        def score() -> float:
            metric = module.MeanAveragePrecision(Annotated(truths), 91)
            for index, answer in enumerate(answers):
                metric.update(index, answer)
            return metric.score().value

        timed(f"score {what}", score)
        if left_out:
            setattr(module, left_out, replaced)


if __name__ == "__main__":
    main()
