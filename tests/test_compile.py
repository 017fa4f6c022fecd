"""Compiling ahead of time, what is kept of it, its limits, and what happens when a compiler misbehaves."""

from __future__ import annotations

import json
import os
import shutil
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

MODEL = Path(__file__).with_name("stand_ins") / "toy_parts" / "double.toy"
COMPILES = ("--set", "compiles=true")
TOY = ("--model", MODEL, "--backend", "toy", "--accelerator", "npu", *COMPILES)


@pytest.fixture
def own_cache(command):
    """Where compiled models are kept."""
    return command.folder / "cache" / "mlperf-mobile" / "compiled"


def compiled(command, *arguments, **more):
    """What the command told about the only model, and the process."""
    told, done = command.json("compile", *arguments, "--quiet", **more)
    (model,) = told["models"]
    return model, done


def entries(folder):
    return [place for place in folder.iterdir() if not place.name.startswith(".")] if folder.exists() else []


class TestCompile:
    def test_a_model_file_without_a_task(self, command, own_cache):
        model, done = compiled(command, *TOY)
        assert done.returncode == 0
        (made,) = model["compiled"]
        assert (made["accelerator"], made["cached"], made["kept"]) == ("npu", False, True)
        assert made["facts"] == {"steps": 1, "format": "toy"}
        assert Path(made["path"]).read_bytes() == MODEL.read_bytes()
        assert [place.name for place in entries(own_cache)] == [made["key"]]

    def test_the_second_time_it_is_found(self, command):
        compiled(command, *TOY, "--set", "compile_s=1")
        model, _ = compiled(command, *TOY, "--set", "compile_s=1")
        (made,) = model["compiled"]
        assert made["cached"]
        assert made["seconds"] < 1

    def test_a_run_finds_what_was_compiled(self, command, own_cache):
        model, _ = compiled(command, "product", "--backend", "toy", "--accelerator", "npu", *COMPILES)
        result, _ = command.run("--accelerator", "npu", *COMPILES)
        assert result["compiled"]["npu"]["cached"]
        assert result["compiled"]["npu"]["key"] == model["compiled"][0]["key"]
        assert result["valid"]
        assert len(entries(own_cache)) == 1

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        "other",
        [
            {"env": {"TOY_VERSION": "1.1"}},
            {"arguments": ("--set", "shards=3")},
            {"arguments": ("--set", "batch=2")},
            {"accelerator": "cpu"},
            {"arguments": ("--set", "model_format=bin")},
        ],
        ids=lambda other: str(next(iter(other.values()))),
    )
    def test_what_would_make_another_binary_is_another_entry(self, command, own_cache, other):
        compiled(command, *TOY)
        again = [other.get("accelerator", word) if word == "npu" else word for word in TOY]
        model, done = compiled(command, *again, *other.get("arguments", ()), env=other.get("env"))
        assert done.returncode == 0
        assert not model["compiled"][0]["cached"]
        assert len(entries(own_cache)) == 2

    def test_an_edited_file_of_an_option_is_another_entry(self, command):
        """The same content in another place is not."""
        notes = command.folder / "notes.txt"
        notes.write_text("one")
        asked = ("--set", "disturbs_when=run", "--set", f"disturbs={notes}")
        first, _ = compiled(command, *TOY, *asked)
        notes.write_text("two")
        edited, done = compiled(command, *TOY, *asked)
        assert done.returncode == 0
        assert not edited["compiled"][0]["cached"]
        elsewhere = command.folder / "elsewhere.txt"
        elsewhere.write_text("one")
        moved, _ = compiled(command, *TOY, *asked[:2], "--set", f"disturbs={elsewhere}")
        assert moved["compiled"][0]["cached"]
        assert moved["compiled"][0]["key"] == first["compiled"][0]["key"]

    def test_several_accelerators(self, command):
        model, _ = compiled(command, "--model", MODEL, "--accelerator", "cpu,npu", *COMPILES)
        assert [each["accelerator"] for each in model["compiled"]] == ["cpu", "npu"]
        assert len({each["key"] for each in model["compiled"]}) == 2

    def test_for_an_accelerator_of_another_device(self, command):
        """A host compiles for a phone; only a run needs the accelerator."""
        lacking = {"TOY_LACKS_NPU": "1"}
        model, done = compiled(command, *TOY, env=lacking)
        assert (done.returncode, model["compiled"][0]["accelerator"]) == (0, "npu")
        result, _ = command.run("--accelerator", "npu", *COMPILES, env=lacking)
        assert result["error"]["code"] == "no-accelerator"

    def test_an_interpreter_has_nothing_to_compile(self, command, own_cache):
        done = command("compile", "--model", MODEL, "--backend", "toy", "--quiet")
        assert "nothing to compile" in done.stdout
        assert entries(own_cache) == []

    def test_as_text(self, command):
        first, second = (command("compile", *TOY, "--quiet") for _ in range(2))
        assert "double  toy/npu (toy 1.0)" in first.stdout
        assert "  compiled, " in first.stdout
        assert "  found in the cache, " in second.stdout
        assert first.stderr == second.stderr == ""

    def test_progress_names_the_step(self, command):
        done = command("compile", *TOY)
        assert "double: compile: thinking" in done.stderr.splitlines()

    def test_export(self, command):
        first = command("compile", *TOY, "--quiet", "--export", "built")
        exported = command.folder / "built" / "double-toy-npu.bin"
        assert exported.read_bytes() == MODEL.read_bytes()
        assert str(exported.relative_to(command.folder)) in first.stdout
        exported.write_text("mine")
        again = command("compile", *TOY, "--quiet", "--export", "built")
        assert again.returncode == 6
        assert "error[output-exists]" in again.stderr
        assert exported.read_text() == "mine"
        assert [path.name for path in exported.parent.iterdir()] == [exported.name]

    @pytest.mark.parametrize(
        ("arguments", "code", "exit_code"),
        [
            (("--model", "absent.toy"), "model-missing", 3),
            (("--model", MODEL, "--backend", "toy", "--accelerator", "tpu"), "unknown-accelerator", 2),
            (("--model", MODEL, "--backend", "toy", "--accelerator", "cpu,cpu"), "bad-value", 2),
            (("--model", MODEL, "--backend", "toy", "--accelerator", "npu:0"), "bad-value", 2),
            (("--model", MODEL, "--backend", "toy", "--accelerator", "npu:²"), "bad-value", 2),
            (("--model", MODEL, "--set", "no_such_option=1"), "unknown-key", 2),
            (("--model", MODEL, "--backend", "tflite"), "model-format", 3),
            (("--model", MODEL, "--set", "model_format=dlx"), "model-format", 3),
            (("no_such_task",), "unknown-task", 2),
        ],
    )
    def test_what_cannot_be(self, command, arguments, code, exit_code):
        done = command("compile", *arguments, "--quiet")
        assert done.returncode == exit_code
        assert f"error[{code}]" in done.stderr
        assert "Traceback" not in done.stderr


BREAKS = {
    "raise": ("toy-compiler", 5, "the toy compiler gave up"),
    "kill": ("worker-died", 7, "killed by SIGKILL"),
    "exit": ("worker-died", 7, "exited with 4"),
}


class TestMisbehaviour:
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize(("how", "expected"), BREAKS.items(), ids=BREAKS)
    def test_it_is_reported_and_nothing_is_kept(self, command, own_cache, how, expected):
        code, exit_code, text = expected
        broken = ("--set", f"compile_breaks={how}")
        model, done = compiled(command, *TOY, *broken)
        assert done.returncode == exit_code
        assert model["error"]["code"] == code
        assert text in model["error"]["summary"]
        result, _ = command.run("--accelerator", "npu", *COMPILES, *broken)
        assert (result["status"], result["error"]["code"]) == ("failed", code)
        assert entries(own_cache) == []
        assert command.run("--accelerator", "npu", *COMPILES)[0]["valid"]
        assert not list(own_cache.glob("*.partial"))

    @pytest.mark.parametrize("how", [("--set", "compile_s=3600"), ("--set", "compile_breaks=hold")])
    def test_it_is_stopped_at_its_limit(self, command, own_cache, how):
        """Whether or not the compiler lets anything else run in its process."""
        limit = ("--set", "compile_timeout_s=1.5")
        result, done = command.run("--accelerator", "npu", *COMPILES, *how, *limit)
        assert (done.returncode, result["error"]["code"]) == (5, "compile-timeout")
        assert "1.5 s" in result["error"]["summary"]
        model, _ = compiled(command, *TOY, *how, *limit)
        assert model["error"]["code"] == "compile-timeout"
        assert entries(own_cache) == []

    def test_a_slow_compiler_is_not_silent(self, command):
        """The time it takes is shown while it goes by."""
        result, _ = command.run("--accelerator", "npu", *COMPILES, "--set", "compile_s=2.5")
        assert result["valid"]
        journal = (Path(result["directory"]) / "events.jsonl").read_text().splitlines()
        told = [event for event in map(json.loads, journal) if event.get("phase") == "compile"]
        elapsed = [event["elapsed_s"] for event in told]
        assert elapsed
        assert elapsed[0] >= 1
        assert all(after - before >= 0.9 for before, after in pairwise(elapsed))
        assert {event["fraction"] for event in told} == {None}

    def test_a_stopped_compilation_leaves_no_process(self, command, own_cache):
        process = command.start("--accelerator", "npu", *COMPILES, "--set", "compile_s=3600")
        command.until(lambda told: any(e.get("step") == "thinking" for e in told), process)
        process.terminate()
        process.communicate(timeout=200)
        mine = [p for p in psutil.process_iter(["cmdline"]) if str(command.folder) in str(p.info["cmdline"])]
        assert mine == []
        assert entries(own_cache) == []


@pytest.fixture(scope="module")
def three(shared_command):
    """A cache with the models ``one``, ``two`` and ``three``, and the folder of each."""
    cache, folders = shared_command.folder / "cache", {}
    for name in ("one", "two", "three"):
        path = shared_command.folder / f"{name}.toy"
        path.write_text(json.dumps({"factor": 2, "name": name}))
        model, _ = compiled(
            shared_command, "--model", path, "--backend", "toy", "--accelerator", "npu", *COMPILES,
            env={"XDG_CACHE_HOME": str(cache)},
        )  # fmt: skip
        folders[name] = Path(model["compiled"][0]["path"]).parents[2].relative_to(cache)
    return cache, folders


class TestCache:
    @pytest.fixture
    def keep(self, command, three):
        """``keep("one", "two")``: this test's cache has these models; the first is the one used longest ago."""

        def keep(*names):
            cache, folders = three
            kept = {}
            for number, name in enumerate(names):
                kept[name] = command.folder / "cache" / folders[name]
                shutil.copytree(cache / folders[name], kept[name])
                age = (len(names) - number) * 86400 * 10
                os.utime(kept[name] / "entry.json", (time.time() - age, time.time() - age))
            return kept

        return keep

    def listed(self, command, action="list", *arguments):
        told, done = command.json("cache", action, *arguments)
        return {each["model"]: each for each in told["compiled"]}, done

    def test_list(self, command, keep):
        keep("one", "two")
        found, _ = self.listed(command)
        assert list(found) == ["two", "one"]
        assert found["one"]["made_of"]["accelerator"] == "npu"
        assert found["one"]["made_of"]["sdk"] == {"toy": "1.0"}
        assert found["one"]["made_of"]["devices"] == [["toy-npu", "7", {"cores": 2}]]
        text = command("cache", "list").stdout
        assert [line.split()[1] for line in text.splitlines()[1:]] == ["two", "one"]

    def test_an_empty_cache(self, command):
        assert command("cache", "list").stdout.startswith("no compiled models in ")
        assert command("cache", "prune", "--all").returncode == 0
        assert self.listed(command, "verify")[1].returncode == 0

    def test_verify(self, command, keep):
        folders = keep("one", "two")
        found, done = self.listed(command, "verify")
        assert (done.returncode, {each["state"] for each in found.values()}) == (0, {"whole"})
        path = folders["one"] / "files" / "deep" / "model.bin"
        path.write_bytes(path.read_bytes()[::-1])
        found, done = self.listed(command, "verify")
        assert done.returncode == 4
        assert found["one"]["state"] == "damaged: deep/model.bin has changed"
        assert found["two"]["state"] == "whole"

    def test_a_damaged_model_is_compiled_anew_in_a_run(self, command):
        compiled(command, "product", "--backend", "toy", "--accelerator", "npu", *COMPILES)
        (found,) = self.listed(command)[0].values()
        path = Path(found["path"]) / "files" / "deep" / "model.bin"
        path.write_text('{"factor": 3}')
        result, _ = command.run("--accelerator", "npu", *COMPILES)
        assert result["accuracy"]["value"] == 1.0
        assert not result["compiled"]["npu"]["cached"]
        assert "damaged" in result["compiled"]["npu"]["note"]

    @pytest.mark.parametrize(
        ("arguments", "left"),
        [
            (("--all",), []),
            (("--days", "15"), ["three"]),
            (("--days", "25"), ["three", "two"]),
            (("--megabytes", "0"), []),
            (("--megabytes", "1"), ["three", "two", "one"]),
            (("--all", "--dry-run"), ["three", "two", "one"]),
        ],
        ids=" ".join,
    )
    def test_prune(self, command, keep, arguments, left):
        keep("one", "two", "three")
        done = command("cache", "prune", *arguments)
        assert done.returncode == 0
        assert list(self.listed(command)[0]) == left

    def test_prune_takes_the_damaged_ones(self, command, keep):
        folders = keep("one", "two")
        (folders["one"] / "entry.json").write_text("{")
        command("cache", "prune", "--days", "1000")
        assert list(self.listed(command)[0]) == ["two"]

    @pytest.mark.parametrize(
        "arguments", [("prune",), ("list", "--all"), ("prune", "--days", "-1"), ("prune", "--days", "nan")]
    )
    def test_wrong_flags(self, command, arguments):
        assert command("cache", *arguments).returncode == 2
