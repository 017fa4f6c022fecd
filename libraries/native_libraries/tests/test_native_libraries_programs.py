"""Programs run as requested, end in time, and their last output is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlperf_mobile_native_libraries import android, programs
from mlperf_mobile_native_libraries.programs import ProgramExit


@pytest.fixture
def script(tmp_path):
    """``script(text)``: a program of the shell."""

    def script(text: str) -> Path:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        return program

    return script


def test_arguments_are_no_shells(script, tmp_path):
    program = script('printf "%s\\n" "$@"; pwd')
    ended = programs.run([program, "a b", "; touch x", "$HOME", "*"], directory=tmp_path)
    assert ended == ProgramExit(0, f"a b\n; touch x\n$HOME\n*\n{tmp_path}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program"]


def test_the_environment_is_what_is_given(script, tmp_path):
    assert programs.run([script("echo $SOME")], directory=tmp_path, environment={"SOME": "thing"}).output == "thing\n"


def test_it_ends_with_the_group_of_who_runs_it(script, tmp_path):
    """The fifth number of /proc/PID/stat is the process group (proc(5))."""
    ended = programs.run([script("cut -d' ' -f5 /proc/self/stat")], directory=tmp_path)
    assert int(ended.output) == os.getpgrp()


def test_the_end_of_what_is_said_is_kept(script, tmp_path):
    program = script("yes one | head -c 3000000; echo two >&2; echo; printf '\\033[31m\\377 last'; exit 3")
    ended = programs.run([program], directory=tmp_path, most=1000)
    assert ended.code == 3
    assert ended.outcome == "failed with exit code 3"
    assert len(ended.output) <= 1000
    assert ended.last_lines() == "one / two / ?[31m\ufffd last"
    assert ended.last_lines(most=4) == "last"
    assert ProgramExit(1, "").last_lines() == ""


@pytest.mark.parametrize(("code", "how"), [(-11, "died of SIGSEGV"), (-99, "died of signal 99"), (0, "succeeded")])
def test_how_it_ended(code, how):
    assert ProgramExit(code, "").outcome == how


def test_one_that_dies(script, tmp_path):
    assert programs.run([script("kill -SEGV $$")], directory=tmp_path).code == -11


@pytest.mark.slow
def test_one_that_hangs_is_killed_with_what_it_started(script, tmp_path):
    program = script(f"sleep 3600 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run([program], directory=tmp_path, seconds=1)
    child = int((tmp_path / "child").read_text())
    for _ in range(2000):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(child, 9)
    pytest.fail("what the program started is still running")


def test_what_cannot_be_started(tmp_path):
    (tmp_path / "other").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "other").chmod(0o755)
    for command in ([tmp_path / "other"], [tmp_path / "absent"], [sys.executable, "a\0b"]):
        with pytest.raises(OSError):
            programs.run(command, directory=tmp_path)


def test_a_property_of_android(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "getprop"
    for text, told in (('echo "of $1"; echo WARNING >&2', "of ro.product.model\n"), ("echo wrong; exit 1", "")):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        assert android.property_of("ro.product.model") == told
    program.write_bytes(b"\x7fELF of another machine")
    assert android.property_of("ro.product.model") == ""
    monkeypatch.setenv("PATH", "")
    assert android.property_of("ro.product.model") == ""
