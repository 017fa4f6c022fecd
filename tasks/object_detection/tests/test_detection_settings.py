"""The models that the settings name are the files that are packaged, and their target is what training measured."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml

from mlperf_mobile_task_object_detection.fashion_scenes import FashionScenes
from mlperf_mobile_task_object_detection.options import TaskOptions

PACKAGE = files("mlperf_mobile_task_object_detection")
MODELS = {"fashion_ssd_int8": "int8", "fashion_ssd_float32": "float32"}
GARMENTS = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
RECIPE = Path(__file__).parents[1] / "quickstart" / "scenes.py"


def read_yaml(name):
    return yaml.safe_load((PACKAGE / name).read_text())


def measured():
    return json.loads((PACKAGE / "quickstart" / "quickstart.json").read_text())


def test_every_packaged_model_is_named():
    packaged = {
        path.name.removesuffix(".tflite") for path in (PACKAGE / "quickstart").iterdir() if ".tflite" in path.name
    }
    named = {name for name, entry in read_yaml("task.yaml")["models"].items() if "file" in entry}
    assert named == packaged == set(MODELS)


@pytest.mark.parametrize(("model", "numerics"), MODELS.items())
def test_the_checksum_is_that_of_the_file_that_was_measured(model, numerics):
    entry = read_yaml("task.yaml")["models"][model]
    assert entry["sha256"] == hashlib.sha256((PACKAGE / entry["file"]).read_bytes()).hexdigest()
    assert entry["sha256"] == measured()[numerics]["sha256"]


@pytest.mark.parametrize("model", MODELS)
def test_the_target_is_95_percent_of_the_float32_model(model):
    """The ratio of MLPerf Mobile's MobileDet-SSD."""
    (quality,) = read_yaml("task.yaml")["models"][model]["quality"]
    assert (quality["dataset"], quality["metric"], quality["ratio"]) == ("fashion_scenes", "mAP", 0.95)
    assert quality["reference"] == pytest.approx(measured()["float32"]["mAP"], abs=5e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_options_are_those_of_training(model):
    options = read_yaml("task.yaml")["models"][model]["task_options"]
    assert TaskOptions.model_validate(options)
    assert options == measured()["task_options"]


def test_the_quickstart_runs_a_packaged_model_on_packaged_data():
    task, quickstart = read_yaml("task.yaml"), read_yaml("quickstart.yaml")
    assert quickstart["model"] in task["models"]
    assert quickstart["dataset"] in task["models"][quickstart["model"]]["datasets"]
    assert quickstart["rules"] == "quick"


def test_the_package_is_small():
    sizes = [path.stat().st_size for path in Path(str(PACKAGE)).rglob("*") if path.is_file()]
    assert sum(sizes) < 4_000_000


@pytest.mark.skipif(not GARMENTS.is_dir() or not RECIPE.is_file(), reason="Fashion-MNIST or the recipe is not here")
def test_the_scenes_are_composed_as_told():
    """Of the test images, in order: the same boxes, and pixels as near as JPEG allows."""
    spec = importlib.util.spec_from_file_location("scenes_of_the_quickstart", RECIPE)
    scenes = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = scenes
    spec.loader.exec_module(scenes)
    images, labels = (scenes.read_idx(GARMENTS / f"t10k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    random, data = np.random.default_rng(10_000), FashionScenes(None, None)
    for index in range(len(data)):
        scene, truth = scenes.compose(images, labels, random), data.truth(index)
        np.testing.assert_array_equal(truth.boxes, (scene.boxes / 128).astype(np.float32))
        np.testing.assert_array_equal(truth.classes, scene.labels + 1)
        if index % 25 == 0:
            difference = data.sample(index).pixels.astype(int) - scene.pixels
            assert np.abs(difference).mean() < 6
