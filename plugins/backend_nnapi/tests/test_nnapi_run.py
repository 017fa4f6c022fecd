"""The installed command on the stand-in, and on one that misbehaves."""

from __future__ import annotations

import json

import pytest


def test_a_run_on_the_npu(command):
    """It computes the right classes, says where, and counts for nothing."""
    result, code = command.run()
    assert result["status"] == "completed", result["error"]
    assert "stand-in" in result["runtime"]
    assert set(result["placement"]["operations"]) == {"npu"}
    assert sum(result["placement"]["operations"].values()) > 5
    assert result["valid"] is False
    assert code == 1
    reference, _ = command.run("--backend", "tflite", "--mode", "accuracy")
    assert result["accuracy"]["value"] == pytest.approx(reference["accuracy"]["value"], abs=0.01)


def test_the_probe_tells_devices(command):
    done = command("list-backends", "--probe", "--json", LD_LIBRARY_PATH=str(command.library.parent))
    (told,) = [each for each in json.loads(done.stdout)["backends"] if each["name"] == "nnapi"]
    assert told["usable"]
    assert "npu" in told["accelerators"]


MISBEHAVIOURS = {
    "Compilation_finish=crash": ("worker-died", "SIGSEGV"),
    "Compilation_finish=exit": ("worker-died", "exited with 3"),
    "Compilation_finish=hang": ("", ""),
    "Execution_burstCompute@20=crash": ("worker-died", "SIGSEGV"),
    "Execution_burstCompute@20=exit": ("worker-died", "exited with 3"),
    "Execution_burstCompute@20=hang": ("worker-silent", "said nothing"),
    "Execution_burstCompute@20=DEAD_OBJECT": ("device-lost", "DEAD_OBJECT"),
    "Compilation_createForDevices=UNAVAILABLE_DEVICE": ("device-busy", "UNAVAILABLE_DEVICE"),
}


@pytest.mark.parametrize(("fault", "expected"), MISBEHAVIOURS.items(), ids=MISBEHAVIOURS)
def test_a_driver_that_fails(command, fault, expected):
    """The result says so, and the next run works."""
    settings = ("--set", "silence_timeout_s=2", "--set", "compile_timeout_s=2")
    result, code = command.run(*settings, NN_STAND_IN_FAIL=f"ANeuralNetworks{fault}")
    expected_code, told = expected
    assert result["status"] == "failed"
    assert code > 1
    assert result["error"]["code"] == expected_code
    assert told in result["error"]["summary"]


@pytest.mark.parametrize("fault", ["close-stdout", "threads", "leak"])
def test_a_driver_that_makes_a_mess(command, fault):
    """What it does to its own process harms nobody."""
    faults = f"ANeuralNetworksCompilation_finish={fault},ANeuralNetworksExecution_burstCompute@5={fault}"
    result, _ = command.run(NN_STAND_IN_FAIL=faults)
    assert result["status"] == "completed", result["error"]
    assert result["accuracy"]["value"] > 0.3


def test_a_run_in_parts(command):
    """It is refused as long as everything must run on the NPU."""
    fault = {"NN_STAND_IN_UNSUPPORTED": "DEPTHWISE_CONV_2D"}
    result, _ = command.run(**fault)
    assert result["error"]["code"] == "unsupported-operations"
    assert "DEPTHWISE_CONV_2D" in result["error"]["summary"]
    result, _ = command.run("--set", "partial=true", **fault)
    assert result["error"]["code"] == "placement-fallback"
    result, _ = command.run("--set", "partial=true", "--set", "strict_placement=false", **fault)
    assert result["status"] == "completed", result["error"]
    assert result["placement"]["names"]["cpu"] == {"DEPTHWISE_CONV_2D": 5}
