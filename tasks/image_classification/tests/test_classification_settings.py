"""The models that the settings name are the files that are packaged, and their target is what training measured."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import pytest
import yaml

PACKAGE = files("mlperf_mobile_task_image_classification")
MODELS = {"fashion_mobilenet_int8": "int8", "fashion_mobilenet_float32": "float32"}


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
def test_the_target_is_98_percent_of_the_float32_model(model):
    (quality,) = read_yaml("task.yaml")["models"][model]["quality"]
    assert (quality["dataset"], quality["metric"], quality["ratio"]) == ("fashion_mnist", "top-1", 0.98)
    assert quality["reference"] == measured()["float32"]["top1"]


def test_the_quickstart_runs_a_packaged_model_on_packaged_data():
    task, quickstart = read_yaml("task.yaml"), read_yaml("quickstart.yaml")
    assert quickstart["model"] in task["models"]
    assert quickstart["dataset"] in task["models"][quickstart["model"]]["datasets"]
    assert quickstart["rules"] == "quick"
