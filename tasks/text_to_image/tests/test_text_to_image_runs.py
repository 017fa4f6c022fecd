"""The command runs the packaged pipeline, scores it again, checks it, and keeps its pictures."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from shutil import copyfile

import pytest
from PIL import Image

from mlperf_mobile.testing.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("processes")]
SHORT = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.1", "--set", "max_duration_s=30")


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path)


def test_the_quickstart(command):
    """Its accuracy is scored again from the log; too few queries are waived where the benchmark says so."""
    result, done = command.run(
        "text_to_image", *SHORT, "--set", "min_query_count=20", "--set", "max_duration_s=0.4",
        "--set", "early_stopping=ignored",
    )  # fmt: skip
    assert (done.returncode, result["valid"]) == (0, True), done.stderr
    assert result["accuracy"]["passed"] is True
    assert (result["accuracy"]["metric"], result["accuracy"]["samples"]) == ("CLIP", 61)
    rules = {rule["name"]: rule for rule in result["rules"]}
    assert rules["early-stopping"]["ok"]
    assert result["load"]["early_stopping"] == "ignored"
    report = result["report"]["cpu"]
    assert [(part, each["calls"]) for part, each in report["parts"].items()] == [
        ("text_encoder", 2), ("denoiser", 40), ("decoder", 1)
    ]  # fmt: skip
    assert len(result["model"]["files"]) == 6
    folder = Path(result["directory"])
    pictures = sorted((folder / "accuracy" / "pictures").iterdir())
    assert len(pictures) == 61
    with Image.open(pictures[0]) as picture:
        assert picture.size == (32, 32)
    scored, done = command.json("score", folder)
    assert done.returncode == 0
    assert scored["accuracy"]["value"] == pytest.approx(result["accuracy"]["value"], abs=1e-9)
    checked = command("check", folder)
    assert checked.returncode == 0, checked.stdout
    stored = json.loads((folder / "result.json").read_text())
    stored["load"]["early_stopping"] = "required"
    (folder / "result.json").write_text(json.dumps(stored))
    assert command("check", folder).returncode != 0


def test_a_part_that_does_not_fit(command, tmp_path):
    """A folder of one's own, whose decoder is another pipeline's: one line."""
    folder, model = Path(str(files("mlperf_mobile_task_text_to_image") / "quickstart")), tmp_path / "model"
    model.mkdir()
    for name in ("shapes_int8.tflite-pipeline", "text_encoder_int8.tflite", "denoiser_int8.tflite", "noise.npy",
                 "time_embeddings.bin"):  # fmt: skip
        copyfile(folder / name, model / name)
    copyfile(folder / "text_encoder_int8.tflite", model / "decoder_int8.tflite")
    result, done = command.run("text_to_image", *SHORT, "--mode", "performance", "--model", model)
    assert (done.returncode, result["error"]["code"]) == (3, "pipeline-parts")
    assert "decoder takes int32[1,8], but the latent is float32" in result["error"]["summary"]
