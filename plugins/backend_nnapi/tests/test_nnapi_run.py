"""The installed command on the stand-in, and on one that misbehaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHORT = ("--mode", "performance", "--set", "min_query_count=32")


@pytest.mark.slow
def test_a_run_on_the_npu(command, some_clothes):
    """It computes the right classes, says where it ran, and counts for nothing."""
    data = ("--data-path", some_clothes)
    result, done = command.run(*data)
    assert (result["status"], done.returncode) == ("completed", 1), result["error"]
    assert "stand-in" in result["runtime"]
    assert result["placement"]["operations"] == {"npu": 14}
    assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["real-hardware"]
    assert result["valid"] is False
    reference, _ = command.run("--backend", "tflite", "--mode", "accuracy", *data)
    assert result["accuracy"]["value"] == pytest.approx(reference["accuracy"]["value"], abs=0.01)
    assert result["accuracy"]["value"] > 0.9


@pytest.mark.slow
def test_a_run_without_python(command, some_clothes):
    """The native runner's result: the accuracy and the placement of the Python worker's, and it counts as little."""
    runner = pytest.importorskip("mlperf_mobile_runner")
    try:
        runner.binary(os.uname().machine)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    data = ("--data-path", some_clothes, "--set", "min_query_count=64")
    result, done = command.run(*data, "--runner", "native")
    assert (result["status"], done.returncode) == ("completed", 1), result["error"]
    assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["real-hardware"]
    assert "never speed" in result["functional_only"]
    assert result["runtime"] == "NNAPI stand-in feature level 8"
    assert result["versions"]["stand-in-npu"] == "stand-in 1"
    assert not list(Path(result["directory"]).rglob("*.nnapi"))
    python, _ = command.run("--mode", "accuracy", *data)
    assert result["placement"] == python["placement"]
    for key in ("metric", "value", "details", "samples"):
        assert result["accuracy"][key] == python["accuracy"][key]


def test_the_probe_lists_devices(command):
    listed, _ = command.json("list-backends", "--probe", env={"LD_LIBRARY_PATH": str(command.library.parent)})
    (told,) = [each for each in listed["backends"] if each["name"] == "nnapi"]
    assert told["usable"]
    assert "npu" in told["accelerators"]


MISBEHAVIOURS = {
    "Compilation_finish=crash": ("worker-died", "SIGSEGV"),
    "Compilation_finish=exit": ("worker-died", "exited with 3"),
    "Compilation_finish=hang": ("compile-timeout", "2 s"),
    "Execution_burstCompute@20=crash": ("worker-died", "SIGSEGV"),
    "Execution_burstCompute@20=exit": ("worker-died", "the worker died"),  # how, is a race with Python's own end
    "Execution_burstCompute@20=hang": ("worker-silent", "sent nothing"),
    "Execution_burstCompute@20=DEAD_OBJECT": ("device-lost", "DEAD_OBJECT"),
    "Compilation_createForDevices=UNAVAILABLE_DEVICE": ("device-busy", "UNAVAILABLE_DEVICE"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("fault", "expected"), MISBEHAVIOURS.items(), ids=MISBEHAVIOURS)
def test_a_driver_that_fails(command, fault, expected):
    """The result says so."""
    hangs = {"Compilation_finish=hang": "compile_timeout_s=2", "Execution_burstCompute@20=hang": "silence_timeout_s=5"}
    settings = ("--set", hangs[fault]) if fault in hangs else ()
    result, done = command.run(*SHORT, *settings, env={"NN_STAND_IN_FAIL": f"ANeuralNetworks{fault}"})
    expected_code, told = expected
    assert result["status"] == "failed"
    assert done.returncode > 1
    assert result["error"]["code"] == expected_code
    assert told in result["error"]["summary"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("symbol", ["Compilation_finish", "Execution_burstCompute@5"])
@pytest.mark.parametrize("fault", ["close-stdout", "threads", "leak"])
def test_a_driver_that_makes_a_mess(command, symbol, fault):
    """What it does to its own process harms nobody."""
    result, _ = command.run(*SHORT, env={"NN_STAND_IN_FAIL": f"ANeuralNetworks{symbol}={fault}"})
    assert result["status"] == "completed", result["error"]
    assert result["performance"]["samples"] >= 32


@pytest.mark.nightly
def test_a_run_in_parts(command):
    """It is refused as long as everything must run on the NPU."""
    fault = {"NN_STAND_IN_UNSUPPORTED": "DEPTHWISE_CONV_2D"}
    result, _ = command.run(env=fault)
    assert result["error"]["code"] == "unsupported-operations"
    assert "DEPTHWISE_CONV_2D" in result["error"]["summary"]
    result, _ = command.run("--set", "partial=true", env=fault)
    assert result["error"]["code"] == "placement-fallback"
    result, _ = command.run(*SHORT, "--set", "partial=true", "--set", "strict_placement=false", env=fault)
    assert result["status"] == "completed", result["error"]
    assert result["placement"]["names"]["cpu"] == {"DEPTHWISE_CONV_2D": 5}


def test_what_is_kept_is_found_or_made_anew(command):
    """The core keeps what the driver compiled, and notices when it is damaged."""
    found = []
    for damaged in (False, False, True):
        if damaged:
            (kept,) = command.folder.glob("cache/**/files/driver/*")
            kept.write_bytes(kept.read_bytes()[:100])
        result, _ = command.run(*SHORT)
        assert result["status"] == "completed", result["error"]
        compiled = result["compiled"]["npu"]
        found.append((compiled["cached"], compiled["note"].partition(",")[0]))
    assert found == [(False, ""), (True, ""), (False, "compiled again")]


@pytest.mark.nightly
def test_a_compilation_that_takes_its_time(command):
    """It is waited for, told in the result, and needed once."""
    slow = {"NN_STAND_IN_COMPILE_MS": "1500"}
    seconds = [command.run(*SHORT, env=slow)[0]["compiled"]["npu"]["seconds"] for _ in range(2)]
    assert seconds[0] >= 1.5
    assert seconds[1] < 1.5
    result, _ = command.run(*SHORT, "--set", "compile_timeout_s=0.5", "--set", "preference=low_power", env=slow)
    assert result["error"]["code"] == "compile-timeout"
