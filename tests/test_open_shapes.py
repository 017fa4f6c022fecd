"""Tasks size a model of any size by their packaged data, or the run is refused before anything is timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.options import validated
from mlperf_mobile.registry import Registry

OPEN = TensorSpec("image", (1, 1, 1, 3), np.dtype(np.float32), open_axes=(0, 1, 2))
MODEL = Path(__file__).parents[1] / "plugins" / "backend_tflite" / "tests" / "models" / "open_image.tflite"


@pytest.mark.parametrize(
    ("task", "data", "expected"),
    [
        ("image_classification", "fashion_mnist", {"image": (1, 28, 28, 3)}),  # its images are never resized
        ("semantic_segmentation", "fashion_masks", {"image": (1, 128, 128, 3)}),
        ("super_resolution", "photo_pairs", {"image": (1, 128, 128, 3)}),
    ],
)
def test_what_the_data_fix(task, data, expected):
    registry = Registry()
    dataset = registry.datasets[data].info.dataset.load()(None, validated("dataset", registry.datasets[data], {}))
    offer = registry.tasks[task]
    assert offer.info.task.load()(validated("task", offer, {})).input_shapes([OPEN], dataset) == expected


@pytest.fixture
def asked(tmp_path):
    """A short run of the model on a plain folder with one image."""
    if not MODEL.exists():
        pytest.skip("the models of backend_tflite's tests are not here")
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (20, 10), "red").save(folder / "a.png")
    return (
        "run", "image_classification", "--model", MODEL, "--backend", "tflite", "--dataset", "image_folder",
        "--data-path", folder, "--mode", "performance", "--rules", "rapid", "--set", "min_duration_s=0.05", "--set",
        "min_query_count=8", "--set", "warmup_s=0", "--quiet",
    )  # fmt: skip


def test_a_run_without_a_size_is_refused(command, asked):
    told, done = command.json(*asked)
    (result,) = told["results"]
    assert (done.returncode, result["error"]["code"], result["performance"]) == (3, "open-shape", None)
    assert "image float32[1,?,?,3]" in result["error"]["summary"]
    assert "--set input_shapes=[1,?,?,3]" in result["error"]["hint"]


def test_a_run_of_the_requested_size(command, asked):
    told, _ = command.json(*asked, env={"MLPERF_MOBILE_INPUT_SHAPES": "[1, 8, 6, 3]"})
    (result,) = told["results"]
    assert (result["error"], result["system"]["inputs"]) == (None, ["float32[1,8,6,3]"])
    assert "float32[1,8,6,3]" in command("show", result["directory"]).stdout
    assert "float32[1,8,6,3]" in command("report", result["directory"], "--csv").stdout


def test_a_dry_run_shows_it_and_its_source(inside, asked):
    done = inside(*asked, "--dry-run", "--set", "input_shapes.image=[1,8,8,3]")
    (line,) = [line for line in done.stdout.splitlines() if "input_shapes" in line]
    assert "input_shapes.image" in line
    assert "[1, 8, 8, 3]" in line
    assert "--set input_shapes.image=[1,8,8,3]" in line
