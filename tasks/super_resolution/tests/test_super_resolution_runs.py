"""The installed command runs the packaged models, and one of somebody else's, through this task."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

PACKAGED = Path(str(files("mlperf_mobile_task_super_resolution") / "quickstart"))
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")
SHORT = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.1", "--set", "min_query_count=8")

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path):
    """``run("--mode", "accuracy")``: the result of a short run of the task."""
    return lambda *arguments: Command(tmp_path).run("super_resolution", *SHORT, *arguments)[0]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("numerics", "tolerance"), [("float32", 0.002), ("int8", 0.05)])
def test_the_quickstart_models_reach_what_training_measured(run, numerics, tolerance):
    """TensorFlow's interpreter and scikit-image on one side, the installed runtime and this task on the other."""
    measured = json.loads((PACKAGED / "quickstart.json").read_text())[numerics]
    result = run("--model", f"photo_edsr_{numerics}")
    assert result["status"] == "completed"
    accuracy = result["accuracy"]
    assert (accuracy["metric"], accuracy["samples"], accuracy["passed"]) == ("PSNR", 25, True)
    assert accuracy["value"] == pytest.approx(measured["psnr"], abs=tolerance)
    assert accuracy["details"]["psnr_min"] == pytest.approx(measured["psnr_min"], abs=2 * tolerance)
    assert accuracy["details"]["ssim"] == pytest.approx(measured["ssim"], abs=tolerance / 20)


def test_an_accuracy_run_refuses_a_plain_folder(run):
    result = run("--dataset", "image_folder", "--data-path", PACKAGED / "pairs" / "hr", "--mode", "accuracy")
    assert (result["status"], result["error"]["code"]) == ("failed", "no-labels")
    assert result["accuracy"] is None


@pytest.mark.nightly
@pytest.mark.skipif(not SHARED, reason="MLPERF_MOBILE_SHARED is not set: no other model here")
def test_a_model_of_somebody_else(run):
    """uint8 [1, 128, 128, 3] to [1, 256, 256, 3], its output of scale 1.1004 and zero point 7."""
    model = Path(SHARED) / "models" / "esrgan_slim_x2_uint8.tflite"
    folder = ("--dataset", "image_folder", "--data-path", PACKAGED / "pairs" / "hr")
    result = run("--model", model, *folder, "--mode", "performance")
    assert result["status"] == "completed"
    assert result["performance"]["queries"] >= 8
    result = run("--model", model, "--dataset", "photo_pairs", "--mode", "accuracy")
    assert result["accuracy"]["value"] > 30
