"""Runs without Python: the results are those of the Python worker, here and on a device; here with the stand-in."""

from __future__ import annotations

import json
import re
import signal
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlperf_mobile import loadgen
from mlperf_mobile.results import latencies
from mlperf_mobile_native_runner.runner_plan import WAITING

FAST = ("--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1")
TASK = "question_answering"
NATIVE = ("--runner", "native")


def until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def settings_of(folder):
    """LoadGen's settings, except those that follow from the latency measured in the warm-up."""
    details = loadgen.read_details(Path(folder) / "performance" / loadgen.DETAIL_LOG)
    return {
        key: value
        for key, value in details.items()
        if key.startswith(("requested_", "effective_")) and not re.search("expected|target_latency|target_dur|qps", key)
    }


def test_a_run_here(here, few_facts):
    data = ("--data-path", few_facts)
    result, done = here.run(TASK, *data, *FAST, *NATIVE)
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["runner"], result["device"]) == (True, "native", None)
    assert result["performance"]["timed_region"] == "inference"
    assert result["performance"]["latency_ns"].keys() >= {"p50", "p90", "target_percentile"}
    assert result["accuracy"]["logged"] == "digests"
    folder = Path(result["directory"])
    assert len(latencies.read(folder / latencies.FILE)) == result["performance"]["samples"]
    assert not (folder / "work").exists() and not list(folder.glob(".*"))
    python, _ = here.run(TASK, *data, *FAST)
    assert python["performance"]["timed_region"] == "inference and decoding"
    for key in ("metric", "value", "details", "samples", "target", "passed"):
        assert result["accuracy"][key] == python["accuracy"][key]
    assert settings_of(folder) == settings_of(python["directory"])
    checked, done = here.json("check", folder)
    assert done.returncode == 0, checked["findings"]
    scored, done = here.json("score", folder)
    assert (done.returncode, scored["accuracy"]["value"]) == (0, result["accuracy"]["value"])
    compared, _ = here.json("compare", folder, python["directory"])
    assert any("timed_region" in text for text in compared["warnings"])
    assert "timed_region" in {each["name"] for each in compared["differences"]}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("task", ["image_classification", "object_detection", "semantic_segmentation",
                                  "super_resolution"])  # fmt: skip
def test_the_accuracy_of_every_task_is_the_worker_s(here, some_clothes, task):
    words = ("--mode", "accuracy", *(("--data-path", some_clothes) if task == "image_classification" else ()))
    native, done = here.run(task, *words, *NATIVE)
    assert done.returncode in (0, 1), done.stderr
    python, _ = here.run(task, *words)
    for key in ("metric", "value", "details", "samples"):
        assert native["accuracy"][key] == python["accuracy"][key]


@pytest.mark.nightly
def test_offline(here):
    result, done = here.run(TASK, *NATIVE, "--scenario", "offline", "--rules", "rapid", "--mode", "performance")
    assert done.returncode == 0, done.stderr
    (share,) = result["performance"]["accelerators"].values()
    assert share["samples"] == result["performance"]["samples"]
    checked, done = here.json("check", result["directory"])
    assert done.returncode == 0, checked["findings"]


def test_a_run_on_a_device(board):
    result, done = board.run(TASK, *FAST)
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["runner"], result["device"]["address"]) == (True, "native", board.address)
    assert result["device"]["more"]["pushed_bytes"] > 0
    assert board.runs == []
    checked, done = board.command.json("check", result["directory"])
    assert done.returncode == 0, checked["findings"]
    plan = json.loads((Path(result["directory"]) / "given-plan.json").read_text())
    assert plan["model"].startswith(f"{board.root}/store/")
    again, _ = board.run(TASK, *FAST)
    assert again["device"]["more"]["pushed_bytes"] == 0
    here, _ = board.command.run(TASK, "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]


def started(board, *arguments, when="performance", env=None):
    """The command, and the run's folder on the device, when the runner there reports the timed run."""
    process = board.command.start(
        "run", TASK, "--quiet", "--json", "--device", board.address, "--rules", "rapid",
        "--set", "min_duration_s=4", "--set", "warmup_s=0.1", *arguments,
        env={"STAND_IN_PAUSE_S": "0.01"} | (env or {}),
    )  # fmt: skip
    until(lambda: board.runs and when in contents(board.runs[0] / "events.jsonl"))
    return process, board.runs[0]


def contents(path):
    return path.read_text() if path.exists() else ""


def test_a_killed_command_and_attach(board):
    process, folder = started(board)
    process.kill()
    process.communicate()
    until((folder / "rc").exists)
    done, attached = board.command.json("attach")
    assert attached.returncode == 0, attached.stderr
    (result,) = done["results"]
    assert (result["valid"], result["run_id"]) == (True, folder.name)
    checked, process = board.command.json("check", result["directory"])
    assert process.returncode == 0, checked["findings"]
    assert board.runs == []


STREAMED = {"STAND_IN_CHUNK_BYTES": "1500"}


def test_a_large_data_set_is_streamed(board):
    """Storage on the device stays bounded; the files of samples and outputs go."""
    process, folder = started(board, "--mode", "accuracy", when='"chunk"', env=STREAMED)
    most = {"samples": 0, "outputs": 0}
    while process.poll() is None:
        for name, before in most.items():
            with suppress(OSError):
                most[name] = max(before, len([*(folder / "work" / name).iterdir()]))
        time.sleep(0.01)
    out, error = process.communicate()
    (result,) = json.loads(out)["results"]
    assert process.returncode == 0, error
    plan = json.loads((Path(result["directory"]) / "given-plan.json").read_text())
    assert plan["accuracy"]["wait"] and len(plan["accuracy"]["chunks"]) > 2 * WAITING
    assert 0 < most["samples"] <= WAITING + 1 and 0 < most["outputs"] <= WAITING + 1
    here, _ = board.command.run(TASK, "--mode", "accuracy")
    assert (result["accuracy"]["value"], result["accuracy"]["samples"]) == (
        here["accuracy"]["value"], here["accuracy"]["samples"],
    )  # fmt: skip
    assert board.runs == []


def test_a_streamed_run_is_taken_up(board):
    """Chunks that the killed driver has decoded are not decoded again; the others are sent and taken."""
    process, _ = started(board, "--mode", "accuracy", when='"number": 3', env=STREAMED)
    process.kill()
    process.communicate()
    done, attached = board.command.json("attach", env=STREAMED)
    assert attached.returncode == 0, attached.stderr
    (result,) = done["results"]
    here, _ = board.command.run(TASK, "--mode", "accuracy")
    assert result["accuracy"]["value"] == here["accuracy"]["value"]
    checked, process = board.command.json("check", result["directory"])
    assert process.returncode == 0, checked["findings"]
    assert not list(Path(result["directory"]).glob(".*"))


def test_a_device_that_is_lost_for_a_while(board):
    process, _ = started(board)
    board.unplugged.touch()
    time.sleep(2)
    board.unplugged.unlink()
    out, error = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["valid"]) == (0, True), error
    assert board.runs == []


def test_an_interrupted_run_ends_on_the_device(board):
    process, _ = started(board)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=240)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["status"]) == (130, "interrupted")
    assert board.runs == [], (error, contents(Path(result["directory"]) / "worker.log"))


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("fault", "code", "exit_code"),
    [("refuse", "model-refused", 3), ("digest", "accuracy-log", 4), ("short", "wrong-outputs", 5),
     ("no-end", "worker-died", 7), ("die", "worker-died", 7)],
)  # fmt: skip
def test_a_runner_that_fails(board, fault, code, exit_code):
    (board.command.folder / "fault").write_text(fault)
    result, done = board.run(TASK, *FAST)
    assert (done.returncode, result["error"]["code"]) == (exit_code, code), result["error"]
    assert board.runs == []
    if fault in ("digest", "short"):
        assert result["performance"]["queries"] > 0  # what was measured before is kept


@pytest.mark.nightly
def test_the_log_of_responses_is_needed(here, few_facts):
    result, _ = here.run(TASK, "--data-path", few_facts, "--mode", "accuracy", *NATIVE)
    log = Path(result["directory"]) / "accuracy" / loadgen.RESPONSE_LOG
    text = log.read_text()
    log.unlink()
    checked, done = here.json("check", result["directory"])
    assert done.returncode == 1
    assert any(finding["rule"] == "log-missing" for finding in checked["findings"])
    first = text.index('"outputs" : "') + len('"outputs" : "')
    log.write_text(text[:first] + ("0" if text[first] != "0" else "1") + text[first + 1 :])
    checked, done = here.json("check", result["directory"])
    assert done.returncode == 1
    assert any("LoadGen logged" in finding["text"] for finding in checked["findings"])
    log.write_text(text)
    exported, done = here.json(
        "export",
        result["directory"],
        "--format",
        "submission",
        "--submitter",
        "Me",
        "--device",
        "it",
        "--output",
        here.folder,
    )
    assert (done.returncode, exported["error"]["code"]) == (6, "accuracy-log-digests")


def refused(command, *arguments, env=None):
    document, done = command.json("run", TASK, "--quiet", *arguments, *FAST, env=env)
    error = document["results"][0]["error"] if "results" in document else document["error"]
    assert error["hint"]
    return error["code"], done.returncode


def test_what_does_not_fit_is_refused_before_anything_is_sent(board):
    there = ("--device", board.address)
    assert refused(board.command, *there, "--set", "xnnpack=false") == ("native-option", 5)
    assert refused(board.command, *there, "--set", "runtime=tflite-runtime") == ("native-option", 5)
    assert refused(board.command, *there, "--set", "library=/no/libLiteRt.so") == ("native-library", 5)
    assert refused(board.command, *there, "--model", "/no/model.tflite")[1] in (2, 3)
    another = {"STAND_IN_MACHINE": "riscv64"}
    assert refused(board.command, *there, env=another) == ("native-library", 5)
    its_own = ("--set", f"library={Path(find_spec('ai_edge_litert').submodule_search_locations[0], 'libLiteRt.so')}")
    assert refused(board.command, *there, *its_own, env=another) == ("runner-missing", 5)
    assert not (board.root / "store").exists()


def test_a_runner_of_another_version(here):
    (program,) = here.folder.glob("data/mlperf-mobile/runners/*/mlperf-mobile-runner")
    program.write_text(program.read_text().replace("#!/bin/sh\n", "#!/bin/sh\nexport STAND_IN_PLAN=2\n"))
    assert refused(here, *NATIVE) == ("runner-version", 5)
    program.write_text("#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2\nexit 1\n")
    assert refused(here, *NATIVE) == ("runner-broken", 5)


def test_compiling_is_refused(here):
    done, process = here.json("compile", TASK, "--set", "runner=native")
    assert process.returncode != 0
    assert done["models"][0]["error"]["code"] == "runner-compile"
