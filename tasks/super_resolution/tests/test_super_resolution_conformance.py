"""The task and its data sets pass the conformance kit."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_task_super_resolution import plugin
from mlperf_mobile_task_super_resolution.options import PairsOptions
from mlperf_mobile_task_super_resolution.pairs import Pairs
from mlperf_mobile_task_super_resolution.photo_pairs import PhotoPairs

DATASETS = {info.name: info for info in plugin.mlperf_mobile_datasets()}
PACKAGE = "mlperf_mobile_task_super_resolution"
PLUGIN = f"{PACKAGE}.plugin"


def folders_of_pairs(path):
    rng = np.random.default_rng(0)
    for part, height, width in (("lr", 24, 32), ("hr", 48, 64)):
        (path / part).mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Pillow.fromarray(pixels).save(path / part / f"{number}.png")
    return path


class TestTask(TaskConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def targets(self):
        """What the float32 model reached after training, times EDSR's share: it has to keep 33 dB of 33.58 dB.

        Source of the share: mobile_open, rules/mobile_inference_rules.adoc.
        """
        measured = json.loads((files(PACKAGE) / "quickstart" / "quickstart.json").read_text())
        reference = measured["float32"]["psnr"]
        return [Target(f"photo_edsr_{n}", "photo_pairs", "PSNR", reference, 33 / 33.58) for n in ("int8", "float32")]

    @pytest.fixture(params=["float32", "uint8", "int8"])
    def inputs(self, request):
        return [TensorSpec("low", (1, 24, 32, 3), np.dtype(request.param))]

    @pytest.fixture(params=["float32", "float16", "uint8", "int8", "scaled"])
    def outputs(self, request):
        if request.param == "scaled":
            return [TensorSpec("high", (1, 48, 64, 3), np.dtype(np.uint8), 2.0, 3)]
        return [TensorSpec("high", (1, 48, 64, 3), np.dtype(request.param))]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Pairs(folders_of_pairs(tmp_path), PairsOptions())

    @pytest.fixture
    def perfect(self, dataset, outputs):
        (spec,) = outputs
        images = [dataset.truth(n).pixels.astype(np.float64)[None] for n in range(len(dataset))]
        if spec.scale:
            images = [np.rint(image / spec.scale) + spec.zero_point for image in images]
        elif spec.dtype == np.int8:
            images = [image - 128 for image in images]
        return [(image.astype(spec.dtype),) for image in images]


class PairsConformance(DatasetConformance):
    plugin_module = PLUGIN

    @staticmethod
    def same(one, other):
        return np.array_equal(one.pixels, other.pixels)


class TestPairs(PairsConformance):
    @pytest.fixture
    def info(self):
        return DATASETS["snu_sr"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Pairs(folders_of_pairs(tmp_path), PairsOptions())


class TestPhotoPairs(PairsConformance):
    @pytest.fixture
    def info(self):
        return DATASETS["photo_pairs"]

    @pytest.fixture
    def dataset(self):
        return PhotoPairs(None, None)
