"""A worker or driver that is cancelled is heard until it has ended: it may have files to copy and a device to clean."""

from __future__ import annotations

import os
import signal
import threading
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
control = open(0, "rb", buffering=0)  # the cancellation may have come with the plan: select does not see a buffer
line = b'{"event": "phase", "name": "load"}\\n'
control.readline()
FIRST
while not select.select([0], [], [], 0)[0]:
    IDLE
assert control.readline() == b"cancel\\n"
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

    def run(first, idle, after, listen=lambda event: None, silence_s=60.0, device="adb:one"):
        code = DRIVER.replace("FIRST", first).replace("IDLE", idle).replace("AFTER", after)
        (tmp_path / "stand_in_driver.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(local, "driver_of", lambda plan: "stand_in_driver")
        plan = SimpleNamespace(run_id="one", to_json=dict, silence_timeout_s=silence_s, backend="acme", device=device)
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


@pytest.mark.parametrize("silence_s", [0.0, 0.1])  # cancelled before it reads its plan, or after
def test_a_silent_driver_comes_to_its_end(runs, tmp_path, silence_s):
    run, heard = runs
    status, error = run("", WAITS, ENDS, silence_s=silence_s)
    assert (status, error.code) == (Status.FAILED, "worker-silent")
    assert (tmp_path / "cleaned").exists()
    assert len(heard) == 5001


@pytest.mark.parametrize("silence_s", [0.0, 0.1])
def test_a_driver_comes_to_its_end_if_it_is_interrupted_when_it_is_cancelled(runs, tmp_path, silence_s):
    run, _ = runs
    listen = Interrupting()
    status, _ = run("", WAITS, ENDS, listen, silence_s=silence_s)
    assert status is Status.INTERRUPTED
    assert (tmp_path / "cleaned").exists()
    assert listen.events > 1000


@pytest.mark.parametrize(("device", "code"), [("adb:one", "device-lost"), (None, "interrupted")])
@pytest.mark.parametrize("after", ["while True: os.write(pipe, line)", "while True: time.sleep(1)"])
def test_a_driver_that_does_not_obey_is_ended(runs, monkeypatch, after, device, code):
    """Its run may go on on the device, so that it can be taken up."""
    monkeypatch.setattr("mlperf_mobile.launch.process.DRIVER_GRACE_S", 0.3)
    run, _ = runs
    status, error = run(SENDS, WAITS, after, Interrupting(), device=device)
    assert (status, error.code, error.exit_code) == (Status.INTERRUPTED, code, 130)
    assert ("mlperf-mobile attach" in error.hint) is (device is not None)


REACHED = events.Measured(part="device", value={"address": "adb:one"}).model_dump_json().encode()


@pytest.mark.parametrize("interrupted", [True, False])
@pytest.mark.parametrize(
    ("end", "cause"), [("os.kill(os.getpid(), 9)", "killed by SIGKILL"), ("sys.exit(1)", "it exited with 1 without")]
)
def test_a_driver_that_dies_has_left_its_run_on_the_device(runs, end, cause, interrupted):
    """Whatever ended it: the run can be taken up."""
    run, _ = runs
    first = f"os.write(pipe, {REACHED!r} + b'\\n'); {WAITS if interrupted else 'pass'}; {end}"
    listen = Interrupting() if interrupted else lambda event: None
    status, error = run(first, WAITS, ENDS, listen)
    assert (status, error.code) == (Status.INTERRUPTED if interrupted else Status.FAILED, "device-lost")
    assert f"the process that followed the run on adb:one died: {cause}" in error.summary
    assert error.exit_code == (130 if interrupted else 9)
    assert "mlperf-mobile attach" in error.hint


def test_a_driver_that_dies_before_it_reaches_the_device_leaves_nothing_there(runs):
    run, _ = runs
    status, error = run("sys.exit(1)", WAITS, ENDS)
    assert (status, error.code, error.exit_code) == (Status.FAILED, "worker-died", 7)


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_device_that_is_lost_while_its_run_is_cancelled(runs, interrupted):
    run, _ = runs
    lost = events.Failed(code="device-lost", summary="out of reach", hint="attach", exit_code=9).model_dump_json()
    listen = Interrupting() if interrupted else lambda event: None
    after = f"os.write(pipe, {lost.encode()!r} + b'\\n'); sys.exit(9)"
    status, error = run(SENDS, WAITS, after, listen, silence_s=60 if interrupted else 0.5)
    assert (status, error.code) == (Status.INTERRUPTED if interrupted else Status.FAILED, "device-lost")
    assert error.summary == ("stopped by the user; out of reach" if interrupted else "out of reach")
    assert error.exit_code == (130 if interrupted else 9)


class TestIncoming:
    @pytest.fixture
    def pipe(self):
        read, write = os.pipe()
        with local.Incoming(read) as incoming:
            yield incoming, write
        os.close(write)

    def test_a_signal_waits_until_a_line_is_handled_and_loses_no_other(self, pipe):
        incoming, write = pipe
        os.write(write, b"one\ntwo\nthr")
        handled = []
        with Interrupts() as interrupts:
            with pytest.raises(KeyboardInterrupt):
                for line in incoming.lines(lambda: 60.0, lambda: False, interrupts):
                    if not handled:
                        signal.raise_signal(signal.SIGINT)
                    handled.append(line)
            assert handled == [b"one", b"two"]
            os.write(write, b"ee\nfour\n")
            assert list(incoming.lines(lambda: 0.0, lambda: True, interrupts)) == [b"three", b"four"]

    def test_a_signal_while_waiting_is_raised_at_once(self, pipe):
        incoming, write = pipe
        with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            for _ in incoming.lines(lambda: 60.0, lambda: False, interrupts):
                os.write(write, b"")

    def test_a_signal_is_not_forgotten_if_nobody_waits_any_more(self, pipe):
        incoming, write = pipe
        os.write(write, b"one\n")
        with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
            for _ in incoming.lines(lambda: 60.0, lambda: False, interrupts):
                signal.raise_signal(signal.SIGINT)
                break
            interrupts.hold()
            held = True
        assert held
