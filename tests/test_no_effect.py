"""Settings that a run cannot honour: refused where they mislead, reported where they are left over."""

from __future__ import annotations

import json

import pytest

ONE_AT_A_TIME = "in scenario single-stream: it answers one sample at a time"


def plans(inside, *arguments, env=None, task="product"):
    done = inside("run", task, "--backend", "toy", "--dry-run", "--json", *arguments, env=env)
    return json.loads(done.stdout), done


def notes(inside, *arguments, **more):
    told, done = plans(inside, *arguments, **more)
    assert "plans" in told, told
    found = [plan["notes"] for plan in (each.get("plan", each) for each in told["plans"])]
    for note in found[0]:
        assert f"note: {note}" in done.stderr
    return found


def error(inside, *arguments, **more):
    told, done = plans(inside, *arguments, **more)
    assert done.returncode == 2
    assert told["error"]["code"] == "no-effect"
    return told["error"]["summary"]


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        (["--set", "batch=8"], f"--set batch=8: batch has no effect {ONE_AT_A_TIME}"),
        (["--set", "batch=8", "--mode", "accuracy"], f"--set batch=8: batch has no effect {ONE_AT_A_TIME}"),
        (["--set", "batch=8", "--scenario", "sustained"],
         "--set batch=8: batch has no effect in scenario sustained: it answers one sample at a time"),
        (["--accelerator", "cpu:2", "--mode", "performance"],
         f"--accelerator: accelerator has no effect {ONE_AT_A_TIME}"),
        (["--scenario", "offline", "--set", "percentile=0.95"],
         "--set percentile=0.95: percentile has no effect in scenario offline: it does not use it"),
        (["--set", "performance_data_path=."],
         "--set performance_data_path=.: performance_data_path has no effect without performance_dataset: the timed "
         "run uses the samples of dataset"),
    ],
)  # fmt: skip
def test_what_misleads_is_refused_with_its_source(inside, arguments, summary):
    assert error(inside, *arguments) == summary


def test_run_files_and_variables_too(inside):
    (inside.folder / "run.yaml").write_text("rules: quick\nbatch: 4\n")
    assert error(inside, "--config", "run.yaml").startswith("run.yaml:2:1: batch has no effect")
    (inside.folder / "run.yaml").write_text("tasks: {product: {batch: 4}}\n")
    assert error(inside, "--config", "run.yaml").startswith("run.yaml:1:19: batch has no effect")
    summary = error(inside, env={"MLPERF_MOBILE_BATCH": "4"})
    assert summary.startswith("MLPERF_MOBILE_BATCH: batch has no effect")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", "batch=1"],
        ["--scenario", "offline", "--set", "batch=8"],
        ["--scenario", "offline", "--accelerator", "cpu:2", "--mode", "performance"],
        ["--accelerator", "cpu:2"],  # the accuracy run has two sessions
        ["--set", "percentile=0.95"],
        ["--set", "backend_options.shards=3"],
        ["--set", "cooldown_s=5", "--repeat", "2"],
        ["--set", "warmup_s=1", "--set", "min_query_count=9"],
        ["--mode", "submission", "--set", "warmup_s=1"],
        ["--mode", "accuracy", "--set", "performance_sample_count=10"],  # samples of one query to LoadGen
    ],
)
def test_what_has_an_effect_is_not_mentioned(inside, arguments):
    assert {tuple(each) for each in notes(inside, *arguments)} == {()}


@pytest.mark.parametrize(
    ("arguments", "key", "why"),
    [
        *((["--mode", "accuracy", "--set", f"{key}={value}"], key, "in mode accuracy: nothing is timed")
          for key, value in {
              "warmup_s": 1, "min_query_count": 9, "min_duration_s": 1, "max_duration_s": 99, "percentile": 0.95,
              "expected_latency_ns": 7, "telemetry_interval_s": 2, "rules": "quick",
          }.items()),
        (["--mode", "performance", "--set", "quality.metric=exact", "--set", "quality.reference=0.5"],
         "quality.reference", "in mode performance: no accuracy is measured"),
        (["--set", "cooldown_s=5"], "cooldown_s", "in a campaign of one performance run"),
        (["--mode", "performance", "--set", "backend_options.shards=3"], "backend_options.shards", ONE_AT_A_TIME),
    ],
)  # fmt: skip
def test_what_is_left_over_is_reported(inside, arguments, key, why):
    (found,) = notes(inside, *arguments)
    assert [note for note in found if note.endswith(f": {key} has no effect {why}")]


def test_a_dry_run_shows_it(inside):
    done = inside("run", "product", "--backend", "toy", "--dry-run", "--mode", "accuracy", "--set", "warmup_s=1")
    assert "note: --set warmup_s=1: warmup_s has no effect in mode accuracy: nothing is timed" in done.stdout


def test_a_result_shows_it(command):
    result, _ = command.run("--mode", "accuracy", "--set", "min_query_count=9")
    assert any(note.startswith("--set min_query_count=9: min_query_count has no effect") for note in result["notes"])
    shown = command("show", result["directory"])
    assert "min_query_count has no effect" in shown.stdout


def test_what_one_benchmark_of_several_honours_is_not_refused(inside):
    (inside.folder / "run.yaml").write_text(
        "tasks: {product: {scenario: offline}, mine: {scenario: single-stream, model: m.toy, dataset: vectors}}\n"
        "batch: 4\n"
    )
    (inside.folder / "m.toy").write_text('{"factor": 2}')
    told = plans_of_two(inside)
    by_task = {plan["task"]: plan for plan in told}
    assert (by_task["product"]["batch"], by_task["product"]["notes"]) == (4, [])
    assert by_task["mine"]["batch"] == 1
    assert by_task["mine"]["notes"] == [f"run.yaml:2:1: batch has no effect {ONE_AT_A_TIME}"]


def plans_of_two(inside):
    inside.write_plugin(
        "mine",
        """
        from mlperf_mobile.plugin import DatasetInfo, Ref, TaskInfo, hookimpl

        @hookimpl
        def mlperf_mobile_tasks():
            yield TaskInfo(
                name="mine", summary="as product", task=Ref("toy_parts:Product"), settings="mine_settings:task.yaml",
                options=Ref("toy_parts:TaskOptions"), hook_api=(2, 0),
            )

        @hookimpl
        def mlperf_mobile_datasets():
            yield DatasetInfo(
                name="mine_vectors", summary="as vectors", dataset=Ref("toy_parts:Vectors"), tasks=("mine",),
                needs_path=False, options=Ref("toy_parts:DatasetOptions"), hook_api=(2, 0),
            )
        """,
        files={"mine_settings/__init__.py": "", "mine_settings/task.yaml": "dataset: mine_vectors\n"},
    )
    text = (inside.folder / "run.yaml").read_text().replace("dataset: vectors", "dataset: mine_vectors")
    (inside.folder / "run.yaml").write_text(text)
    done = inside("run", "--config", "run.yaml", "--backend", "toy", "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert "plans" in told, told
    return [each.get("plan", each) for each in told["plans"]]


def test_what_a_suite_sets_is_never_refused(inside):
    suites = "benchmarks: {b: {task: product, suites: [batches], settings: {batch: 8}}}\n"
    inside.write_plugin(
        "batches",
        """
        from mlperf_mobile.plugin import SuitesInfo, hookimpl

        @hookimpl
        def mlperf_mobile_suites():
            yield SuitesInfo(settings="batch_settings:suites.yaml", hook_api=(2, 0))
        """,
        files={"batch_settings/__init__.py": "", "batch_settings/suites.yaml": suites},
    )
    (found,) = notes(inside, "--suite", "batches", task="b")
    assert found == []
