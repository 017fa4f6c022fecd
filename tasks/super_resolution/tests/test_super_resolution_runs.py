"""The installed command runs the packaged models, and one of somebody else's, through this task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

PACKAGED = Path(str(files("mlperf_mobile_task_super_resolution") / "quickstart"))
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")
SHORT = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.1", "--set", "min_query_count=8")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(sys.executable).with_name("mlperf-mobile").exists(), reason="the command is not here"),
]


def run(folder, *arguments):
    """One short run of the task; its result."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLPERF_MOBILE_")}
    command = [Path(sys.executable).with_name("mlperf-mobile"), "run", "super_resolution", *SHORT, "--json", "--quiet"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=240, check=False,
        env=environment,
    )  # fmt: skip
    (result,) = json.loads(done.stdout)["results"]
    return result


@pytest.mark.parametrize(("numerics", "tolerance"), [("float32", 0.002), ("int8", 0.05)])
def test_the_quickstart_models_reach_what_training_measured(tmp_path, numerics, tolerance):
    """TensorFlow's interpreter and scikit-image on one side, the installed runtime and this task on the other."""
    measured = json.loads((PACKAGED / "quickstart.json").read_text())[numerics]
    result = run(tmp_path, "--model", f"photo_edsr_{numerics}")
    assert result["status"] == "completed"
    accuracy = result["accuracy"]
    assert (accuracy["metric"], accuracy["samples"], accuracy["passed"]) == ("PSNR", 25, True)
    assert accuracy["value"] == pytest.approx(measured["psnr"], abs=tolerance)
    assert accuracy["details"]["psnr_min"] == pytest.approx(measured["psnr_min"], abs=2 * tolerance)
    assert accuracy["details"]["ssim"] == pytest.approx(measured["ssim"], abs=tolerance / 20)


def test_an_accuracy_run_refuses_a_plain_folder(tmp_path):
    result = run(tmp_path, "--dataset", "image_folder", "--data-path", PACKAGED / "pairs" / "hr", "--mode", "accuracy")
    assert (result["status"], result["error"]["code"]) == ("failed", "no-labels")
    assert result["accuracy"] is None


@pytest.mark.skipif(not SHARED, reason="MLPERF_MOBILE_SHARED is not set: no other model here")
def test_a_model_of_somebody_else(tmp_path):
    """uint8 [1, 128, 128, 3] to [1, 256, 256, 3], its output of scale 1.1004 and zero point 7."""
    model = Path(SHARED) / "models" / "esrgan_slim_x2_uint8.tflite"
    folder = ("--dataset", "image_folder", "--data-path", PACKAGED / "pairs" / "hr")
    result = run(tmp_path, "--model", model, *folder, "--mode", "performance")
    assert result["status"] == "completed"
    assert result["performance"]["queries"] >= 8
    result = run(tmp_path, "--model", model, "--dataset", "photo_pairs", "--mode", "accuracy")
    assert result["accuracy"]["value"] > 30
