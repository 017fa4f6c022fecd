"""The program for aarch64, under an emulator: it measures nothing there, but its files and events must be the same."""

import json
import platform
import subprocess
from pathlib import Path

import pytest

SYSROOT = Path("/usr/aarch64-linux-gnu")


@pytest.fixture
def emulated(arm_program, needed):
    """The command that runs the program for aarch64."""
    if platform.machine() == "aarch64":
        return [arm_program]
    emulator = needed("qemu-aarch64")
    if not SYSROOT.is_dir():
        pytest.skip(f"there is no C library in {SYSROOT} (package libc6-arm64-cross)")
    return [emulator, "-L", SYSROOT, arm_program]


def test_version_names_the_machine(emulated):
    found = json.loads(subprocess.run([*emulated, "--version"], check=True, capture_output=True).stdout)

    assert found["abi"] == "aarch64"


def test_answers_are_those_of_this_machine(case, emulated):
    here = case(performance=None).run()
    made = case(command=emulated)
    made.plan["performance"]["settings"]["min_duration_ms"] = 1
    there = made.run()

    assert there.returncode == 0, there.events
    assert there.ended
    assert "Result is : " in there.summary()
    assert there.outputs() == here.outputs()
    assert there.accuracy_log() == here.accuracy_log()
    assert len(there.latencies()) == there.part("runner_performance")["samples"]
    assert there.part("runner")["machine"] == "aarch64"


def test_failure_is_reported_there_too(case, emulated):
    outcome = case(command=emulated, options={"fail_at": 30}).run()

    assert outcome.returncode == 5
    assert outcome.failure["code"] == "backend-failed"
