"""The task and its data sets pass the conformance kit."""

from __future__ import annotations

import json
import math
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_task_object_detection import plugin
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.fashion_scenes import FashionScenes
from mlperf_mobile_task_object_detection.options import CocoOptions, TaskOptions

DATASETS = {info.name: info for info in plugin.mlperf_mobile_datasets()}
PACKAGE = "mlperf_mobile_task_object_detection"
PLUGIN = f"{PACKAGE}.plugin"


def folder_of_images(path, name="instances_val2017.json"):
    """Three images with one object each, of different classes and places."""
    rng = np.random.default_rng(0)
    told = {"images": [], "annotations": [], "categories": [{"id": n, "name": str(n)} for n in (3, 7, 90)]}
    for number, category in enumerate((7, 3, 90)):
        pixels = rng.integers(0, 256, (40 + number, 50, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(path / f"{number}.png")
        told["images"].append({"id": number, "file_name": f"{number}.jpg", "width": 50, "height": 40 + number})
        box = [5 + 10 * number, 8, 10, 16]
        told["annotations"].append({"id": number, "image_id": number, "category_id": category, "bbox": box})
    (path / name).write_text(json.dumps(told))
    return path


class OfTask(TaskConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def targets(self):
        """95 % of what the float32 model reached after training, the ratio of MLPerf Mobile's MobileDet-SSD."""
        measured = json.loads((files(PACKAGE) / "quickstart" / "quickstart.json").read_text())
        reference = measured["float32"]["mAP"]
        return [Target(f"fashion_ssd_{n}", "fashion_scenes", "mAP", reference, 0.95) for n in ("int8", "float32")]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Coco(folder_of_images(tmp_path), CocoOptions())


class TestPostProcessed(OfTask):
    @pytest.fixture(params=["float32", "uint8", "int8"])
    def inputs(self, request):
        return [TensorSpec("image", (1, 24, 32, 3), np.dtype(request.param))]

    @pytest.fixture
    def outputs(self):
        shapes = {"boxes": (1, 10, 4), "classes": (1, 10), "scores": (1, 10), "count": (1,)}
        return [TensorSpec(name, shape, np.dtype(np.float32)) for name, shape in shapes.items()]

    @pytest.fixture
    def perfect(self, dataset, outputs):
        answers = []
        for index in range(len(dataset)):
            tensors = [np.zeros(spec.shape, np.float32) for spec in outputs]
            truth = dataset.truth(index)
            tensors[0][0, 0], tensors[1][0, 0] = truth.boxes[0], truth.classes[0] - 1
            tensors[2][0, 0], tensors[3][0] = 0.9, 1
            answers.append(tuple(tensors))
        return answers


class TestRaw(OfTask):
    """A model of a 32x32 image with 4x4 places of three anchors, and 2x2 places of six: 72 anchors."""

    @pytest.fixture
    def options(self):
        return TaskOptions(anchor_strides=(8, 16))

    @pytest.fixture(params=["float32", "int8"])
    def inputs(self, request):
        return [TensorSpec("image", (1, 32, 32, 3), np.dtype(request.param))]

    @pytest.fixture(params=["float32", "float16", "int8", "uint8"])
    def outputs(self, request):
        dtype = np.dtype(request.param)
        scales, zero = ((0.0, 0.0), 0) if dtype.kind == "f" else ((0.125, 0.0625), 128 if dtype.kind == "u" else 0)
        shapes = ("boxes", (1, 72, 4)), ("logits", (1, 72, 91))
        return [
            TensorSpec(name, shape, dtype, scale, zero) for (name, shape), scale in zip(shapes, scales, strict=True)
        ]

    @pytest.fixture
    def perfect(self, dataset, outputs):
        """Each object is told by the square anchor of its place in the coarse map, whose size is 0.95."""
        answers = []
        for index in range(len(dataset)):
            truth = dataset.truth(index)
            top, left, bottom, right = truth.boxes[0].tolist()
            y, x = (top + bottom) / 2, (left + right) / 2
            row, column = int(y * 2), int(x * 2)
            anchor = 48 + (row * 2 + column) * 6
            encodings, logits = np.zeros((1, 72, 4)), np.full((1, 72, 91), -7.0)
            encodings[0, anchor] = [
                (y - (row + 0.5) / 2) / 0.95 * 10,
                (x - (column + 0.5) / 2) / 0.95 * 10,
                math.log((bottom - top) / 0.95) * 5,
                math.log((right - left) / 0.95) * 5,
            ]
            logits[0, anchor, truth.classes[0]] = 6.0
            answers.append(
                tuple(stored(values, spec) for values, spec in zip((encodings, logits), outputs, strict=True))
            )
        return answers


def stored(values, spec):
    """As the model would have them."""
    if not spec.scale:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    return np.clip(np.rint(values / spec.scale) + spec.zero_point, limits.min, limits.max).astype(spec.dtype)


class OfImages(DatasetConformance):
    plugin_module = PLUGIN

    @staticmethod
    def same(one, other):
        return np.array_equal(one.pixels, other.pixels)


class TestCoco(OfImages):
    @pytest.fixture
    def info(self):
        return DATASETS["coco"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Coco(folder_of_images(tmp_path), CocoOptions())


class TestFashionScenes(OfImages):
    @pytest.fixture
    def info(self):
        return DATASETS["fashion_scenes"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return FashionScenes(folder_of_images(tmp_path, "instances.json"), None)
