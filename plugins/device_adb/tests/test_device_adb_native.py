"""Runs without Python on a stand-in for a phone, over the real adb client; most with the stand-in for the runner."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command
from mlperf_mobile_neural_networks_stand_in import build

RUNNER = Path(__file__).parents[2] / "native_runner" / "tests" / "stand_in_runner.py"
LITERT = Path(find_spec("ai_edge_litert").submodule_search_locations[0]) / "libLiteRt.so"
FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1", "--set", f"library={LITERT}")


@pytest.fixture
def program(tmp_path):
    """Where users put a runner that they built for Android."""
    program = tmp_path / "data" / "mlperf-mobile" / "runners" / f"android-{os.uname().machine}" / "mlperf-mobile-runner"
    program.parent.mkdir(parents=True)
    return program


@pytest.fixture
def command(phone, few_facts, program, tmp_path):
    """The command, with the stand-in for the runner as one that the user built for Android."""
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


@pytest.mark.long
def test_nnapi_on_the_phone(command, phone, program, built, some_clothes):
    """By the real program and the stand-in for NNAPI; the phone gets the network, and says that it is no hardware."""
    runner = pytest.importorskip("mlperf_mobile_runner")
    try:
        shutil.copy2(runner.binary(os.uname().machine), program)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    library = build(built, "neuralnetworks", flags=("-Werror",))
    nnapi = ("--backend", "nnapi", "--accelerator", "npu", "--data-path", some_clothes)
    there = ("--device", f"adb:{phone.serials[0]}", "--set", f"library={library}")
    fast = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1", "--set", "min_query_count=64")
    result, done = command.run("image_classification", *nnapi, *there, *fast)
    assert (result["status"], done.returncode) == ("completed", 1), result["error"]
    assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["real-hardware"]
    assert "never speed" in result["functional_only"]
    assert result["placement"]["operations"] == {"npu": 14}
    assert result["device"]["more"]["pushed_bytes"] > 0
    sent = {path.suffix for path in Path(phone.state()["tmp"]).rglob("store/*/*")}
    assert ".nnapi" in sent and ".tflite" not in sent
    again, _ = command.run("image_classification", *nnapi, *there, "--mode", "accuracy")
    assert again["device"]["more"]["pushed_bytes"] == 0
    here, _ = command.run("image_classification", *nnapi, "--set", f"library={library}", "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]


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
