"""The quickstart's data is what its recipe makes, and its models are decoded as they were in training."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml

from mlperf_mobile_task_object_detection.fashion_scenes import SHA256, FashionScenes

PACKAGE = files("mlperf_mobile_task_object_detection")
GARMENTS = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
RECIPE = Path(__file__).parents[1] / "quickstart" / "scenes.py"
TOOLS = Path(__file__).parents[3] / "tools"


@pytest.fixture
def measured():
    """What the training script measured."""
    return json.loads((PACKAGE / "quickstart" / "quickstart.json").read_text())


def test_the_scenes_are_those_that_were_measured(measured):
    assert measured["scenes"] == SHA256


@pytest.mark.parametrize("model", ["fashion_ssd_int8", "fashion_ssd_float32"])
def test_the_options_are_those_of_training(measured, model):
    settings = yaml.safe_load((PACKAGE / "task.yaml").read_text())
    assert settings["models"][model]["task_options"] == measured["task_options"]


def test_the_package_is_small():
    sizes = [path.stat().st_size for path in Path(str(PACKAGE)).rglob("*") if path.is_file()]
    assert sum(sizes) < 4_000_000


@pytest.mark.skipif(
    not GARMENTS.is_dir() or not RECIPE.is_file() or not TOOLS.is_dir(),
    reason="Fashion-MNIST or the recipe is not here",
)
def test_the_scenes_are_composed_by_the_recipe(monkeypatch):
    """Of the test images, in order: the same boxes, and pixels as near as JPEG allows."""
    monkeypatch.syspath_prepend(TOOLS)
    read_idx = importlib.import_module("fashion_mnist").read_idx
    spec = importlib.util.spec_from_file_location("scenes_of_the_quickstart", RECIPE)
    scenes = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = scenes
    spec.loader.exec_module(scenes)
    images, labels = (read_idx(GARMENTS / f"t10k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    random, data = np.random.default_rng(10_000), FashionScenes(None, None)
    for index in range(len(data)):
        scene, truth = scenes.compose(images, labels, random), data.truth(index)
        np.testing.assert_array_equal(truth.boxes, (scene.boxes / 128).astype(np.float32))
        np.testing.assert_array_equal(truth.classes, scene.labels + 1)
        if index % 25 == 0:
            difference = data.sample(index).pixels.astype(int) - scene.pixels
            assert np.abs(difference).mean() < 6
