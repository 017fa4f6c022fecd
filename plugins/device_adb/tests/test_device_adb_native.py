"""Runs without Python on a stand-in for a phone, over the real adb client; with the stand-in for the native runner."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

RUNNER = Path(__file__).parents[2] / "native_runner" / "tests" / "stand_in_runner.py"
LITERT = Path(find_spec("ai_edge_litert").submodule_search_locations[0]) / "libLiteRt.so"
FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1", "--set", f"library={LITERT}")


@pytest.fixture
def command(phone, few_facts, tmp_path):
    """The command, with the stand-in for the runner as one that the user built for Android."""
    program = tmp_path / "data" / "mlperf-mobile" / "runners" / f"android-{os.uname().machine}" / "mlperf-mobile-runner"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {RUNNER} "$@"\n')
    places = {
        "XDG_STATE_HOME": tmp_path / "state",
        "XDG_DATA_HOME": tmp_path / "data",
        "MLPERF_MOBILE_DATA_PATH": few_facts,
    }
    return Command(tmp_path, phone.env | {"PATH": os.environ["PATH"]} | {key: str(at) for key, at in places.items()})


def test_a_run_without_python_is_the_default(command, phone):
    device = ("--device", f"adb:{phone.serials[0]}")
    result, done = command.run("question_answering", *FAST, *device)
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["runner"]) == (True, "native")
    assert result["performance"]["timed_region"] == "inference"
    assert result["device"]["more"]["pushed_bytes"] > LITERT.stat().st_size
    here, _ = command.run("question_answering", "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    checked, done = command.json("check", result["directory"])
    assert done.returncode == 0, checked["findings"]
    again, _ = command.run("question_answering", *FAST, *device)
    assert again["device"]["more"]["pushed_bytes"] == 0
    assert phone.state()["processes"] == []


@pytest.mark.nightly
def test_a_connection_that_is_lost_during_a_run(command, phone):
    phone.control("0 drop when command 1.5 mlperf-mobile-runner")
    result, done = command.run("question_answering", *FAST, "--device", f"adb:{phone.serials[0]}")
    assert done.returncode == 0, done.stderr
    assert result["valid"]


def test_the_library_for_the_phone_must_be_named(command, phone):
    result, done = command.run("question_answering", "--device", f"adb:{phone.serials[0]}", "--rules", "rapid")
    assert (done.returncode, result["error"]["code"]) == (5, "native-library")
    assert "library" in result["error"]["hint"]
