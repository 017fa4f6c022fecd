"""``mlperf-mobile diff``: which samples differ, at which stage, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

TOY = ("diff", "product", "--backend", "toy", "--quiet")


def test_every_sample_that_is_wrong_is_found_and_no_other(command):
    """The stand-in adds x to 2x for every fifth sample: a difference of x[3] = i + 3 where the larger is 3 (i + 3)."""
    found, done = command.json(*TOY, "--set-b", "wrong_every=5", "--samples", "100")
    wrong = [*range(0, 100, 5)]
    assert done.returncode == 1, done.stderr
    assert found["first"] == "output"
    assert found["differ"] == {"input": [], "output": wrong, "response": wrong, "score": wrong}
    assert found["scores"] == {str(index): [1.0, 0.0] for index in wrong}
    assert found["totals"] == [1.0, 0.8]
    (_, output) = found["tensors"]
    relative = [each["relative"] for each in output["by_sample"]]
    assert relative == pytest.approx([1 / 3 if index in wrong else 0 for index in range(100)])
    assert output["summary"]["largest"] == pytest.approx(95 + 3)
    assert output["summary"]["identical"] == 80
    assert output["summary"]["cosine"] == pytest.approx(1)
    assert output["summary"]["snr_db"] == pytest.approx(20 * np.log10(2))


def test_within_the_tolerance_nothing_differs_but_the_response(command):
    found, done = command.json(*TOY, "--set-b", "wrong_every=5", "--samples", "20", "--tolerance", "0.4")
    assert found["differ"]["output"] == []
    assert found["first"] == "response"
    assert done.returncode == 1


def test_equal_sides_differ_nowhere(command):
    found, done = command.json(*TOY, "--accelerator", "cpu", "--accelerator", "npu", "--index", "7", "--index", "3")
    assert (found["samples"], found["first"], done.returncode) == ([7, 3], None, 0)
    assert [side["accelerators"] for side in found["sides"]] == [["cpu"], ["npu"]]
    assert [side["report"] for side in found["sides"]] == [{"calls": 2}, {"calls": 2}]


def test_the_text(command):
    done = command(*TOY, "--set-b", "wrong_every=50", "--samples", "100", "--trace")
    assert "output    2 of 100" in done.stdout
    assert "toy/cpu double wrong_every=50" in done.stdout
    assert "backend toy does not show the tensors inside a model" in done.stdout
    assert done.stdout.splitlines()[-1] == "first differing stage: output. exact: 1.0000 and 0.9800"


def test_the_tensors_are_kept(command, tmp_path):
    command(*TOY, "--set-b", "wrong_every=5", "--samples", "4", "--output", tmp_path / "kept")
    side = json.loads((tmp_path / "kept/b/recording.json").read_text())
    kept = np.fromfile(tmp_path / "kept/b/output-0.bin", np.float32).reshape(4, 4)
    assert side["indices"] == [0, 25, 50, 75]
    assert kept.tolist() == [[3 * (index + n) for n in range(4)] for index in side["indices"]]
    again = command(*TOY, "--set-b", "wrong_every=5", "--output", tmp_path / "kept")
    assert (again.returncode, "output-exists" in again.stderr) == (6, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "same-sides"),
        (("--set-b", "count=7"), "other-samples"),
        (("--backend", "x", "--backend", "y"), "--backend is given 3 times"),
        (("--backend", "absent"), "unknown-backend"),
        (("--samples", "0"), "'0' is not a whole number of at least 1"),
        (("--index", "-1"), "-1"),
        (("--tolerance", "nan"), "'nan' is not a number of at least 0"),
        (("--set-b", "sleep_s=0.001", "--index", "100"), "there is no sample 100: the data set has 100 samples"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(inside, arguments, expected):
    done = inside(*TOY, *arguments)
    assert done.returncode in (2, 4)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error[") == 1
    assert not done.stdout


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        ("kill", 7, "error[worker-died]: toy/cpu double misbehave=kill after=0: the worker died: killed by SIGKILL"),
        ("raise", 5, "backend toy failed: RuntimeError: the toy broke"),
        ("exit", 7, "the stand-in's last words"),
        ("chatter", 0, ""),
    ],
)
def test_a_side_that_fails_is_named(command, fault, code, expected):
    done = command(*TOY, "--set-b", f"misbehave={fault}", "--set-b", "after=0", "--samples", "3")
    assert done.returncode == code, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("spoils", ["nan", "shape"])
def test_outputs_that_are_no_outputs(command, spoils):
    """NaN is a difference; another shape is refused as in a run."""
    done = command(*TOY, "--set-b", f"spoils={spoils}", "--set-b", "after=0", "--samples", "3")
    if spoils == "nan":
        assert "12 values not finite" in done.stdout
        assert done.returncode == 1
    else:
        assert "wrong-outputs" in done.stderr
        assert done.returncode == 5


@pytest.mark.slow
def test_two_models_of_one_task_inside_and_out(command):
    """The quickstart's model in int8 against itself on other kernels, and against float32."""
    shown = command("diff", "image_classification", "--backend", "tflite", "--quiet", "--samples", "8", "--trace",
                    "--model", "fashion_mobilenet_int8", "--model", "fashion_mobilenet_float32")  # fmt: skip
    assert "int8[1,10] | float32[1,10]" in shown.stdout
    found, done = command.json(
        "diff", "image_classification", "--backend", "tflite", "--quiet", "--samples", "8", "--trace",
        "--set-a", "xnnpack=true", "--set-b", "xnnpack=false",
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert len(found["traced"]) > 10
    assert found["first_traced"] is None  # both are traced on the built-in kernels
    (inputs, outputs) = found["tensors"]
    assert inputs["summary"]["identical"] == 8
    assert outputs["summary"]["snr_db"] > 30
