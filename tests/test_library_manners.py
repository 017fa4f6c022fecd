"""What a library does to the process that it is in does not reach the run's files, its events or the machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mlperf_mobile.launch.process import end_abandoned

PLUGIN = """
    from mlperf_mobile.plugin import BackendInfo, Ref, hookimpl

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(name="rude", summary="", vendor="", backend=Ref("rude_parts:B"), model_formats=("toy",),
                          accelerators=("cpu",), options=Ref("toy_parts:BackendOptions"), hook_api=(2, 0))
"""
PARTS = """
import ctypes, os, signal, sys, time
from toy_parts import ToyBackend, ToySession

class Rude(ToySession):
    count = 0

    def run(self, inputs):
        Rude.count += 1
        misdeed(Rude.count)
        return super().run(inputs)

class B(ToyBackend):
    def load(self, artifact):
        at_load()
        loaded = super().load(artifact)
        loaded.__class__ = Rude
        return loaded

def at_load():
    pass

def misdeed(count):
    pass

"""


@pytest.fixture
def rude(command, write_plugin):
    """Runs the toy with code of its own, which may define ``at_load`` and ``misdeed``: the result, and the process."""

    def run(code, *arguments):
        write_plugin("rude", PLUGIN, files={"rude_parts.py": PARTS + code})
        told, done = command.json(
            "run", "product", "--backend", "rude", "--quiet", "--mode", "performance", "--set", "warmup_s=0.05",
            "--set", "min_duration_s=0.5", "--set", "min_query_count=64", "--set", "sleep_s=0.002", *arguments,
        )  # fmt: skip
        (result,) = told["results"]
        assert command.leftovers() == [result["run_id"]]
        return result, done

    return run


def events_of(result):
    text = (Path(result["directory"]) / "events.jsonl").read_text()
    return [json.loads(line)["event"] for line in text.splitlines()]


def test_closing_standard_streams_at_every_call(rude):
    """No file of ours takes their numbers, and is closed with them."""
    result, done = rude(
        "def misdeed(count):\n    for fd in (0, 1, 2):\n        try: os.close(fd)\n        except OSError: pass\n"
    )
    assert (done.returncode, result["valid"]) == (0, True), result["error"]
    saved = (Path(result["directory"]) / "latencies.bin").stat().st_size // 8
    assert saved == result["performance"]["samples"]


def test_closing_the_channel(rude):
    """It is told as that, not as a signal of ours, and the latencies up to then are kept."""
    code = "def misdeed(count):\n    if count == 150: os.closerange(60, 200)\n"
    result, done = rude(code, "--set", "min_duration_s=30")
    assert (done.returncode, result["error"]["code"]) == (7, "worker-died")
    assert "closed its event channel" in result["error"]["summary"]
    assert result["performance"]["samples"] > 0


def test_a_worker_that_lives_on_after_closing_its_channel(rude):
    """It is ended here, and that is no death by SIGKILL."""
    code = """
def misdeed(count):
    if count == 150:
        os.closerange(60, 200)
        ctypes.PyDLL(None).sleep(3600)
"""
    result, done = rude(code, "--set", "min_duration_s=30")
    assert (done.returncode, "SIGKILL" in result["error"]["summary"]) == (7, False)
    assert "closed its event channel" in result["error"]["summary"]


def test_a_child_that_goes_on_as_if_it_were_the_worker(rude):
    """What it says does not count, and it ends nothing."""
    code = "def at_load():\n    if os.fork() == 0:\n        raise RuntimeError('the child')\n"
    result, done = rude(code)
    assert (done.returncode, result["valid"]) == (0, True), result["error"]
    assert [name for name in events_of(result) if name in ("failed", "ended", "concluded")] == ["ended", "concluded"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="orphans are found on Linux")
def test_a_daemon_ends_with_the_worker(rude, tmp_path):
    code = f"""
def at_load():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open({str(tmp_path / "pid")!r}, "w") as file:
                file.write(str(os.getpid()))
            time.sleep(3600)
        os._exit(0)
    os.wait()
    while not os.path.exists({str(tmp_path / "pid")!r}):
        time.sleep(0.01)
"""
    result, done = rude(code)
    assert (done.returncode, result["valid"]) == (0, True), result["error"]
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a daemon is found by its environment on Linux")
def test_what_a_killed_command_left_running_ends_with_its_recovery():
    """A process that shows the run's mark belongs to it; others are left alone."""
    run = "20300101T000000-x-single-stream-0a1b2c3d"
    marked, other = (
        subprocess.Popen(["sleep", "60"], env={"_MLPERF_MOBILE_RUN": mark, "PATH": os.environ["PATH"]})
        for mark in (run, run + "0")
    )
    try:
        end_abandoned(2**22 + 1, 1.0, run)
        assert not psutil.pid_exists(marked.pid)
        assert other.poll() is None
    finally:
        for process in (marked, other):
            process.kill()
            process.wait()


def test_umask_and_working_directory(rude):
    """Files have the modes that the user's umask gives."""
    code = "def at_load():\n    os.umask(0o777)\n    os.chdir('/')\n"
    code += "def misdeed(count):\n    os.umask(0o777)\n    os.chdir('/')\n"
    before = os.umask(0o027)
    try:
        result, done = rude(code)
    finally:
        os.umask(before)
    assert (done.returncode, result["valid"]) == (0, True), result["error"]
    folder = Path(result["directory"])
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640), path


def test_floods_of_output(rude):
    """The log's beginning and end are kept, and a line says what is missing."""
    code = """
def at_load():
    os.write(1, b"the first words\\n")
    for _ in range(200):
        os.write(1, b"x" * 65535 + b"\\n")
    os.write(2, b"the last words\\n")
"""
    result, done = rude(code)
    assert (done.returncode, result["valid"]) == (0, True), result["error"]
    log = (Path(result["directory"]) / "worker.log").read_bytes()
    assert len(log) <= 2 * (1 << 20) + 4096
    assert log.startswith(b"the first words\n")
    assert b"the last words\n" in log[-4096:]
    (note,) = [line for line in log.splitlines() if b"left out" in line]
    kept = len(log) - len(note) - 2
    assert int(note.split()[1]) + kept == 200 * 65536 + len(b"the first words\nthe last words\n")
