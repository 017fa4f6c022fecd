"""``run --dry-run``: where every value comes from, and what cannot work before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

MODELS = Path(__file__).resolve().parents[1] / "plugins/backend_tflite/tests/models"


def rows(command, *arguments, **more):
    """Value and source of each key."""
    done = command("run", *arguments, "--dry-run", **more)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.split("\n\n")[0].splitlines()[2:]:
        key, *rest = line.strip().split("  ", 1)
        if rest:
            value, _, source = rest[0].strip().rpartition("  ")
            found[key] = value.strip(), source
    return found


class TestSources:
    def test_of_what_a_task_brings(self, inside):
        found = rows(inside, "image_classification")
        known = "model fashion_mobilenet_int8 of task image_classification"
        assert found["model"] == ("fashion_mobilenet_int8", "task image_classification:2:1")
        assert found["model.path"][1] == known
        assert found["dataset"] == ("fashion_mnist", "task image_classification:3:1")
        assert found["quality.reference"] == ("0.9316", known)

    def test_of_what_the_user_gives(self, inside, tmp_path):
        (tmp_path / "images").mkdir()
        (tmp_path / "images/a.png").write_bytes(b"")
        (tmp_path / "run.yaml").write_text("data_path: images\nquality: {metric: top-1, reference: 0.5, ratio: 0.9}\n")
        done = inside(
            "run", "image_classification", "--config", "run.yaml", "--model", "fashion_mobilenet_int8", "--dataset",
            "image_folder", "--mode", "performance", "--dry-run", "--json", env={"MLPERF_MOBILE_CACHE": "kept"},
        )  # fmt: skip
        (plan,) = json.loads(done.stdout)["plans"]
        assert plan["sources"]["model"] == "--model"
        assert plan["sources"]["dataset"] == "--dataset"
        assert plan["sources"]["dataset.path"] == "run.yaml:1:1"
        assert plan["sources"]["quality.reference"] == "run.yaml:2:26"
        assert plan["sources"]["cache"] == "MLPERF_MOBILE_CACHE"

    def test_are_there_for_every_value(self, inside):
        """Every field of a plan that a setting decides has a row."""
        found = rows(inside, "image_classification")
        done = inside("run", "image_classification", "--dry-run", "--json")
        (plan,) = json.loads(done.stdout)["plans"]
        identity = {"schema", "run_id", "created", "session", "task", "benchmark", "suite", "swept", "official",
                    "sources", "offered_by", "notes", "changed_options", "unverified", "estimated_s"}  # fmt: skip
        shown = {key.split(".")[0] for key in found} | {"accelerators", "load", "device", "performance_dataset"}
        shown |= {"input_shapes", "observers", "tuning", "soc"}  # rows of their own where they are set
        shown |= {"parallel"}  # of compilations alone
        assert plan.keys() - identity - shown == {"backend_options", "task_options", "scenario_options"} - shown
        assert all(source for _, source in found.values())


class TestWhatCannotWork:
    @staticmethod
    def problem(command, *arguments):
        done = command("run", *arguments, "--dry-run", "--json")
        found = json.loads(done.stdout)
        assert [problem["run_id"] for problem in found["problems"]] == [plan["run_id"] for plan in found["plans"]]
        assert done.returncode == found["problems"][0]["exit_code"] != 0
        return found["problems"][0]

    def test_is_nothing_for_what_works(self, inside):
        done = inside("run", "--dry-run", "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout)["problems"] == []

    def test_is_a_model_of_another_task(self, inside):
        problem = self.problem(inside, "object_detection", "--model", MODELS / "no_batch.tflite")
        assert problem["code"] == "model-input"

    def test_is_an_option_that_leaves_no_outputs(self, inside):
        problem = self.problem(inside, "image_classification", "--set", "label_offset=9")
        assert (problem["code"], problem["exit_code"]) == ("model-output", 3)

    def test_is_a_file_of_inputs_that_do_not_fit(self, inside):
        np.savez(inside.folder / "x.npz", np.ones((2, 5), np.int8))
        problem = self.problem(inside, "--model", MODELS / "double_int8.tflite", "--inputs", "x.npz")
        assert problem["code"] == "inputs-shape"

    def test_is_a_damaged_model(self, inside):
        (inside.folder / "half.tflite").write_bytes((MODELS / "double_int8.tflite").read_bytes()[:200])
        assert self.problem(inside, "--model", "half.tflite")["code"] == "model-damaged"

    def test_is_one_line_beside_the_plan(self, inside):
        done = inside("run", "image_classification", "--set", "label_offset=9", "--dry-run")
        assert "error[model-output]: label_offset 9 leaves 1 classes" in done.stderr
        assert "task_options.label_offset" in done.stdout
        assert done.returncode == 3

    @pytest.mark.parametrize("model", ["open_row", "custom"])
    def test_is_left_to_the_runtime_where_only_it_knows(self, inside, model):
        done = inside("run", "--model", MODELS / f"{model}.tflite", "--dry-run", "--json")
        assert json.loads(done.stdout)["problems"] == []

    def test_is_a_list_without_brackets(self, inside):
        done = inside("run", "object_detection", "--set", "output_order=boxes,scores", "--dry-run")
        assert done.returncode == 2
        assert "expected a list in brackets, [boxes, scores]" in done.stderr
