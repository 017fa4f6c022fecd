"""What training measured beside the models: the pairs, and bicubic interpolation by scikit-image."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile_task_super_resolution.metric import PSNR
from mlperf_mobile_task_super_resolution.photo_pairs import SHA256, PhotoPairs

PACKAGE = files("mlperf_mobile_task_super_resolution")


@pytest.fixture
def measured():
    """What the training script measured."""
    return json.loads((PACKAGE / "quickstart" / "quickstart.json").read_text())


def test_the_pairs_are_those_that_were_measured(measured):
    assert measured["pairs"]["sha256"] == SHA256


def test_the_models_beat_bicubic_and_the_target_distinguishes_them(measured):
    target = measured["float32"]["psnr"] * 33 / 33.58
    for numerics in ("float32", "int8"):
        assert measured[numerics]["psnr"] > target > measured["bicubic"]["psnr"]


def test_the_metric_finds_what_scikit_image_found_for_bicubic(measured):
    """``quickstart.json`` has scikit-image's numbers; Pillow's filter may round a value differently elsewhere."""
    pairs = PhotoPairs(None, None)
    metric = PSNR(pairs)
    for index in range(len(pairs)):
        low = Pillow.fromarray(pairs.sample(index).pixels)
        metric.update(index, np.asarray(low.resize((256, 256), Pillow.Resampling.BICUBIC)).tobytes())
    score = metric.score()
    assert score.value == pytest.approx(measured["bicubic"]["psnr"], abs=2e-3)
    assert score.details["psnr_min"] == pytest.approx(measured["bicubic"]["psnr_min"], abs=2e-3)
    assert score.details["ssim"] == pytest.approx(measured["bicubic"]["ssim"], abs=1e-4)
