"""The installed command on the stand-in, and on one that misbehaves."""

from __future__ import annotations

import pytest

SHORT = ("--mode", "performance", "--set", "min_query_count=32")


@pytest.mark.slow
def test_a_run_on_the_npu(command, some_clothes):
    """It computes the right classes, says where, and counts for nothing."""
    data = ("--data-path", some_clothes)
    result, done = command.run(*data)
    assert result["status"] == "completed", result["error"]
    assert "Neuron adapter stand-in" in result["runtime"]
    assert set(result["placement"]["operations"]) == {"npu"}
    assert sum(result["placement"]["operations"].values()) > 5
    assert result["valid"] is False
    assert done.returncode == 1
    reference, _ = command.run("--backend", "tflite", "--mode", "accuracy", *data)
    assert result["accuracy"]["value"] == pytest.approx(reference["accuracy"]["value"], abs=0.01)


@pytest.mark.nightly
@pytest.mark.long
def test_compiled_once(command):
    """The second run takes the network from the cache, and a damaged one is compiled again."""
    for _ in range(2):
        result, _ = command.run(*SHORT)
        assert result["status"] == "completed", result["error"]
    (network,) = (command.folder / "cache").rglob("network.bin")
    before = network.read_bytes()
    network.write_bytes(before[:-1] + b"?")
    result, _ = command.run(*SHORT)
    assert result["status"] == "completed", result["error"]
    (network,) = (command.folder / "cache").rglob("network.bin")
    assert network.read_bytes() == before


def test_the_probe_lists_devices(command):
    listed, _ = command.json("list-backends", "--probe")
    (told,) = [each for each in listed["backends"] if each["name"] == "neuron"]
    assert told["usable"]
    assert told["accelerators"][0] == "npu"


def test_without_a_library(command, tmp_path):
    """It is listed with a reason and a remedy."""
    listed, _ = command.json("list-backends", env={"LD_LIBRARY_PATH": str(tmp_path / "none")})
    (told,) = [each for each in listed["backends"] if each["name"] == "neuron"]
    assert not told["usable"]
    assert "libneuron_adapter.so" in told["reason"]
    assert "LD_LIBRARY_PATH" in told["fix"]


def test_a_dla_file(command, dla, double):
    """It is a format that the backend takes, and what does not fit the task is told."""
    arguments = ("--model", dla, "--set", f"tensors_from={double}", *SHORT)
    result, done = command.run(*arguments)
    assert done.returncode == 3
    assert "float32[1,4]" in result["error"]["summary"]


def test_a_library_that_is_named(command, tmp_path):
    """The option meets the need, where no loader would find it."""
    named = f"adapter={command.libraries / 'libneuron_adapter.so'}"
    result, _ = command.run(*SHORT, "--set", named, env={"LD_LIBRARY_PATH": str(tmp_path / "none")})
    assert result["status"] == "completed", result["error"]


MISBEHAVIOURS = {  # results by number, as each stand-in has names of its own
    "NeuronCompilation_finish=crash": ("worker-died", "SIGSEGV"),
    "NeuronCompilation_finish=exit": ("worker-died", "exited with 3"),
    "NeuronCompilation_finish=hang": ("compile-timeout", "longer than 2 s"),
    "NeuronModel_restoreFromCompiledNetwork=crash": ("worker-died", "SIGSEGV"),
    "NeuronExecution_compute@20=crash": ("worker-died", "SIGSEGV"),
    "NeuronExecution_compute@20=exit": ("worker-died", "the worker died"),  # how, is a race with the other threads
    "NeuronExecution_compute@20=hang": ("worker-silent", "sent nothing"),
    "NeuronExecution_compute@20=15": ("device-lost", "DEAD_OBJECT"),
    "NeuronCompilation_createForDevices=10": ("device-busy", "UNAVAILABLE_DEVICE"),
}


@pytest.mark.sampled(8)
@pytest.mark.slow
@pytest.mark.parametrize(("fault", "expected"), MISBEHAVIOURS.items(), ids=MISBEHAVIOURS)
def test_a_library_that_fails(command, fault, expected):
    """The result says so, and the next run works."""
    hangs = {
        "NeuronCompilation_finish=hang": "compile_timeout_s=2",
        "NeuronExecution_compute@20=hang": "silence_timeout_s=5",
    }
    settings = ("--set", hangs[fault]) if fault in hangs else ()
    result, done = command.run(*SHORT, *settings, env={"NN_STAND_IN_FAIL": fault})
    expected_code, told = expected
    assert result["status"] == "failed"
    assert done.returncode > 1
    assert result["error"]["code"] == expected_code
    assert told in result["error"]["summary"]
    result, _ = command.run(*SHORT)
    assert result["status"] == "completed", result["error"]


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["close-stdout", "threads", "leak"])
def test_a_library_that_makes_a_mess(command, fault):
    """What it does to its own process harms nobody."""
    faults = f"NeuronCompilation_finish={fault},NeuronExecution_compute@5={fault}"
    result, _ = command.run(*SHORT, env={"NN_STAND_IN_FAIL": faults})
    assert result["status"] == "completed", result["error"]
    assert result["valid"] is False


@pytest.mark.nightly
@pytest.mark.slow
def test_no_other_backend_is_affected(command):
    crashes = {"NN_STAND_IN_FAIL": "Neuron_getVersion=crash"}
    result, _ = command.run("--backend", "tflite", "--mode", "accuracy", env=crashes)
    assert result["status"] == "completed", result["error"]
