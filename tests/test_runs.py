"""Whole runs of the stand-in task: what a result says, against LoadGen's own logs and arithmetic of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from pathlib import Path

import pytest

import mlperf_mobile
from mlperf_mobile.results import latencies

STAND_INS = Path(__file__).with_name("stand_ins")
SEEDS = ("--set", "seeds.qsl=123", "--set", "seeds.sample_index=18446744073709551615", "--set", "seeds.schedule=7")


def details(folder, part="performance"):
    """Every key of LoadGen's detail log, read without the code under test."""
    lines = (Path(folder) / part / "mlperf_log_detail.txt").read_text().splitlines()
    records = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines if line.startswith(":::MLLOG ")]
    return {record["key"]: record["value"] for record in records}


def saved(result):
    """The saved latencies, read without the code under test."""
    data = (Path(result["directory"]) / "latencies.bin").read_bytes()
    return list(struct.unpack(f"<{len(data) // 8}q", data))


def rules(result):
    return {rule["name"]: rule for rule in result["rules"]}


@pytest.fixture(scope="module")
def single(shared_command):
    """A single-stream run, with both parts, of a backend that is wrong in every 25th answer."""
    return shared_command.run(
        *SEEDS, "--set", "sleep_s=0.001", "--set", "wrong_every=25", "--set", "count=300", "--set", "quality.ratio=0.9",
        "--set", "min_duration_s=0.2",
    )  # fmt: skip


@pytest.fixture(scope="module")
def offline(shared_command):
    """An offline run of a count that is no multiple of the batch, with three sessions."""
    return shared_command.run(
        *SEEDS, "--scenario", "offline", "--mode", "performance", "--set", "batch=8", "--set", "shards=3",
        "--set", "min_query_count=1001", "--set", "min_duration_s=0", "--set", "sleep_s=0.0005",
    )  # fmt: skip


class TestSingleStream:
    def test_it_is_valid(self, single):
        result, done = single
        assert done.returncode == 0
        assert done.stderr == ""
        assert (result["schema"], result["status"], result["valid"], result["error"]) == (2, "completed", True, None)
        assert (result["task"], result["suite"], result["dataset"]) == ("product", None, "vectors")
        assert (result["backend"], result["runtime"], result["accelerator"]) == ("toy", "toy 1.0", "cpu")
        assert (result["scenario"], result["mode"], result["rule_set"]) == ("single-stream", "both", "normal")

    def test_the_model_is_named_by_its_contents(self, single):
        path = STAND_INS / "toy_parts" / "double.toy"
        model = single[0]["model"]
        assert (model["name"], model["path"], model["format"]) == ("double", str(path), "toy")
        assert model["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert model["bytes"] == path.stat().st_size

    def test_performance_agrees_with_loadgen(self, single):
        """LoadGen logs what is between its issuing of a query and the response; ours is measured inside of that."""
        performance, told = single[0]["performance"], details(single[0]["directory"])
        assert performance["queries"] == performance["samples"] == told["result_query_count"]
        for name in ("50", "90", "95", "97", "99"):
            ours = performance["latency_ns"][f"p{name}"]
            assert ours == told[f"result_{name}.00_percentile_latency_ns"]
        assert performance["latency_ns"]["p99_9"] == told["result_99.90_percentile_latency_ns"]
        for name in ("mean", "min", "max"):
            assert performance["latency_ns"][name] == told[f"result_{name}_latency_ns"]
        issued_s = (told["result_query_count"] - 1) / told["result_qps_with_loadgen_overhead"]  # until the last query
        assert performance["duration_s"] == pytest.approx(issued_s + saved(single[0])[-1] / 1e9, rel=1e-4)
        assert performance["duration_s"] * performance["throughput"] == pytest.approx(performance["samples"])
        assert performance["loadgen"]["valid"] is (told["result_validity"] == "VALID") is True
        assert performance["loadgen"]["version"] == told["loadgen_version"]
        assert performance["loadgen"]["early_stopping_latency_ns"] == told["early_stopping_latency_ss"]

    def test_saved_latencies_are_those_of_the_run(self, single):
        """One for each query; their percentiles by a naive implementation, and LoadGen's of the same run."""
        values, told = saved(single[0]), details(single[0]["directory"])
        count = told["result_query_count"]
        assert len(values) == count
        assert min(values) >= 1_000_000  # the stand-in sleeps for a millisecond
        found, ordered = latencies.summary(values), sorted(values)
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            assert found[name] == ordered[int(count * share)]
            assert found[name] == told[f"result_{share * 100:.2f}_percentile_latency_ns"]
        assert found["mean"] == sum(values) / count
        assert int(found["mean"]) == told["result_mean_latency_ns"]

    def test_rules(self, single):
        result = single[0]
        found = rules(result)
        assert set(found) == {
            "min-duration", "min-query-count", "max-duration", "early-stopping", "uninterrupted", "quality-target",
        }  # fmt: skip
        assert all(set(rule) == {"name", "ok", "observed", "required", "note", "scope"} for rule in result["rules"])
        assert found["min-duration"]["required"] == 0.2
        assert 0.2 <= found["min-duration"]["observed"] <= result["performance"]["duration_s"] + 0.001
        assert found["min-query-count"]["required"] == 100
        assert found["min-query-count"]["observed"] == result["performance"]["queries"]
        assert found["early-stopping"]["required"] == 64

    def test_accuracy_is_what_the_log_says(self, single):
        """Scored anew from the accuracy log, without the code under test: y = 2 x for x = i … i + 3."""
        accuracy = single[0]["accuracy"]
        log = json.loads((Path(single[0]["directory"]) / "accuracy" / "mlperf_log_accuracy.json").read_text())
        assert sorted(item["qsl_idx"] for item in log) == list(range(300))
        right = sum(
            struct.unpack("<4f", bytes.fromhex(item["data"])) == tuple(2.0 * (item["qsl_idx"] + n) for n in range(4))
            for item in log
        )
        assert 280 <= right < 300
        assert (accuracy["metric"], accuracy["value"], accuracy["samples"]) == ("exact", right / 300, 300)
        assert (accuracy["reference"], accuracy["target"], accuracy["passed"]) == (1.0, 0.9, True)
        assert accuracy["source"] == "arithmetic"

    def test_seeds_reach_loadgen(self, single):
        expected = {"qsl": 123, "sample_index": 18446744073709551615, "schedule": 7}
        assert single[0]["load"]["seeds"] == expected
        for part in ("performance", "accuracy"):
            told = details(single[0]["directory"], part)
            assert {name: told[f"effective_{name}_rng_seed"] for name in expected} == expected

    def test_settings_reach_loadgen(self, single):
        told, plan = (
            details(single[0]["directory"]),
            json.loads((Path(single[0]["directory"]) / "plan.json").read_text()),
        )
        assert told["effective_scenario"] == "SingleStream"
        assert told["effective_min_duration_ms"] == 200
        assert told["effective_max_duration_ms"] == 60_000
        assert told["effective_min_query_count"] == 100
        assert told["effective_performance_sample_count"] == 300
        assert plan["load"]["min_duration_s"] == 0.2
        assert plan["sources"]["min_duration_s"] == "--set min_duration_s=0.2"
        assert plan["backend_options"]["sleep_s"] == 0.001
        assert plan["run_id"] == single[0]["run_id"]
        assert details(single[0]["directory"], "accuracy")["effective_test_mode"] == "AccuracyOnly"

    def test_where_it_ran(self, single):
        result = single[0]
        assert result["placement"] == {"operations": {"cpu": 1}, "kernels": {}, "names": {"cpu": {"MUL": 1}}}
        assert result["system"]["inputs"] == result["system"]["outputs"] == ["float32[1,4]"]
        assert (result["system"]["samples_in_data_set"], result["system"]["performance_sample_count"]) == (300, 300)

    def test_on_what_it_ran(self, single):
        """Facts of the machine, and of the plugins that know more."""
        environment, versions = single[0]["environment"], single[0]["versions"]
        assert environment["toy.weather"] == "sunny"
        assert environment["cpu.usable"] == len(os.sched_getaffinity(0))
        assert environment["os.release"] == os.uname().release
        assert environment["memory.total_bytes"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        assert versions["toy"] == "1.0"
        assert {"mlperf-mobile", "mlcommons-loadgen", "numpy"} <= set(versions)

    def test_the_folder(self, single, shared_command):
        result = single[0]
        folder = Path(result["directory"])
        assert folder == shared_command.results / result["run_id"]
        assert json.loads((folder / "result.json").read_text()) == result
        assert {path.name for path in folder.iterdir()} == {
            "accuracy", "events.jsonl", "latencies.bin", "performance", "plan.json", "result.json", "telemetry.jsonl",
            "worker.log",
        }  # fmt: skip
        told = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        phases = [event["name"] for event in told if event["event"] == "phase"]
        assert [p for p in phases if p != "encode"] == [
            "load", "compile", "load", "warm-up", "performance", "accuracy",
        ]  # fmt: skip
        assert [event["event"] for event in told if event["event"] != "measured"][-2:] == ["ended", "concluded"]
        assert [event["time"] for event in told] == sorted(event["time"] for event in told)


class TestOffline:
    def test_only_real_samples_count(self, offline):
        """1001 samples in batches of 8: LoadGen issues one query, and no padding is counted."""
        result, done = offline
        assert (done.returncode, result["valid"]) == (0, True)
        performance, told = result["performance"], details(result["directory"])
        assert (performance["queries"], performance["samples"]) == (1, len(saved(result)))
        assert performance["samples"] == told["effective_min_sample_count"] >= 1001
        assert rules(result)["min-query-count"]["observed"] == performance["samples"]
        assert performance["throughput"] == pytest.approx(told["result_samples_per_second"], rel=1e-5)
        assert performance["throughput"] == pytest.approx(performance["samples"] / performance["duration_s"])

    def test_all_sessions_work(self, offline):
        """Three sessions that sleep for half a millisecond a sample are at work at the same time, on any machine."""
        result = offline[0]
        assert (result["system"]["sessions"], result["system"]["batch"]) == (3, 8)
        (share,) = result["performance"]["accelerators"].values()
        assert share["sessions"] * share["busy"] > 1.5

    def test_latencies_are_since_the_query_was_issued(self, offline):
        """Each is a completion time: none beats its position in line, and the last one is the run's duration."""
        values, result = saved(offline[0]), offline[0]
        duration = result["performance"]["duration_s"] * 1e9
        assert max(values) <= duration
        assert max(values) == pytest.approx(duration, rel=0.1)
        told = details(result["directory"])
        assert sorted(values)[len(values) // 2] == pytest.approx(told["result_50.00_percentile_latency_ns"], rel=0.1)

    def test_no_accuracy_was_requested(self, offline):
        assert offline[0]["accuracy"] is None
        assert offline[0]["mode"] == "performance"


class TestRulesThatFail:
    def test_a_run_stopped_at_its_maximum_duration(self, command):
        """The minimum count is waived, as in the app; LoadGen's own verdict stays visible."""
        result, done = command.run(
            "--mode", "performance", "--set", "max_duration_s=2", "--set", "min_query_count=100000",
            "--set", "sleep_s=0.002",
        )  # fmt: skip
        found = rules(result)
        assert 2 <= result["performance"]["duration_s"] < 20
        assert result["performance"]["queries"] < 1000
        assert found["min-query-count"]["ok"]
        assert "waived" in found["min-query-count"]["note"]
        assert found["max-duration"]["ok"]
        assert (done.returncode, result["valid"]) == (0, True)
        assert result["performance"]["loadgen"]["valid"] is False
        assert any("Max test duration reached" in error for error in result["performance"]["loadgen"]["errors"])
        assert details(result["directory"])["result_validity"] == "INVALID"

    def test_too_few_queries_for_the_percentile(self, command):
        result, done = command.run(
            "--mode", "performance", "--set", "min_query_count=10", "--set", "min_duration_s=0",
            "--set", "percentile=0.99",
        )  # fmt: skip
        assert (done.returncode, result["valid"]) == (1, False)
        assert rules(result)["early-stopping"] == {
            "name": "early-stopping", "ok": False, "observed": 10, "required": 662, "note": "queries for p99",
            "scope": "result",
        }  # fmt: skip
        assert result["error"] is None

    def test_offline_past_its_maximum_duration(self, command):
        """One query cannot be stopped; it is not valid."""
        result, done = command.run(
            "--scenario", "offline", "--mode", "performance", "--set", "min_query_count=100",
            "--set", "min_duration_s=0", "--set", "max_duration_s=0.05", "--set", "sleep_s=0.005", "--set", "shards=1",
        )  # fmt: skip
        assert (done.returncode, result["valid"]) == (1, False)
        assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["max-duration"]

    def test_the_quality_target_is_missed(self, command):
        """Every second answer is wrong; by arithmetic, half of them are right."""
        result, done = command.run("--mode", "accuracy", "--set", "wrong_every=2", "--set", "shards=1")
        assert (done.returncode, result["valid"]) == (1, False)
        assert (result["accuracy"]["value"], result["accuracy"]["passed"]) == (0.5, False)
        assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["quality-target"]
        assert result["performance"] is None


@pytest.mark.parametrize("percentile", [0.5, 0.905, 0.999])
def test_the_target_percentile(command, percentile):
    """What single-stream reports for it is LoadGen's value at that percentile."""
    result, _ = command.run(
        "--mode", "performance", "--set", f"percentile={percentile}", "--set", "min_duration_s=0.05",
        "--set", "min_query_count=8000",
    )  # fmt: skip
    latency = result["performance"]["latency_ns"]
    between = {0.5: ("p50", "p50"), 0.905: ("p90", "p95"), 0.999: ("p99_9", "p99_9")}[percentile]
    assert latency[between[0]] <= latency["target_percentile"] <= latency[between[1]]
    summary = (Path(result["directory"]) / "performance" / "mlperf_log_summary.txt").read_text()
    assert int(re.search(r"th percentile latency \(ns\) : (\d+)", summary)[1]) == latency["target_percentile"]
    assert rules(result)["early-stopping"]["note"] == f"queries for p{percentile * 100:g}"


def test_fewer_samples_in_memory_than_in_the_data_set(command):
    result, done = command.run("--set", "performance_sample_count=10", "--set", "count=200")
    assert done.returncode == 0
    assert details(result["directory"])["effective_performance_sample_count"] == 10
    assert result["accuracy"]["samples"] == 200


def test_a_backend_that_is_slow_at_first(command, write_plugin):
    """The first inference may compile; LoadGen must still prepare enough queries for the latency that follows."""
    plugin = """
        from mlperf_mobile.plugin import BackendInfo, Ref, hookimpl

        @hookimpl
        def mlperf_mobile_backends():
            yield BackendInfo(name="cold", summary="", vendor="", backend=Ref("cold_parts:B"), model_formats=("toy",),
                              hook_api=(2, 0))
    """
    parts = """
        import time
        from toy_parts import ToyBackend, ToySession

        def run(self, inputs, before=ToySession.run):
            time.sleep(0.002 if ToySession.calls else 0.5)
            return before(self, inputs)

        class B(ToyBackend):
            pass

        ToySession.run = run
    """
    write_plugin("cold", plugin, files={"cold_parts.py": parts})
    result, done = command.run("--backend", "cold", "--mode", "performance", "--set", "min_query_count=64")
    assert (done.returncode, result["valid"]) == (0, True)
    assert result["performance"]["expected_latency_ns"] < 250e6
    assert result["performance"]["loadgen"]["errors"] == []


def test_several_tasks(command, write_plugin):
    """One after the other, each in a process of its own; the exit code is that of the worst."""
    plugin = """
        from mlperf_mobile.plugin import DatasetInfo, Ref, TaskInfo, hookimpl

        @hookimpl
        def mlperf_mobile_tasks():
            yield TaskInfo(name="mine", summary="a test", task=Ref("toy_parts:Product"),
                           settings="mine_parts:task.yaml", hook_api=(2, 0))

        @hookimpl
        def mlperf_mobile_datasets():
            yield DatasetInfo(name="mine-data", summary="a test", dataset=Ref("toy_parts:Vectors"), tasks=("mine",),
                              needs_path=False, hook_api=(2, 0))
    """
    task = f"model: m\ndataset: mine-data\nmodels:\n  m: {{file: m.toy, format: toy, sha256: {'a' * 64}}}\n"
    write_plugin(
        "mine", plugin,
        files={"mine_parts/__init__.py": "", "mine_parts/m.toy": '{"factor": 2}', "mine_parts/task.yaml": task},
    )  # fmt: skip
    flags = ("--backend", "toy", "--mode", "accuracy", "--json", "--set", "warmup_s=0")
    done = command("run", "mine", "product", *flags)
    mine, product = json.loads(done.stdout)["results"]
    assert (mine["error"]["code"], mine["error"]["exit_code"]) == ("model-checksum", 3)
    assert hashlib.sha256(b'{"factor": 2}').hexdigest() in mine["error"]["summary"]
    assert (product["valid"], product["accuracy"]["value"]) == (True, 1.0)
    assert done.returncode == 3
    assert "mine m (1 of 2, accuracy, at least 10 s" in done.stderr
    assert re.search(r"product double \(2 of 2, accuracy, at least 5 s .*left\): accuracy", done.stderr)
    assert len([name for name in command.leftovers() if not name.endswith(".session.json")]) == 2


def test_the_package_is_typed():
    assert (Path(mlperf_mobile.__file__).parent / "py.typed").is_file()
