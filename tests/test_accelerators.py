"""Several accelerators drain one queue; simulators never count; backends that run on the CPU are the default."""

from __future__ import annotations

import pytest

OFFLINE = ("--scenario", "offline", "--set", "min_query_count=400")


def rules(result):
    return {rule["name"]: rule for rule in result["rules"]}


class TestSeveral:
    def test_what_each_did(self, command):
        """Two sessions on one, one on the other, which is slower; together they answer every sample once."""
        slow = ("--set", "sleep_s=0.001", "--set", "npu_sleep_s=0.04")
        result, _ = command.run(*OFFLINE, "--accelerator", "cpu:2,npu:1", *slow)
        assert result["valid"], result["rules"]
        assert result["accelerator"] == "cpu,npu"
        assert result["system"]["accelerators"] == {"cpu": 2, "npu": 1}
        performance = result["performance"]
        did = performance["accelerators"]
        assert {name: each["sessions"] for name, each in did.items()} == {"cpu": 2, "npu": 1}
        assert sum(each["samples"] for each in did.values()) == performance["samples"] >= 400
        assert sum(each["throughput"] for each in did.values()) == pytest.approx(performance["throughput"], rel=0.01)
        assert did["cpu"]["samples"] > 5 * did["npu"]["samples"] > 0
        assert all(0.5 < each["busy"] <= 1 for each in did.values())
        assert set(result["placement"]["accelerators"]) == set(result["report"]) == {"cpu", "npu"}
        assert result["accuracy"]["samples"] == 100

    def test_a_slow_one_does_not_keep_the_last_samples(self, command):
        """Handing it as much work as the fast one would take seconds at the end."""
        result, _ = command.run(*OFFLINE, "--accelerator", "cpu:1,npu:1", "--set", "npu_sleep_s=0.05")
        assert result["performance"]["accelerators"]["npu"]["samples"] < 100

    def test_as_text(self, command):
        done = command(
            "run", "product", *OFFLINE, "--backend", "toy", "--accelerator", "cpu,npu", "--quiet",
            "--set", "warmup_s=0.05", "--mode", "performance",
        )  # fmt: skip
        lines = [" ".join(line.strip("│ ").split()) for line in done.stdout.splitlines()]
        assert any(line.startswith("on cpu ") and "busy" in line for line in lines)
        assert any(line.startswith("on npu ") for line in lines)

    def test_each_must_run_on_its_own(self, command):
        result, _ = command.run(*OFFLINE, "--accelerator", "cpu,npu", "--set", "fallback=true")
        assert result["error"]["code"] == "placement-fallback"
        assert "npu" in result["error"]["summary"]

    def test_single_stream_has_one(self, command):
        result, done = command.run("--accelerator", "cpu,npu")
        assert (done.returncode, result["error"]["code"]) == (2, "several-accelerators")
        foreseen, done = command.json("run", "product", "--backend", "toy", "--accelerator", "cpu,npu", "--dry-run")
        assert (done.returncode, foreseen["problems"][0]["summary"]) == (2, result["error"]["summary"])

    def test_dry_run(self, command):
        done = command("run", "product", "--backend", "toy", "--accelerator", "npu:3,cpu", *OFFLINE, "--dry-run")
        line = next(line for line in done.stdout.splitlines() if line.strip().startswith("accelerator "))
        assert line.split()[1:] == ["npu:3,cpu", "--accelerator"]


class TestSimulators:
    def test_a_performance_never_counts(self, command):
        result, done = command.run("--accelerator", "npu", "--set", "simulates=true")
        assert (done.returncode, result["valid"]) == (1, False)
        assert result["functional_only"] == "npu: a stand-in computes it"
        rule = rules(result)["real-hardware"]
        assert (rule["ok"], rule["observed"], rule["note"]) == (False, "npu", "npu: a stand-in computes it")
        shown = command("show", result["directory"]).stdout
        assert "FUNCTIONAL ONLY" in shown
        assert "a stand-in computes it" in shown

    def test_nor_one_beside_hardware(self, command):
        result, _ = command.run(*OFFLINE, "--accelerator", "cpu,npu", "--set", "simulates=true")
        assert not rules(result)["real-hardware"]["ok"]

    def test_an_accuracy_does(self, command):
        result, done = command.run("--accelerator", "npu", "--set", "simulates=true", "--mode", "accuracy")
        assert (done.returncode, result["valid"]) == (0, True)
        assert result["functional_only"]
        assert "real-hardware" not in rules(result)

    def test_the_hardware_beside_it_does(self, command):
        result, _ = command.run("--accelerator", "cpu", "--set", "simulates=true")
        assert result["valid"]
        assert not result["functional_only"]


PLUGIN = """
    from mlperf_mobile.plugin import BackendInfo, Ref, TaskInfo, DatasetInfo, hookimpl

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(
            name="rival", summary="takes the same models", vendor="nobody", backend=Ref("toy_parts:ToyBackend"),
            accelerators={accelerators}, model_formats={formats}, options=Ref("toy_parts:BackendOptions"),
            hook_api=(2, 0),
        )

    @hookimpl
    def mlperf_mobile_tasks():
        yield TaskInfo(
            name="forms", summary="a model in several formats", task=Ref("toy_parts:Product"),
            settings="rival_parts:task.yaml", hook_api=(2, 0),
        )

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(
            name="numbers", summary="vectors", dataset=Ref("toy_parts:Vectors"), tasks=("forms",), needs_path=False,
            hook_api=(2, 0),
        )
"""

TASK = """
    dataset: numbers
    model: net
    models:
      net: {file: net.toy, format: toy, also: [{file: net.bin, format: bin}, {file: net.rvl, format: rvl}]}
"""


def a_rival(write_plugin, accelerators=("npu", "cpu"), formats=("rvl", "toy")):
    code = PLUGIN.replace("{accelerators}", repr(accelerators)).replace("{formats}", repr(formats))
    files = {f"rival_parts/net.{form}": '{"factor": 2}' for form in ("toy", "bin", "rvl")}
    write_plugin("rival", code, files={"rival_parts/__init__.py": "", "rival_parts/task.yaml": TASK, **files})


def planned(command, *arguments):
    told, done = command.json("run", *arguments, "--dry-run")
    assert done.returncode == 0, done.stderr
    return told["plans"][0]


class TestBackends:
    def test_of_several_the_one_on_the_cpu_is_taken(self, command, write_plugin):
        a_rival(write_plugin)
        assert planned(command, "product")["backend"] == "toy"

    def test_two_on_the_cpu_must_be_distinguished(self, command, write_plugin):
        a_rival(write_plugin, accelerators=("cpu",))
        done = command("run", "product", "--dry-run")
        assert done.returncode == 2
        assert "choose with --backend: rival, toy" in done.stderr


class TestForms:
    def test_the_backend_decides(self, command, write_plugin):
        """Each takes the form that it likes best."""
        a_rival(write_plugin)
        plans = {name: planned(command, "forms", "--backend", name)["model"] for name in ("toy", "rival")}
        assert {name: (model["format"], model["path"].split("/")[-1]) for name, model in plans.items()} == {
            "toy": ("toy", "net.toy"), "rival": ("rvl", "net.rvl"),
        }  # fmt: skip

    def test_none_fits(self, command, write_plugin):
        a_rival(write_plugin)
        done = command("run", "forms", "--backend", "tflite")
        assert done.returncode == 3
        assert "runs tflite, tflite-pipeline models, not 'toy' or 'bin' or 'rvl' (net)" in done.stderr

    def test_a_run_uses_it(self, command, write_plugin):
        a_rival(write_plugin)
        told, done = command.json(
            "run", "forms", "--backend", "rival", "--quiet", "--set", "min_duration_s=0.1", "--set", "warmup_s=0.05"
        )
        assert done.returncode == 0, done.stderr
        assert told["results"][0]["model"]["format"] == "rvl"
