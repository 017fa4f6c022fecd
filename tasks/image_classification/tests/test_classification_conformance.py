"""The task and its data sets pass the conformance kit."""

from __future__ import annotations

import gzip
import json
import struct
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_task_image_classification import plugin
from mlperf_mobile_task_image_classification.fashion_mnist import IMAGES, LABELS, FashionMnist
from mlperf_mobile_task_image_classification.imagenet import ImageNet
from mlperf_mobile_task_image_classification.options import ImageNetOptions

DATASETS = {info.name: info for info in plugin.mlperf_mobile_datasets()}
PACKAGE = "mlperf_mobile_task_image_classification"
PLUGIN = f"{PACKAGE}.plugin"


def folder_of_images(path):
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (40 + number, 50, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(path / f"{number}.png")
    (path / "labels.txt").write_text("4\n0\n7\n")
    return ImageNet(path, ImageNetOptions())


class TestTask(TaskConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def targets(self):
        """98 % of what the float32 model reached after training."""
        measured = json.loads((files(PACKAGE) / "quickstart" / "quickstart.json").read_text())
        reference = measured["float32"]["top1"]
        return [
            Target(f"fashion_mobilenet_{n}", "fashion_mnist", "top-1", reference, 0.98) for n in ("int8", "float32")
        ]

    @pytest.fixture(params=["float32", "uint8", "int8"])
    def inputs(self, request):
        return [TensorSpec("image", (1, 24, 32, 3), np.dtype(request.param))]

    @pytest.fixture(params=["float32", "int8"])
    def outputs(self, request):
        return [TensorSpec("classes", (1, 10), np.dtype(request.param))]

    @pytest.fixture
    def dataset(self, tmp_path):
        return folder_of_images(tmp_path)

    @pytest.fixture
    def perfect(self, dataset, outputs):
        return [(np.eye(10)[[dataset.truth(n)]].astype(outputs[0].dtype),) for n in range(len(dataset))]


class TestImageNet(DatasetConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return DATASETS["imagenet"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return folder_of_images(tmp_path)

    @staticmethod
    def same(one, other):
        return np.array_equal(one.pixels, other.pixels)


class TestFashionMnist(DatasetConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return DATASETS["fashion_mnist"]

    @pytest.fixture
    def dataset(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8).tobytes()
        head = b"\0\0\x08\x03" + struct.pack(">III", 3, 28, 28)
        (tmp_path / IMAGES).write_bytes(gzip.compress(head + pixels, mtime=0))
        (tmp_path / LABELS).write_bytes(
            gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 3) + bytes((4, 0, 7)), mtime=0)
        )
        return FashionMnist(tmp_path, None)

    @staticmethod
    def same(one, other):
        return np.array_equal(one.pixels, other.pixels)
