"""The models that the settings name are the files that are packaged, and their target is what training measured."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow

from mlperf_mobile_task_super_resolution.metric import PSNR
from mlperf_mobile_task_super_resolution.photo_pairs import SHA256, PhotoPairs

PACKAGE = files("mlperf_mobile_task_super_resolution")
MODELS = {"photo_edsr_int8": "int8", "photo_edsr_float32": "float32"}


def read_yaml(name):
    return yaml.safe_load((PACKAGE / name).read_text())


def measured():
    return json.loads((PACKAGE / "quickstart" / "quickstart.json").read_text())


def test_every_packaged_model_is_named():
    packaged = {
        path.name.removesuffix(".tflite") for path in (PACKAGE / "quickstart").iterdir() if ".tflite" in path.name
    }
    assert packaged == set(MODELS)
    assert packaged <= set(read_yaml("task.yaml")["models"])


@pytest.mark.parametrize(("model", "numerics"), MODELS.items())
def test_the_checksum_is_that_of_the_file_that_was_measured(model, numerics):
    entry = read_yaml("task.yaml")["models"][model]
    assert entry["sha256"] == hashlib.sha256((PACKAGE / entry["file"]).read_bytes()).hexdigest()
    assert entry["sha256"] == measured()[numerics]["sha256"]


def test_the_pairs_are_those_that_were_measured():
    assert measured()["pairs"]["sha256"] == SHA256


@pytest.mark.parametrize("model", MODELS)
def test_the_target_is_the_official_share_of_the_float32_model(model):
    """EDSR has to keep 33 dB of 33.58 dB (mobile_open, rules/mobile_inference_rules.adoc)."""
    (quality,) = read_yaml("task.yaml")["models"][model]["quality"]
    assert (quality["dataset"], quality["metric"]) == ("photo_pairs", "PSNR")
    assert quality["ratio"] == pytest.approx(33 / 33.58, abs=5e-6)
    assert quality["reference"] == pytest.approx(measured()["float32"]["psnr"], abs=5e-4)


def test_the_models_beat_bicubic_and_the_target_tells_them_apart():
    target = measured()["float32"]["psnr"] * 33 / 33.58
    for numerics in ("float32", "int8"):
        assert measured()[numerics]["psnr"] > target > measured()["bicubic"]["psnr"]


def test_the_metric_finds_what_scikit_image_found_for_bicubic():
    """``quickstart.json`` has scikit-image's numbers; Pillow's filter may round a value differently elsewhere."""
    pairs = PhotoPairs(None, None)
    metric = PSNR(pairs)
    for index in range(len(pairs)):
        low = Pillow.fromarray(pairs.sample(index).pixels)
        metric.update(index, np.asarray(low.resize((256, 256), Pillow.Resampling.BICUBIC)).tobytes())
    score = metric.score()
    assert score.value == pytest.approx(measured()["bicubic"]["psnr"], abs=2e-3)
    assert score.details["psnr_min"] == pytest.approx(measured()["bicubic"]["psnr_min"], abs=2e-3)
    assert score.details["ssim"] == pytest.approx(measured()["bicubic"]["ssim"], abs=1e-4)


def test_the_quickstart_runs_a_packaged_model_on_packaged_data():
    task, quickstart = read_yaml("task.yaml"), read_yaml("quickstart.yaml")
    assert quickstart["model"] in task["models"]
    assert quickstart["dataset"] in task["models"][quickstart["model"]]["datasets"]
    assert quickstart["rules"] == "quick"
