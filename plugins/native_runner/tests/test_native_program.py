"""Runs by the real program, where it is built: the same results as the Python worker's, which ``check`` accepts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1")
TASK = "question_answering"


@pytest.fixture
def command(processes, few_facts, tmp_path):
    runner = pytest.importorskip("mlperf_mobile_runner")
    try:
        runner.binary(os.uname().machine)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return Command(tmp_path, {"XDG_DATA_HOME": str(tmp_path / "data"), "MLPERF_MOBILE_DATA_PATH": str(few_facts)})


@pytest.mark.sampled(2)
@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_a_run_by_the_program(command, scenario):
    result, done = command.run(TASK, *FAST, "--scenario", scenario, "--runner", "native")
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["performance"]["latency_source"]) == (True, "load generator")
    assert result["repeated"]["responses"] >= 2
    assert "mlperf-mobile-runner" in result["versions"]
    assert not [*Path(result["directory"]).rglob(".*")]
    checked, done = command.json("check", result["directory"])
    assert done.returncode == 0, checked
    python, _ = command.run(TASK, "--mode", "accuracy")
    for key in ("metric", "value", "details", "samples"):
        assert result["accuracy"][key] == python["accuracy"][key]


def test_a_damaged_model_is_refused(command):
    model = command.folder / "broken.tflite"
    model.write_bytes(b"\0" * 4096)
    result, done = command.run(TASK, *FAST, "--runner", "native", "--model", model)
    assert done.returncode == 3
    assert result["error"]["code"].startswith("model-")
