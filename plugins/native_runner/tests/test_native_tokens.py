"""Language models by the real program, where it is built: the answers and the score are the Python worker's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile import loadgen
from mlperf_mobile.results.tokens import TOKENS
from mlperf_mobile.testing.command import Command
from mlperf_mobile_devices.testing import StandInBoard

mlperf_mobile_task_language_model = pytest.importorskip("mlperf_mobile_task_language_model")
FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1", "--set", "min_query_count=64")
TASK = "instruction_following"


@pytest.fixture
def env(processes, tmp_path):
    runner = pytest.importorskip("mlperf_mobile_runner")
    try:
        runner.binary(os.uname().machine)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture
def command(env, tmp_path):
    return Command(tmp_path, env)


@pytest.fixture
def board(env, tmp_path):
    """The command, and a stand-in for a board without Python."""
    boards = "from mlperf_mobile_devices.testing import StandInTransport"
    return StandInBoard(tmp_path, "native", boards, env)


def responses(result, log):
    """The ids of each answer of an accuracy run."""
    found = json.loads(Path(result["directory"], "accuracy", log).read_text())
    return {each["qsl_idx"]: each["data"] for each in found}


def test_a_run_here(command):
    result, done = command.run(TASK, *FAST, "--runner", "native")
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["runner"]) == (True, "native")
    assert (result["performance"]["latency_source"], result["performance"]["timed_region"]) == (
        "load generator",
        "inference",
    )
    tokens = result["performance"]["tokens"]
    answers = np.fromfile(Path(result["directory"], TOKENS), "<i8").reshape(-1, 4)
    assert len(answers) == result["performance"]["samples"]
    details = loadgen.read_details(Path(result["directory"], "performance", loadgen.DETAIL_LOG))
    assert tokens["ttft_ns"]["p90"] == details["result_first_token_90.00_percentile_latency_ns"]
    assert tokens["ttft_ns"]["p90"] == np.sort(answers[:, 2])[int(len(answers) * 0.9)]
    assert tokens["memory_bytes"]["end"] >= tokens["memory_bytes"]["loaded"] > 10_000_000
    assert result["system"]["generation"]["performance"]["max_new_tokens"] >= answers[:, 1].max() > 1

    python, _ = command.run(TASK, "--mode", "accuracy")
    for key in ("metric", "value", "details", "samples"):
        assert result["accuracy"][key] == python["accuracy"][key]
    assert responses(result, loadgen.RESPONSE_LOG) == responses(python, loadgen.ACCURACY_LOG)
    checked, done = command.json("check", result["directory"])
    assert done.returncode == 0, checked["findings"]
    scored, done = command.json("score", result["directory"])
    assert (done.returncode, scored["accuracy"]["value"]) == (0, result["accuracy"]["value"])


def test_its_compliance_is_tested(command):
    result, done = command.run(TASK, *FAST, "--runner", "native")
    assert done.returncode == 0, done.stderr
    told, done = command.json("comply", result["directory"], "--test", "TEST06")
    assert done.returncode == 0, done.stderr
    (verdict,) = told["tests"]
    assert {rule["name"]: rule["ok"] for rule in verdict["rules"]} == {
        "responses-logged": True, "first-token": True, "answer-ends": True, "token-counts": True,
    }  # fmt: skip


@pytest.mark.parametrize("scenario", ["offline", "sustained"])
def test_other_scenarios(command, scenario):
    short = ("--set", "performance_tokens=4")
    which = ("multiple_choice", *FAST, *short, "--runner", "native", "--mode", "performance")
    result, done = command.run(*which, "--scenario", scenario)
    assert done.returncode == 0, done.stderr
    tokens = result["performance"]["tokens"]
    assert bool(tokens["generated_per_s"]) == bool(tokens["times_undefined"]) == (scenario == "offline")
    assert bool(tokens["ends"]) == (scenario == "sustained")
    checked, done = command.json("check", result["directory"])
    assert done.returncode == 0, checked["findings"]


def test_a_run_on_a_device(board):
    result, done = board.run(TASK, *FAST)
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["device"]["address"]) == (True, board.address)
    assert result["performance"]["tokens"]["ttft_ns"]["p50"] > 0
    here, _ = board.command.run(TASK, "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    again, _ = board.run(TASK, *FAST)
    assert again["device"]["more"]["pushed_bytes"] == 0


def test_a_prompt_that_is_longer_than_the_context(command):
    packaged = Path(mlperf_mobile_task_language_model.__path__[0], "quickstart", "questions.jsonl")
    question = json.loads(packaged.read_text().splitlines()[0])
    data = command.folder / "questions.jsonl"
    data.write_text(json.dumps(question | {"input": question["input"] * 9}) + "\n")
    result, done = command.run("multiple_choice", *FAST, "--runner", "native", "--data-path", data)
    assert (done.returncode, result["error"]["code"]) == (3, "prompt-too-long")
