"""Runs that name a model and no task, by the installed command."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.testing.command import Command

MODELS = Path(__file__).resolve().parents[3] / "plugins/backend_tflite/tests/models"
SHORT = [
    part
    for each in ("warmup_s=0.05", "min_duration_s=0.1", "min_query_count=8", "max_duration_s=1")
    for part in ("--set", each)
]

pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path)


def run(command, model, *arguments):
    """The result of one short run, and the process."""
    done = command("run", "--model", MODELS / model, "--json", *SHORT, *arguments)
    results = json.loads(done.stdout).get("results")
    return (results[0] if results else None), done


@pytest.mark.sampled(3)
@pytest.mark.parametrize("scenario", ["single-stream", "offline", "sustained"])
def test_a_model_without_a_task_is_measured(command, scenario):
    result, done = run(command, "double_int8.tflite", "--scenario", scenario)
    assert (result["task"], result["mode"], result["status"]) == ("any_model", "performance", "completed"), done.stderr
    assert result["performance"]["samples"] >= 8
    assert result["placement"]["operations"] == {"cpu": 1}
    assert result["submittable"] is None


def test_check_says_that_it_is_no_submission(command):
    result, _ = run(command, "double_int8.tflite")
    done = command("check", result["directory"])
    assert "own-no-round" in done.stdout
    assert "cannot be submitted" in done.stdout
    exported = command(
        "export",
        "--format",
        "submission",
        "--submitter",
        "Acme",
        "--device",
        "a",
        "--output",
        "out",
        result["directory"],
    )
    assert "error[no-round]" in exported.stderr
    assert not (command.folder / "out").exists()


def test_inputs_are_read_from_a_file(command):
    np.savez(command.folder / "x.npz", np.arange(40, dtype=np.int8).reshape(10, 4))
    result, done = run(command, "double_int8.tflite", "--inputs", "x.npz")
    assert result["status"] == "completed", done.stderr
    assert result["system"]["samples_in_data_set"] == 10
    assert len(result["files"]["dataset"]["sha256"]) == 64
    assert "x.npz" in command("show", result["directory"]).stdout


def test_inputs_of_a_file_size_open_inputs(command):
    np.savez(command.folder / "x.npz", x=np.ones((5, 6), np.float32))
    result, done = run(command, "open_row.tflite", "--inputs", "x.npz")
    assert result["system"]["inputs"] == ["float32[1,6]"], done.stderr


def test_several_inputs_of_several_types_are_made_up(command):
    result, done = run(command, "open_two.tflite", "--set", "input_shapes.p=[1,3]", "--set", "input_shapes.q=[1,3]")
    assert result["system"]["inputs"] == ["float32[1,3]", "int32[1,3]"], done.stderr
    assert result["status"] == "completed"


def test_ranges_reach_the_model(command):
    """An index outside of the table is an error of the model, so the range decides."""
    _, done = run(command, "gather.tflite", "--set", "ranges={'*': [50, 60]}")
    assert "out of bounds" in done.stderr
    assert done.returncode == 5
    result, done = run(command, "gather.tflite", "--set", "ranges={'*': [2, 3]}")
    assert result["status"] == "completed", done.stderr
    assert result["options"]["dataset.ranges.*"] == [2.0, 3.0]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--mode", "both"), "no-metric"), (("--mode", "submission"), "no-metric"),
        (("--inputs", "no.npz"), "data-missing"),
        (("--inputs", "wrong.npz"), "inputs-shape"), (("--inputs", "pickled.npz"), "inputs-file"),
        (("--inputs", "text.npz"), "inputs-file"), (("--set", "samples=0"), "bad-value"),
        (("--set", "ranges={x: [2, 1]}"), "bad-value"), (("--set", "ranges={nobody: [0, 1]}"), "inputs-range"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_one_line(command, arguments, code):
    np.savez(command.folder / "wrong.npz", np.ones((2, 5), np.int8))
    np.savez(command.folder / "pickled.npz", np.array([{"a": 1}], object))
    (command.folder / "text.npz").write_text("no archive")
    _, done = run(command, "double_int8.tflite", *arguments)
    lines = [line for line in done.stderr.splitlines() if "error[" in line]
    assert len(lines) == 1, done.stderr
    assert f"error[{code}]" in lines[0]


def test_a_known_model_still_runs_its_task(command):
    done = command("run", "--model", "fashion_mobilenet_int8", "--dry-run", "--json")
    assert [plan["task"] for plan in json.loads(done.stdout)["plans"]] == ["image_classification"]


def test_a_missing_file_is_named(command):
    done = command("run", "--model", "absent.tflite")
    assert "error[model-missing]: --model: model absent.tflite does not exist" in done.stderr
    assert "none is installed" not in done.stderr


def test_compare_and_report_take_the_results(command):
    for model in ("double_int8.tflite", "no_batch.tflite"):
        run(command, model)
    done = command("compare", *sorted(command.results.iterdir()))
    assert "any_model" in done.stdout, done.stderr
    assert command("report", command.results, "--output", "page.html").returncode == 0
    assert "no_batch" in (command.folder / "page.html").read_text()
