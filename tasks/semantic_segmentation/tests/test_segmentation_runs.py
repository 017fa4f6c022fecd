"""The installed command runs the packaged models, and one of somebody else's, through this task."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

PACKAGED = Path(str(files("mlperf_mobile_task_semantic_segmentation") / "quickstart"))
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")
SHORT = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.1", "--set", "min_query_count=8")

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path):
    """``run("--mode", "accuracy")``: the result of a short run of the task."""
    return lambda *arguments: Command(tmp_path).run("semantic_segmentation", *SHORT, *arguments)[0]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("numerics", "tolerance"), [("float32", 0.001), ("int8", 0.01)])
def test_the_quickstart_models_reach_what_training_measured(run, numerics, tolerance):
    """TensorFlow's interpreter and a plain count on one side, the installed runtime and this task on the other."""
    measured = json.loads((PACKAGED / "quickstart.json").read_text())[numerics]
    result = run("--model", f"fashion_segmenter_{numerics}")
    assert result["status"] == "completed"
    accuracy = result["accuracy"]
    assert (accuracy["metric"], accuracy["samples"], accuracy["passed"]) == ("mIoU", 250, True)
    assert accuracy["value"] == pytest.approx(measured["mIoU"], abs=tolerance)
    shares = [accuracy["details"][f"iou_{label}"] for label in range(1, 11)]
    assert shares == pytest.approx(list(measured["IoU"].values()), abs=4 * tolerance)


def test_an_accuracy_run_refuses_a_plain_folder(run):
    folder = PACKAGED / "scenes" / "images"
    result = run("--dataset", "image_folder", "--data-path", folder, "--mode", "accuracy")
    assert (result["status"], result["error"]["code"]) == ("failed", "no-labels")
    assert result["accuracy"] is None


@pytest.mark.nightly
@pytest.mark.skipif(not SHARED, reason="MLPERF_MOBILE_SHARED is not set: no other model here")
def test_a_model_of_somebody_else(run):
    """float32 [1, 257, 257, 3] to scores [1, 257, 257, 21]; images of another size are prepared for it."""
    model = Path(SHARED) / "models" / "deeplabv3_float.tflite"
    folder = ("--dataset", "image_folder", "--data-path", PACKAGED / "scenes" / "images")
    result = run("--model", model, *folder, "--mode", "performance")
    assert result["status"] == "completed"
    assert result["performance"]["queries"] >= 8
