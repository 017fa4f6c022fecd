"""A board is set up with wheels of what is installed here, and then runs as this machine does."""

from __future__ import annotations

import shutil
import zipfile
from importlib import metadata

import pytest

from mlperf_mobile_devices import wheels
from mlperf_mobile_devices.setup import Board as Found
from mlperf_mobile_devices.testing import StandInBoard, set_up

NEEDED = {"commands", "core", "devices", "fetch", "question-answering", "telemetry", "tflite"}


@pytest.fixture
def board(processes, few_facts, tmp_path):
    """A stand-in for a board, and a command with the plugins of one task: the board gets what is not left out."""
    others = {entry.name for entry in metadata.entry_points(group="mlperf_mobile")} - NEEDED
    env = {"MLPERF_MOBILE_DATA_PATH": str(few_facts), "MLPERF_MOBILE_BLOCK": ",".join(sorted(others))}
    found = StandInBoard(tmp_path, "python", env=env)
    set_up(found.root)
    return found


@pytest.mark.nightly
@pytest.mark.long
def test_a_board_is_set_up_and_runs(board):
    shutil.rmtree(board.root / "env")
    result, done = board.run("question_answering", "--rules", "rapid")
    assert (done.returncode, result["error"]["code"]) == (9, "device-setup")
    assert f"mlperf-mobile devices setup {board.address}" in result["error"]["hint"]
    assert board.runs == []
    listed, _ = board.command.json("devices", board.address)
    (runner,) = [each for each in listed["devices"][0]["runners"] if each["runner"] == "python"]
    assert (runner["usable"], runner["reason"]) == (False, "it is not set up")

    done, process = board.command.json("devices", "setup", board.address, timeout=1200)
    assert process.returncode == 0, process.stderr
    (record,) = done["devices"]
    assert f"numpy=={metadata.version('numpy')}" in record["installed"]
    assert record["pushed_bytes"] > 10**7
    assert (board.root / "env" / "bin" / "python").exists()
    again, _ = board.command.json("devices", "setup", board.address, timeout=1200)
    assert again["devices"][0]["installed"] == []
    listed, _ = board.command.json("devices", board.address)
    python = [each for each in listed["devices"][0]["runners"] if each["runner"] == "python"]
    assert python == [{"runner": "python", "usable": True, "reason": "", "fix": ""}]

    result, done = board.run("question_answering", "--rules", "rapid", "--set", "min_duration_s=0.3")
    assert done.returncode == 0, done.stderr
    assert result["valid"] is True

    (source,) = (board.root / "env").glob("lib/python3*/site-packages/mlperf_mobile/plan.py")
    source.write_text(source.read_text() + "\n")
    result, done = board.run("question_answering", "--rules", "rapid")
    assert (done.returncode, result["error"]["code"]) == (9, "device-setup")
    assert "other sources of mlperf-mobile" in result["error"]["summary"]


def test_a_repacked_wheel_has_the_installed_files(tmp_path):
    distribution = metadata.distribution("numpy")
    wheel = wheels.repacked(distribution, tmp_path)
    assert wheel.name.startswith(f"numpy-{distribution.version}-cp")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        place = distribution.locate_file("numpy/__init__.py")
        assert archive.read("numpy/__init__.py") == place.read_bytes()
        record = archive.read(f"numpy-{distribution.version}.dist-info/RECORD").decode().splitlines()
    assert len(record) == len(names)
    assert not [name for name in names if name.startswith("..") or name.endswith(".pyc")]
    first = wheel.read_bytes()
    assert wheels.repacked(distribution, tmp_path).read_bytes() == first


def test_what_runs_need():
    found = wheels.for_runs()
    assert {"mlperf-mobile", "numpy", "mlcommons-loadgen", "mlperf-mobile-task-question-answering"} <= set(found)
    assert not {"pytest", "ruff", "mlperf-mobile-report", "mlperf-mobile-device-adb"} & set(found)


def test_whether_builds_of_this_machine_run_there(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "11", "7"))
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    assert Found("/p", "3.11.2", "x86_64", "glibc-2.36").is_like_this
    assert Found("/p", "3.11.2", "x86_64", "glibc-2.41").is_like_this
    assert not Found("/p", "3.11.2", "x86_64", "glibc-2.31").is_like_this
    assert not Found("/p", "3.12.2", "x86_64", "glibc-2.36").is_like_this
    assert not Found("/p", "3.11.2", "aarch64", "glibc-2.36").is_like_this
    assert not Found("/p", "3.11.2", "x86_64", "").is_like_this
