"""The quickstart as a newcomer runs it, its accuracy against what training measured, and models of one's own."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.testing.command import Command

PACKAGED = Path(str(files("mlperf_mobile_task_image_classification") / "quickstart"))
INT8, FLOAT32 = PACKAGED / "fashion_mobilenet_int8.tflite", PACKAGED / "fashion_mobilenet_float32.tflite"
MEASURED = {
    "image_classification": ("top-1", "top1", 0.002),
    "instruction_following": ("IFEval accuracy", "instruction_following", 0.03),
    "multiple_choice": ("accuracy", "multiple_choice", 0.03),
    "object_detection": ("mAP", "mAP", 0.005),
    "question_answering": ("F1", "f1", 0.02),
    "semantic_segmentation": ("mIoU", "mIoU", 0.005),
    "super_resolution": ("PSNR", "psnr", 0.05),
    "text_to_image": ("CLIP", "clip", 0.005),
}
"""Metric of each task, what training calls it, and how far kernels of other runtimes may move it."""
PACKAGES = dict.fromkeys(("instruction_following", "multiple_choice"), "language_model")
"""The packages of tasks that are not named like them."""
GENERATIVE = ("instruction_following", "multiple_choice", "text_to_image")
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")

pytestmark = pytest.mark.slow


def labels():
    """The packaged labels, read without the code under test."""
    return np.frombuffer(gzip.decompress((PACKAGED / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)


def folder_of(task):
    """The packaged files of a task."""
    return files(f"mlperf_mobile_task_{PACKAGES.get(task, task)}") / "quickstart"


@pytest.fixture(scope="module")
def trained():
    """What the training script measured with TensorFlow's own interpreter."""
    return json.loads((PACKAGED / "quickstart.json").read_text())


@pytest.mark.long
@pytest.mark.parametrize("least_s", [1, pytest.param(None, marks=pytest.mark.nightly)])
def test_run_without_arguments(tmp_path, trained, least_s):
    """Performance and accuracy of all tasks' int8 models, valid by the quick rules, without a download."""
    env = {"MLPERF_MOBILE_MIN_DURATION_S": str(least_s)} if least_s else {}
    told, done = Command(tmp_path).json("run", env=env)
    assert done.returncode == 0, done.stderr
    results = {result["task"]: result for result in told["results"]}
    assert sorted(results) == sorted(MEASURED)
    for task, (metric, name, tolerance) in MEASURED.items():
        measured = json.loads((folder_of(task) / "quickstart.json").read_text())
        accuracy = results[task]["accuracy"]
        assert (accuracy["metric"], results[task]["valid"], accuracy["passed"]) == (metric, True, True), task
        assert accuracy["value"] == pytest.approx(measured["int8"][name], abs=tolerance), task
        assert accuracy["reference"] == pytest.approx(measured["float32"][name], rel=2e-4), task
        assert results[task]["performance"]["duration_s"] >= (least_s or (5 if task in GENERATIVE else 10))
    result = results["image_classification"]
    assert (result["valid"], result["status"], result["rule_set"]) == (True, "completed", "quick")
    assert (result["backend"], result["accelerator"], result["scenario"]) == ("tflite", "cpu", "single-stream")
    assert result["performance"]["queries"] >= 128
    assert result["performance"]["loadgen"]["valid"]
    accuracy = result["accuracy"]
    assert accuracy["samples"] == 10_000
    assert accuracy["value"] == pytest.approx(trained["int8"]["top1"], abs=0.002)
    assert accuracy["target"] == pytest.approx(0.98 * trained["float32"]["top1"])
    assert accuracy["passed"]
    folder = Path(result["directory"])
    assert folder.parent == tmp_path / "mlperf-mobile-results"
    assert json.loads((folder / "result.json").read_text()) == result
    log = json.loads((folder / "accuracy/mlperf_log_accuracy.json").read_text())
    answers = {item["qsl_idx"]: int.from_bytes(bytes.fromhex(item["data"]), "little") for item in log}
    assert len(answers) == len(log) == 10_000
    assert np.mean([answers[n] == label for n, label in enumerate(labels())]) == pytest.approx(accuracy["value"])


@pytest.mark.parametrize("task", MEASURED)
def test_the_packaged_models_are_those_that_training_measured(task):
    """The conformance kit holds the settings against the files; this is whether the numbers are of these files."""
    packaged = folder_of(task)
    measured = json.loads((packaged / "quickstart.json").read_text())
    for numerics in ("int8", "float32"):
        data = (packaged / measured[numerics]["file"]).read_bytes()
        assert measured[numerics]["sha256"] == hashlib.sha256(data).hexdigest()
        assert measured[numerics]["bytes"] == len(data)


def test_the_float32_model_reaches_its_reference(tmp_path, trained):
    model = ("--model", "fashion_mobilenet_float32")
    result, done = Command(tmp_path).run("image_classification", *model, "--mode", "accuracy")
    assert done.returncode == 0, done.stderr
    assert result["accuracy"]["value"] == pytest.approx(trained["float32"]["top1"], abs=0.0005)
    assert result["accuracy"]["value"] >= 0.92
    assert result["performance"] is None


def test_offline_on_two_shards(tmp_path):
    told, done = Command(tmp_path).json(
        "run",
        "image_classification",
        "--rules",
        "quick",
        "--scenario",
        "offline",
        "--mode",
        "performance",
        "--set",
        "shards=2",
        "--set",
        "batch=8",
    )
    assert done.returncode == 0, done.stderr
    (result,) = told["results"]
    assert result["system"]["sessions"] == 2
    assert result["system"]["batch"] == 8
    assert result["performance"]["samples"] == 2457  # not a multiple of 8


def folder_of_photographs(folder, count=6):
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(count):
        pixels = rng.integers(0, 256, (60 + number, 80, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(folder / f"{number}.jpg")
    (folder / "labels.txt").write_text("\n".join(map(str, range(count))))
    return folder


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["--model", "fashion_mobilenet_int9"], "model-missing", 3),
        (["--model", "nowhere.tflite"], "model-missing", 3),
        (["--model", "empty.tflite"], "model-damaged", 3),
        (["--model", "text.tflite"], "model-not-tflite", 3),
        (["--model", "half.tflite"], "model-damaged", 3),
        (["--model", "half.h5"], "model-format", 3),
        (["--dataset", "imagenet"], "data-path", 4),
        (["--dataset", "imagenet", "--data-path", "nowhere"], "data-missing", 4),
        (["--dataset", "imagenet", "--data-path", "nothing"], "data-empty", 4),
        (["--dataset", "imagenet", "--data-path", "photographs"], "image-channels", 4),
        (["--dataset", "imagenet", "--data-path", "photographs", "--set", "labels=none.txt"], "labels", 4),
        (["--dataset", "imagenet", "--data-path", "photographs", "--set", "classes=3"], "label-range", 4),
        (["--set", "label_offset=9"], "model-output", 3),
        (["--set", "threads=0"], "bad-value", 2),
        (["--set", "delegate=nowhere.so", "--accelerator", "delegate"], None, 5),
    ],
)
def test_bad_input_gets_one_line_and_its_exit_code(command, tmp_path, arguments, code, exit_code):
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "text.tflite").write_text("This is not a model. " * 10)
    (tmp_path / "half.tflite").write_bytes(INT8.read_bytes()[: INT8.stat().st_size // 2])
    (tmp_path / "half.h5").write_bytes(b"x")
    (tmp_path / "nothing").mkdir()
    folder_of_photographs(tmp_path / "photographs")
    told, done = command.json("run", "image_classification", "--quiet", "--set", "warmup_s=0", *arguments)
    error = told["error"] if "error" in told else told["results"][0]["error"]
    assert code in (None, error["code"])
    assert done.returncode == error["exit_code"] == exit_code
    assert error["hint"]
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("mlperf-mobile-results/.*"))


@pytest.mark.skipif(not SHARED, reason="MLPERF_MOBILE_SHARED is not set: no models of official size here")
class TestModelsOfOfficialSize:
    MODELS = Path(SHARED) / "models"

    def run(self, tmp_path, model, *more):
        folder_of_photographs(tmp_path / "photographs")
        return Command(tmp_path).json(
            "run", "image_classification", "--model", self.MODELS / model, "--dataset", "imagenet", "--data-path",
            tmp_path / "photographs", "--set", "min_duration_s=0.5", "--set", "min_query_count=64",
            *more,
        )  # fmt: skip

    def test_efficientnet(self, tmp_path):
        told, done = self.run(tmp_path, "efficientnet_lite0_uint8.tflite")
        assert done.returncode == 0, done.stderr
        (result,) = told["results"]
        assert result["placement"]["operations"] == {"cpu": 64}
        assert result["system"]["inputs"] == ["uint8[1,224,224,3]"]
        assert result["accuracy"]["passed"] is None

    @pytest.mark.parametrize("model", ["add.tflite", "deeplabv3_float.tflite", "mobilebert_qa_random_dynint8.tflite"])
    def test_models_of_other_tasks_are_refused(self, tmp_path, model):
        told, done = self.run(tmp_path, model)
        assert done.returncode == 3
        assert told["results"][0]["error"]["code"] in ("model-input", "model-output")
