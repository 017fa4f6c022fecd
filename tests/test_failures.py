"""Whatever becomes of a worker, the user gets one line, an exit code, and a result that keeps what was measured."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from pathlib import Path

import psutil
import pytest

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode, OutputError
from mlperf_mobile.launch import local
from mlperf_mobile.plan import Plan
from mlperf_mobile.results import store

SLOW = ("--set", "warmup_s=0", "--set", "sleep_s=0.005", "--set", "min_duration_s=20")
"""A run that lasts long enough to be cut short."""


def performing(told):
    """Whether the timed run has shown progress."""
    return any(e["event"] == "progress" and e["phase"] == "performance" for e in told)


def stored(command):
    """The only result there is, read from its file; nothing else was left behind."""
    (name,) = command.leftovers()
    assert not name.startswith(".")
    folder = command.results / name
    assert not list(folder.glob(".*"))
    return json.loads((folder / "result.json").read_text())


def workers():
    return [p for p in psutil.process_iter(["cmdline"]) if "mlperf_mobile.worker" in (p.info["cmdline"] or [])]


def workers_of(command):
    """Processes that work for a run in this test's folder."""
    return [p for p in workers() if any(str(command.folder) in part for part in p.info["cmdline"])]


MISBEHAVIOURS = {
    "kill": ("worker-died", 7, "killed by SIGKILL"),
    "segfault": ("worker-died", 7, "killed by SIGSEGV"),
    "exit": ("worker-died", 7, "it exited with 3 without reporting an error"),
    "raise": ("backend-failed", 5, "RuntimeError: the toy broke"),
    "hang": ("worker-silent", 8, "sent nothing for 5 s"),
}


class TestMisbehaviour:
    @pytest.mark.parametrize(("how", "expected"), MISBEHAVIOURS.items(), ids=MISBEHAVIOURS)
    def test_in_the_timed_run(self, command, how, expected):
        """It is told, nothing is left of the worker, and the latencies up to then are kept."""
        code, exit_code, summary = expected
        silence = ("--set", "silence_timeout_s=5") if how == "hang" else ()
        result, done = command.run(*SLOW, "--set", f"misbehave={how}", "--set", "after=80", *silence)
        assert done.returncode == exit_code
        assert (result["status"], result["valid"]) == ("failed", False)
        error = result["error"]
        assert (error["code"], error["exit_code"]) == (code, exit_code)
        assert summary in error["summary"]
        assert error["hint"]
        assert "the stand-in's last words" in error["stderr_tail"]
        assert done.stderr == f"mlperf-mobile: error[{code}]: {error['summary']}; {error['hint']}\n"
        assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["completed"]
        data = (Path(result["directory"]) / "latencies.bin").read_bytes()
        kept = struct.unpack(f"<{len(data) // 8}q", data)
        assert 10 <= len(kept) <= 80
        assert result["performance"]["samples"] == len(kept)
        assert result["performance"]["latency_ns"]["p50"] == sorted(kept)[len(kept) // 2]
        assert result["performance"]["latency_ns"]["min"] >= 5e6
        assert result["model"]["sha256"]
        assert stored(command) == result
        assert workers_of(command) == []

    def test_before_the_timed_run(self, command):
        """It dies while warming up: there is a result, without performance."""
        result, done = command.run("--set", "misbehave=kill", "--set", "after=0")
        assert (done.returncode, result["performance"], result["accuracy"]) == (7, None, None)
        assert result["runtime"] == "toy 1.0"

    def test_after_the_timed_run(self, command):
        """What was measured before stays, with its rules."""
        result, done = command.run(
            "--set", "misbehave=kill", "--set", "after=400", "--set", "warmup_s=0", "--set", "sleep_s=0.001",
            "--set", "count=2000", "--set", "min_query_count=150", "--set", "min_duration_s=0",
        )  # fmt: skip
        assert (done.returncode, result["status"]) == (7, "failed")
        assert result["performance"]["queries"] == 150
        assert result["performance"]["loadgen"]["valid"]
        assert [(rule["name"], rule["ok"]) for rule in result["rules"]] == [
            ("min-duration", True), ("min-query-count", True), ("max-duration", True), ("early-stopping", True),
            ("uninterrupted", True), ("completed", False),
        ]  # fmt: skip
        assert result["accuracy"] is None

    def test_noise_on_stdout_spoils_nothing(self, command):
        result, done = command.run("--set", "misbehave=chatter", "--set", "after=0", "--set", "sleep_s=0.001")
        assert (done.returncode, result["valid"]) == (0, True)
        assert "noise on stdout" in (Path(result["directory"]) / "worker.log").read_text()

    def test_the_panel_shows_last_words(self, command):
        done = command("run", "product", "--backend", "toy", "--set", "misbehave=segfault")
        assert done.returncode == 7
        for part in ("FAILED", "worker-died: the worker died: killed by SIGSEGV", "the stand-in's last words"):
            assert part in done.stdout


class TestData:
    @pytest.mark.parametrize("mode", ["performance", "accuracy"])
    def test_a_damaged_sample(self, command, mode):
        result, done = command.run("--mode", mode, "--set", "bad_sample=77", "--set", "warmup_s=0")
        assert done.returncode == 4
        error = result["error"]
        assert (error["code"], error["summary"], error["hint"]) == (
            "vector-damaged", "vector 77 is damaged", "make it anew",
        )  # fmt: skip
        assert not result["valid"]


class TestModel:
    def test_one_that_does_not_fit_the_task(self, command):
        result, done = command.run("--set", "width=5")
        assert (done.returncode, result["error"]["code"]) == (3, "model-input")
        assert "float32[1,4]" in result["error"]["summary"]
        assert result["performance"] is None

    @pytest.mark.parametrize("text", ["", '{"fac', "[]"])
    def test_one_that_is_damaged(self, command, text):
        (command.folder / "bad.toy").write_text(text)
        result, done = command.run("--model", "bad.toy")
        assert (done.returncode, result["status"]) == (3 if text != "[]" else 5, "failed")
        assert result["error"]["code"] in ("model-damaged", "backend-failed")
        assert len(done.stderr.splitlines()) == 1

    def test_one_that_changes_the_answers(self, command):
        """A model of one's own is run as it is: y = 3 x is never right."""
        (command.folder / "triple.toy").write_text('{"factor": 3}')
        result, done = command.run("--model", "triple.toy", "--mode", "accuracy")
        assert (result["model"]["name"], result["accuracy"]["value"]) == ("triple", 0.0)
        assert result["accuracy"]["passed"] is None
        assert done.returncode == 0


class TestPlacement:
    def test_falling_back_from_an_accelerator_fails(self, command):
        result, done = command.run("--accelerator", "npu", "--set", "fallback=true")
        assert (done.returncode, result["error"]["code"]) == (5, "placement-fallback")
        assert "1 on cpu (SOFTMAX)" in result["error"]["summary"]
        assert "strict_placement=false" in result["error"]["hint"]
        assert result["placement"]["operations"] == {"npu": 1, "cpu": 1}
        assert result["performance"] is None

    def test_unless_it_is_accepted(self, command):
        result, done = command.run(
            "--accelerator", "npu", "--set", "fallback=true", "--set", "strict_placement=false", "--mode", "performance"
        )  # fmt: skip
        assert (done.returncode, result["valid"], result["accelerator"]) == (0, True, "npu")
        assert result["placement"]["operations"] == {"npu": 1, "cpu": 1}


PLUGIN = """
    from mlperf_mobile.plugin import BackendInfo, DatasetInfo, EnvFact, Ref, ScenarioInfo, TaskInfo, hookimpl

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(name="odd", summary="", vendor="", backend=Ref("odd_parts:B"), model_formats=("toy",),
                          accelerators=("cpu", "npu"), hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_tasks():
        yield TaskInfo(name="odd", summary="", task=Ref("odd_parts:T"), settings="toy_parts:product.yaml",
                       hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(name="odd-data", summary="", dataset=Ref("odd_parts:D"), tasks=("odd", "product"),
                          needs_path=False, hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_environment():
        from odd_parts import FACTS
        return [EnvFact(*fact) for fact in FACTS]
"""
PARTS = """
import ctypes, os, signal, time
import numpy as np
from mlperf_mobile.contracts import *
from toy_parts import Exact, Product, ToyBackend, ToySession, Vectors

FACTS = ()

class B(ToyBackend):
    pass

class T(Product):
    pass

class D(Vectors):
    pass

"""


def an_odd_plugin(write_plugin, code):
    """Install a backend, a task and a data set that differ from the stand-ins by this code."""
    write_plugin("odd", PLUGIN, files={"odd_parts.py": PARTS + code})


def odd_run(command, *arguments):
    told, done = command.json(
        "run", "odd", "--backend", "odd", "--dataset", "odd-data", "--quiet", "--set", "warmup_s=0.05",
        "--set", "min_duration_s=0.1", "--set", "min_query_count=64", *arguments,
    )  # fmt: skip
    (result,) = told["results"]
    assert len(done.stderr.splitlines()) == (1 if result["error"] else 0)
    assert command.leftovers() == [result["run_id"]]
    return result, done


ODD = {
    "probe raises": ("def probe(self): raise OSError('no driver')\nB.probe = probe", "backend-failed", 5),
    "probe says no": ("B.probe = lambda self: Probe(usable=False, reason='too old', fix='buy')", "backend-unusable", 5),
    "accelerator is gone": ("B.probe = lambda self: Probe(usable=True, accelerators=('npu',))", "no-accelerator", 5),
    "probe is nonsense": ("B.probe = lambda self: 7", "plugin-broken", 5),
    "compile raises": ("def compile(self, request): raise ValueError\nB.compile = compile", "backend-failed", 5),
    "compile exits": ("def compile(self, request): raise SystemExit(4)\nB.compile = compile", None, None),
    "memory": ("def load(self, artifact): raise MemoryError\nB.load = load", "out-of-memory", 70),
    "bind raises": ("def bind(self, i, o): raise IndexError('x')\nT.bind = bind", "task-failed", 3),
    "data set raises": ("def __init__(self, p, o): raise KeyError('x')\nD.__init__ = __init__", "dataset-failed", 4),
    "data set is empty": ("D.__len__ = lambda self: 0", None, 4),
    "import fails": ("raise ImportError('libacme.so: cannot open')", "plugin-broken", 5),
}  # fmt: skip


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("code", "expected", "exit_code"), ODD.values(), ids=ODD)
def test_plugins_that_fail(command, write_plugin, code, expected, exit_code):
    """Whose fault it is is told, in one line, and stored."""
    an_odd_plugin(write_plugin, code)
    result, done = odd_run(command)
    assert (result["status"], result["valid"]) == ("failed", False)
    assert expected in (None, result["error"]["code"])
    assert exit_code in (None, done.returncode)
    assert done.returncode == result["error"]["exit_code"] > 1


STRANGE = {
    "no text in a probe": "B.probe = lambda s: Probe(True, ('cpu',), {'sdk': 2.5}, runtime=None)",
    "numpy in placement": "ToySession.placement = lambda s: Placement({'cpu': np.int64(3)})",
    "no number in a score": "Exact.score = lambda s: Score('exact', float('nan'), 100, {'loss': float('inf')})",
    "facts that are no JSON": "FACTS = (('odd.path', __import__('pathlib').Path('/x')), ('odd.thing', object()))",
    "a fact that is no number": "FACTS = (('odd.nan', float('nan')),)",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("code", STRANGE.values(), ids=STRANGE)
def test_plugins_that_tell_strange_things(command, write_plugin, code):
    """There is a result in any case, and it is JSON that anybody can read."""
    an_odd_plugin(write_plugin, code)
    result, done = odd_run(command)
    assert result["model"]["sha256"]
    assert done.returncode == (0 if result["valid"] else result["error"]["exit_code"] if result["error"] else 1)
    text = (Path(result["directory"]) / "result.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert store.read(Path(result["directory"])).to_json() == result


def test_a_metric_that_leaves_responses_out(command, write_plugin):
    """The score stands, with a warning; numbers of NumPy are numbers."""
    an_odd_plugin(
        write_plugin, "Exact.score = lambda s: Score('exact', np.float32(1), np.int64(60), {'x': np.int8(2)})"
    )
    result, done = odd_run(command)
    assert (done.returncode, result["accuracy"]["samples"], result["accuracy"]["details"]) == (0, 60, {"x": 2.0})
    assert f"task {result['task']}: exact counts 60 of 100 responses" in result["warnings"]


class TestInterrupts:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_in_the_timed_run(self, command, number):
        """What was measured is kept."""
        process = command.start(*SLOW)
        command.until(lambda told: performing(told) and told[-1].get("done", 0) >= 10, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=200)
        assert process.returncode == 130
        assert "Traceback" not in err
        assert "error[interrupted]: stopped by the user" in err
        (result,) = json.loads(out)["results"]
        assert (result["status"], result["valid"], result["error"]["exit_code"]) == ("interrupted", False, 130)
        data = (Path(result["directory"]) / "latencies.bin").read_bytes()
        assert result["performance"]["samples"] == len(data) // 8 >= 10
        assert result["performance"]["latency_ns"]["min"] >= 5e6
        assert stored(command) == result
        assert workers_of(command) == []

    def test_in_the_accuracy_run(self, command):
        """The finished part stays as it is."""
        process = command.start(
            "--set", "sleep_s=0.002", "--set", "min_query_count=64", "--set", "min_duration_s=0",
            "--set", "warmup_s=0", "--set", "count=100000", "--set", "performance_sample_count=64",
        )  # fmt: skip
        command.until(lambda told: any(e["event"] == "progress" and e["phase"] == "accuracy" for e in told), process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=200)
        (result,) = json.loads(out)["results"]
        assert (process.returncode, result["status"], result["accuracy"]) == (130, "interrupted", None)
        assert result["performance"]["queries"] == 64
        assert result["performance"]["loadgen"]["valid"]
        assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["completed"]

    def test_when_the_worker_does_not_listen(self, command, write_plugin):
        """A runtime that holds the interpreter's lock for ever is killed, within about a second."""
        assert local.GRACE_S < 1
        an_odd_plugin(write_plugin, "def run(self, inputs): ctypes.PyDLL(None).sleep(3600)\nToySession.run = run")
        process = command.start("--backend", "odd")
        command.until(lambda told: any(e.get("name") == "warm-up" for e in told), process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=200)
        assert (process.returncode, json.loads(out)["results"][0]["status"]) == (130, "interrupted")
        assert workers_of(command) == []

    def test_the_tasks_that_follow_are_not_started(self, command, write_plugin):
        an_odd_plugin(write_plugin, "")
        (command.folder / "run.yaml").write_text("tasks: {odd: {dataset: odd-data}}")
        process = command.start("--config", "run.yaml", *SLOW, tasks=("product", "odd"))
        command.until(performing, process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=200)
        assert [result["task"] for result in json.loads(out)["results"]] == ["product"]

    def test_impatience(self, command):
        """Ctrl-C twice: it ends, at the latest then, and leaves nothing running."""
        process = command.start(*SLOW)
        command.until(performing, process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=200)
        assert process.returncode == 130
        assert all(not name.startswith(".") for name in command.leftovers())
        gone_within(100, lambda: workers_of(command))

    @pytest.mark.parametrize("misbehave", ["", "hang"])
    def test_a_killed_launcher_leaves_no_worker(self, command, misbehave):
        """Nobody can clean up then; the worker notices by itself, even when it has nothing more to say."""
        process = command.start(*SLOW, "--set", f'misbehave="{misbehave}"', "--set", "after=100")
        quiet_s = 0.7 if misbehave else 0.0
        command.until(lambda told: performing(told) and time.time() - told[-1]["time"] >= quiet_s, process)
        assert len(workers_of(command)) == 1
        process.kill()
        process.communicate()
        gone_within(100, lambda: workers_of(command))


def gone_within(seconds, find):
    deadline = time.monotonic() + seconds
    while find():
        assert time.monotonic() < deadline, find()
        time.sleep(0.02)


@pytest.mark.parametrize("misbehave", ["none", "worker"])
def test_children_that_outlive_the_worker(command, write_plugin, misbehave):
    """A vendor's helper process that keeps our pipe open delays nothing and is not left behind."""
    death = "os.kill(os.getpid(), signal.SIGKILL)" if misbehave == "worker" else "pass"
    an_odd_plugin(
        write_plugin,
        "def load(self, artifact, before=B.load):\n    if os.fork() == 0:\n        time.sleep(3600)\n"
        f"    {death}\n    return before(self, artifact)\nB.load = load\n",
    )
    result, done = odd_run(command, "--mode", "performance", "--set", "silence_timeout_s=3600")
    assert done.returncode == (7 if misbehave == "worker" else 0)
    assert result["valid"] is (misbehave == "none")
    gone_within(100, lambda: workers_of(command))


class TestOutput:
    @pytest.mark.parametrize("place", ["file", "file/below", "/proc/mlperf", "x" * 300])
    def test_places_that_cannot_be_written(self, command, place):
        """Permission bits do not bind root; these do."""
        (command.folder / "file").write_text("mine")
        told, done = command.json("run", "product", "--backend", "toy", "--output", place)
        assert (done.returncode, told["error"]["code"]) == (6, "output-unwritable")
        assert "--output" in told["error"]["hint"]
        assert len(done.stderr.splitlines()) == 1
        assert set(os.listdir(command.folder)) - {"tmp"} == {"file"}  # tmp is the command's TMPDIR
        assert (command.folder / "file").read_text() == "mine"

    def test_a_disk_that_is_too_small(self, command, small_disk):
        told, done = command.json("run", "product", "--backend", "toy", "--output", small_disk(1 << 20) / "results")
        assert (done.returncode, told["error"]["code"]) == (6, "disk-full")
        assert not list(small_disk.path.glob("results/.*"))

    def test_a_disk_that_fills_up(self, command, small_disk):
        """What was measured is kept and shown, and no worker is left."""
        command.results = small_disk(24 << 20) / "results"
        process = command.start("--output", command.results, *SLOW)
        command.until(performing, process)
        with pytest.raises(OSError, match="No space"), open(small_disk.path / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        out, err = process.communicate(timeout=200)
        assert process.returncode == 6
        (result,) = json.loads(out)["results"]
        assert (result["status"], result["error"]["exit_code"]) == ("failed", 6)
        assert result["performance"]["samples"] >= 10
        assert "Traceback" not in err
        (name,) = command.leftovers()
        assert (command.results / name / "latencies.bin").stat().st_size >= 80
        assert workers_of(command) == []


@pytest.fixture
def small_disk(tmp_path):
    """Makes a file system of so many bytes; only root can."""

    class Disk:
        path = tmp_path / "disk"
        mounted = False

        def __call__(self, size):
            self.path.mkdir()
            if os.system(f"mount -t tmpfs -o size={size} tmpfs '{self.path}' 2>/dev/null") != 0:
                pytest.skip("a file system cannot be mounted here")
            self.mounted = True
            return self.path

    disk = Disk()
    yield disk
    if disk.mounted:
        assert os.system(f"umount '{disk.path}'") == 0


class TestInProcess:
    """The launcher by itself, with faults put into its writing."""

    @pytest.fixture
    def plan(self, command, monkeypatch):
        told, _ = command.json("run", "product", "--backend", "toy", "--set", "min_duration_s=0.1", "--dry-run")
        (plan,) = told["plans"]
        del plan["estimated_s"]
        monkeypatch.setenv("PYTHONPATH", command.environment()["PYTHONPATH"])
        return Plan.model_validate(plan)

    def test_a_result(self, command, plan):
        heard = []
        result = local.launch(plan, command.results, heard.append)
        assert result.valid
        assert store.read(Path(result.directory)) == result
        *_, end, last = heard
        assert isinstance(end, events.Ended)
        assert (last.event, last.part) == ("measured", "observed")  # reading it may crash the worker
        assert {"load", "warm-up", "performance", "accuracy"} <= {e.name for e in heard if isinstance(e, events.Phase)}

    @pytest.mark.parametrize("file", [store.PLAN])
    def test_no_space_for_a_file(self, command, plan, monkeypatch, file):
        real = store.write_json

        def full(path, data):
            if path.name == file:
                raise OSError(28, "No space left on device")
            real(path, data)

        monkeypatch.setattr(store, "write_json", full)
        self.expect_full(command, plan)

    def expect_full(self, command, plan):
        with pytest.raises(OutputError) as caught:
            local.launch(plan, command.results, lambda event: None)
        assert (caught.value.code, caught.value.exit_code) == ("disk-full", ExitCode.OUTPUT)
        assert command.leftovers() == []
        assert workers_of(command) == []

    def test_a_listener_that_fails(self, command, plan):
        """Nothing is left of a run whose display broke."""

        def listen(event):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            local.launch(plan, command.results, listen)
        assert command.leftovers() == []
        assert workers_of(command) == []
