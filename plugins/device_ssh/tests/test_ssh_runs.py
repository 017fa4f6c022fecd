"""Runs over a real ssh server: the results are those of this machine, and files are pushed once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

RUNNER = Path(__file__).parents[2] / "native_runner" / "tests" / "stand_in_runner.py"
FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1")


def test_a_run_over_ssh(board):
    device = ("--device", f"ssh:{board.target}")
    result, done = board.command.run("question_answering", *FAST, *device)
    assert done.returncode == 0, done.stderr
    here, _ = board.command.run("question_answering", *FAST)
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    assert result["device"]["address"] == device[1]
    assert result["device"]["more"]["pushed_bytes"] > 0
    checked, done = board.command.json("check", result["directory"])
    assert done.returncode == 0, checked
    again, _ = board.command.run("question_answering", *FAST, *device)
    assert again["device"]["more"]["pushed_bytes"] == 0
    assert list((board.root / "runs").iterdir()) == []


@pytest.mark.nightly
def test_a_run_without_python_over_ssh(sshd, processes, few_facts, tmp_path):
    """With the stand-in for the native runner; nothing else is on the board."""
    program = tmp_path / "data" / "mlperf-mobile" / "runners" / f"linux-{os.uname().machine}" / "mlperf-mobile-runner"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {RUNNER} "$@"\n')
    path = f"{sshd.client(tmp_path)}:{os.environ['PATH']}"
    found = {"XDG_DATA_HOME": str(tmp_path / "data"), "MLPERF_MOBILE_DATA_PATH": str(few_facts)}
    command = Command(tmp_path, {"PATH": path} | found)
    there = ("--device", f"ssh:{sshd.target}", "--runner", "native")
    result, done = command.run("question_answering", *FAST, *there)
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["runner"]) == (True, "native")
    here, _ = command.run("question_answering", "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    checked, done = command.json("check", result["directory"])
    assert done.returncode == 0, checked
    again, _ = command.run("question_answering", *FAST, *there)
    assert again["device"]["more"]["pushed_bytes"] == 0
    assert list((sshd.root / "runs").iterdir()) == []
