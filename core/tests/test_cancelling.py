"""A worker or driver that is cancelled is heard until it has ended: it may have files to copy and a device to clean."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile import events
from mlperf_mobile.launch import local
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.results.model import Status

DRIVER = """
import os, select, sys, time
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
pipe, folder = int(arguments["--events-fd"]), arguments["--directory"]
line = b'{"event": "phase", "name": "load"}\\n'
sys.stdin.readline()
FIRST
while not select.select([0], [], [], 0)[0]:
    IDLE
assert sys.stdin.readline() == "cancel\\n"
AFTER
"""
ENDS = """
for _ in range(5000):  # more than a pipe holds
    os.write(pipe, line)
open(f"{folder}/cleaned", "w").close()
sys.exit(130)
"""
SENDS, WAITS = "os.write(pipe, line)", "select.select([0], [], [])"


@pytest.fixture
def runs(monkeypatch, tmp_path, processes):
    """``runs(first, idle, after, listen)``: how a driver with this code ends, and what was heard from it."""
    heard = []

    def run(first, idle, after, listen=lambda event: None, silence_s=60.0):
        code = DRIVER.replace("FIRST", first).replace("IDLE", idle).replace("AFTER", after)
        (tmp_path / "stand_in_driver.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(local, "driver_of", lambda plan: "stand_in_driver")
        plan = SimpleNamespace(run_id="one", to_json=dict, silence_timeout_s=silence_s, backend="acme")
        journal = SimpleNamespace(write=lambda line, essential=True: heard.append(line))
        with Interrupts() as interrupts:
            return local.Run(plan, tmp_path, listen, journal).until_ended(interrupts)

    return run, heard


class Interrupting:
    """Raises ``KeyboardInterrupt`` at the first event, as a signal would."""

    def __init__(self):
        self.events = 0

    def __call__(self, event: events.Event):
        self.events += 1
        if self.events == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("idle", [SENDS, WAITS])
def test_an_interrupted_driver_comes_to_its_end(runs, tmp_path, idle):
    run, heard = runs
    listen = Interrupting()
    status, _ = run(SENDS, idle, ENDS, listen)
    assert status is Status.INTERRUPTED
    assert (tmp_path / "cleaned").exists()
    assert min(listen.events, len(heard)) >= 5001


def test_a_silent_driver_comes_to_its_end(runs, tmp_path):
    run, heard = runs
    status, error = run("", WAITS, ENDS, silence_s=0.1)
    assert (status, error.code) == (Status.FAILED, "worker-silent")
    assert (tmp_path / "cleaned").exists()
    assert len(heard) == 5001


def test_a_driver_comes_to_its_end_if_it_is_interrupted_when_it_is_cancelled(runs, tmp_path):
    run, _ = runs
    listen = Interrupting()
    status, _ = run("", WAITS, ENDS, listen, silence_s=0.1)
    assert status is Status.INTERRUPTED
    assert (tmp_path / "cleaned").exists()
    assert listen.events > 1000


@pytest.mark.parametrize("after", ["while True: os.write(pipe, line)", "while True: time.sleep(1)"])
def test_a_driver_that_does_not_obey_is_ended(runs, monkeypatch, after):
    monkeypatch.setattr("mlperf_mobile.launch.process.DRIVER_GRACE_S", 0.3)
    run, _ = runs
    status, _ = run(SENDS, WAITS, after, Interrupting())
    assert status is Status.INTERRUPTED
