"""Runs of the Python worker on a stand-in for a board: same results as here, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1")


def test_a_run_on_a_board(board):
    result, done = board.run("question_answering", *FAST)
    assert done.returncode == 0, done.stderr
    assert result["valid"] is True
    assert (result["device"]["address"], result["device"]["model"]) == (board.address, "stand-in")
    assert result["device"]["more"]["pushed_bytes"] > 0
    assert board.runs == []
    here, _ = board.command.run("question_answering", *FAST)
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    plans = [json.loads((board.command.results / each["run_id"] / "plan.json").read_text()) for each in (result, here)]
    assert plans[0]["model"] == plans[1]["model"]
    for each in (result, here):
        checked, done = board.command.json("check", each["directory"])
        assert done.returncode == 0, checked
    again, _ = board.run("question_answering", *FAST)
    assert again["device"]["more"]["pushed_bytes"] == 0


LONG = ("--rules", "rapid", "--set", "min_duration_s=4", "--set", "warmup_s=0.1")
ENDLESS = ("--set", "min_duration_s=600", "--set", "max_duration_s=1200")
"""For runs that are ended before."""
ROOM = ("--set", "min_duration_s=10")
"""For what has to happen during the timed run: the host looks at the device again only after that time."""


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def started(board, *arguments):
    """The command, and the run's folder on the device, when the worker there reports the timed run."""
    process = board.command.start(
        "run", "question_answering", "--quiet", "--json", "--device", board.address, *LONG, *arguments
    )
    until(lambda: board.runs and b'"performance"' in contents(board.runs[0] / "events.jsonl"))
    return process, board.runs[0]


def contents(path):
    return path.read_bytes() if path.exists() else b""


def ended(folder):
    """Whether no process of a run is left."""
    if not (folder / "pid").exists():
        return True
    leader = (folder / "pid").read_text().strip()
    sessions = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    return not [fields for fields in sessions if fields[3] == leader and fields[0] != "Z"]


def worker_of(folder):
    """The worker's process: the child of the one that waits for its exit code."""
    leader = (folder / "pid").read_text().strip()
    return int(Path(f"/proc/{leader}/task/{leader}/children").read_text().split()[0])


def test_a_killed_command_and_attach(board):
    """The run goes on without the command; what attach stores is complete, and the check of a result accepts it."""
    process, folder = started(board)
    process.kill()
    process.communicate()
    until((folder / "rc").exists)
    assert (folder / "rc").read_text() == "0\n"
    (hidden,) = board.command.results.glob(".*.partial")
    done, attached = board.command.json("attach")
    assert attached.returncode == 0, attached.stderr
    (result,) = done["results"]
    assert (result["valid"], result["run_id"]) == (True, folder.name)
    here, _ = board.command.run("question_answering", "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    checked, process = board.command.json("check", result["directory"])
    assert process.returncode == 0, checked
    assert not hidden.exists()
    assert board.runs == []
    done, attached = board.command.json("attach")
    assert (attached.returncode, done["results"]) == (0, [])


@pytest.mark.nightly
def test_a_device_that_is_lost_and_attach(board):
    process, _ = started(board, *ROOM, "--set", "device_timeout_s=1")
    board.unplugged.touch()
    out, _ = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["error"]["code"]) == (9, "device-lost")
    assert "mlperf-mobile attach" in result["error"]["hint"]
    done, attached = board.command.json("attach", result["directory"])
    assert (attached.returncode, done["errors"][0]["code"]) == (9, "device-lost")
    board.unplugged.unlink()
    done, attached = board.command.json("attach")
    assert attached.returncode == 0, attached.stderr
    (again,) = done["results"]
    assert (again["valid"], again["directory"]) == (True, result["directory"]), (again["error"], again["performance"])
    checked, process = board.command.json("check", result["directory"])
    assert process.returncode == 0, checked
    assert board.runs == []


@pytest.mark.nightly
def test_a_connection_that_is_lost_for_a_while(board):
    process, _ = started(board, *ROOM)
    board.unplugged.touch()
    (hidden,) = board.command.results.glob(".*.partial")
    until(lambda: b"reconnecting to" in contents(hidden / "events.jsonl"))
    board.unplugged.unlink()
    out, error = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["valid"]) == (0, True), error
    assert board.runs == []


def test_an_interrupted_run_ends_on_the_device(board):
    process, folder = started(board, *ENDLESS)
    leader = folder / "pid"
    until(lambda: contents(folder / "latencies.bin"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["status"]) == (130, "interrupted")
    assert result["performance"]["queries"] > 0
    assert board.runs == []
    assert ended(folder) and not leader.exists()


@pytest.mark.nightly
def test_a_timed_run_may_be_longer_than_the_limit_on_silence(board):
    """The device is left alone meanwhile, so nothing is heard from its worker."""
    long = ("--set", "min_duration_s=30", "--set", "silence_timeout_s=20")
    result, done = board.run("question_answering", "--mode", "performance", *FAST, *long)
    assert done.returncode == 0, done.stderr
    assert result["valid"] is True


@pytest.mark.nightly
def test_an_interrupted_run_whose_device_is_out_of_reach_is_taken_up(board):
    process, folder = started(board, *ROOM)
    board.unplugged.touch()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["status"], result["error"]["code"]) == (130, "interrupted", "device-lost")
    assert "mlperf-mobile attach" in result["error"]["hint"]
    board.unplugged.unlink()
    assert board.runs == [folder]
    done, attached = board.command.json("attach")
    assert attached.returncode == 0, attached.stderr
    (again,) = done["results"]
    assert (again["valid"], again["directory"]) == (True, result["directory"])
    assert board.runs == []


@pytest.mark.nightly
def test_an_interrupted_attach_keeps_what_was_measured(board):
    process, folder = started(board, *ENDLESS)
    process.kill()
    process.communicate()
    until(lambda: contents(folder / "latencies.bin"))
    attached = board.command.start("attach", "--json")
    (hidden,) = board.command.results.glob(".*.partial")
    until(lambda: b'"part":"device"' in (contents(hidden / "events.jsonl").split(b'"event":"started"')[2:] or [b""])[0])
    attached.send_signal(signal.SIGINT)
    out, _ = attached.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (attached.returncode, result["status"]) == (130, "interrupted")
    assert result["performance"]["queries"] > 0
    assert board.runs == []


def test_a_worker_that_is_killed(board):
    process, folder = started(board, *ROOM)
    until(lambda: contents(folder / "latencies.bin"))
    os.kill(worker_of(folder), signal.SIGKILL)
    out, _ = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["error"]["code"]) == (7, "worker-died")
    assert "killed by SIGKILL" in result["error"]["summary"]
    assert result["performance"]["queries"] > 0
    assert board.runs == []


@pytest.mark.nightly
def test_a_run_whose_driver_is_killed_is_taken_up(board):
    """As by the out-of-memory killer of this machine."""
    process, folder = started(board, *ROOM)
    until(lambda: contents(folder / "latencies.bin"))
    (hidden,) = board.command.results.glob(".*.partial")
    begun = json.loads(contents(hidden / "events.jsonl").splitlines()[0])
    assert begun["event"] == "started"
    os.kill(begun["pid"], signal.SIGKILL)
    out, _ = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["status"], result["error"]["code"]) == (9, "failed", "device-lost")
    assert "killed by SIGKILL" in result["error"]["summary"]
    assert board.runs == [folder]
    done, attached = board.command.json("attach")
    assert attached.returncode == 0, attached.stderr
    assert done["results"][0]["valid"] is True
    assert board.runs == []


@pytest.mark.nightly
def test_a_worker_that_fails_is_reported_as_here(board):
    wrong = ("--set", "threads=1", "--model", str(board.command.folder / "broken.tflite"))
    (board.command.folder / "broken.tflite").write_bytes(b"\0" * 4096)
    there, _ = board.run("question_answering", *wrong)
    here, _ = board.command.run("question_answering", *wrong)
    assert (there["error"]["code"], there["error"]["exit_code"]) == (here["error"]["code"], here["error"]["exit_code"])
    assert board.runs == []


@pytest.mark.nightly
def test_a_folder_that_is_kept(board):
    result, done = board.run("question_answering", *FAST, "--set", "keep_on_device=true")
    assert done.returncode == 0, done.stderr
    assert [folder.name for folder in board.runs] == [result["run_id"]]
    pruned, _ = board.command.json("devices", "prune", board.address)
    (record,) = pruned["devices"]
    assert (record["removed"], record["removed_runs"]) == ([], [])
    assert record["kept_bytes"] > 0
    seen, _ = board.command.json("devices", "prune", board.address, "--runs", "--dry-run")
    assert seen["devices"][0]["removed_runs"] == [result["run_id"]]
    assert board.runs
    process, _ = started(board, *ENDLESS)
    until(lambda: len(board.runs) == 2 and (board.runs[1] / "pid").exists())
    _, folder = board.runs
    pruned, _ = board.command.json("devices", "prune", board.address, "--runs")
    assert pruned["devices"][0]["removed_runs"] == [result["run_id"]]
    assert board.runs == [folder]  # which goes on
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=240)


def test_one_run_at_a_time(board):
    """A run that another machine began is there; this one is refused."""
    process, folder = started(board, *ENDLESS)
    process.kill()
    process.communicate()
    result, done = board.run("question_answering", *FAST)
    assert (done.returncode, result["error"]["code"]) == (9, "device-busy")
    assert folder.name in result["error"]["summary"]
    os.kill(worker_of(folder), signal.SIGKILL)
    until((folder / "rc").exists)


def test_compiling_takes_place_on_the_device(board):
    done, process = board.command.json("compile", "question_answering", "--device", board.address)
    assert process.returncode == 0, process.stderr
    (model,) = done["models"]
    assert model["error"] is None
    assert model["runtime"].startswith("litert")
    assert board.runs == []
