"""Sweeps and repeated flags: which runs they make, in which order, and where the swept values are seen."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter

import pytest

from mlperf_mobile.campaigns.order import ordered
from mlperf_mobile.config.sweep import MOST_RUNS

SHORT = ("--backend", "toy", "--set", "warmup_s=0.05", "--set", "min_duration_s=0.1", "--mode", "performance")


def plans(command, *arguments):
    """The plans of a dry run."""
    done = command("run", "product", *SHORT, *arguments, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["plans"]


def swept(command, *arguments):
    return [plan["swept"] for plan in plans(command, *arguments)]


class TestTheRuns:
    def test_are_all_combinations(self, inside):
        found = swept(inside, "--sweep", "sleep_s=0.001,0.002", "--sweep", "min_query_count=8,9,10")
        assert len(found) == 6
        assert {(each["sleep_s"], each["min_query_count"]) for each in found} == {
            (sleep, count) for sleep in (0.001, 0.002) for count in (8, 9, 10)
        }

    def test_have_the_values_and_their_source(self, inside):
        (one, two) = plans(inside, "--sweep", "sleep_s=0.001,0.002")
        assert [each["backend_options"]["sleep_s"] for each in (one, two)] == [0.001, 0.002]
        assert one["sources"]["backend_options.sleep_s"] == "--sweep sleep_s=0.001,0.002"

    def test_a_repeated_flag_is_a_sweep(self, inside, tmp_path):
        for name, factor in (("a", 2), ("b", 3)):
            (tmp_path / f"{name}.toy").write_text(json.dumps({"factor": factor}))
        found = plans(inside, "--model", "a.toy", "--model", "b.toy", "--sweep", "sleep_s=0,0.001")
        assert Counter(plan["model"]["name"] for plan in found) == {"a": 2, "b": 2}
        assert found[0]["swept"] == {"model": "a.toy", "sleep_s": 0}

    def test_a_run_file_sweeps(self, inside, tmp_path):
        (tmp_path / "run.yaml").write_text("sweep:\n  sleep_s: [0, 0.001]\n  seeds: {qsl: [1, 2]}\n")
        found = plans(inside, "--config", "run.yaml")
        assert [plan["load"]["seeds"]["qsl"] for plan in found] == [1, 2, 1, 2]
        assert found[0]["sources"]["backend_options.sleep_s"] == "run.yaml:2:3"

    def test_a_flag_replaces_the_values_of_the_run_file(self, inside, tmp_path):
        (tmp_path / "run.yaml").write_text("sweep: {sleep_s: [0, 0.001]}\n")
        assert len(swept(inside, "--config", "run.yaml", "--sweep", "sleep_s=1,2,3")) == 3

    def test_a_weaker_setting_gives_way(self, inside, tmp_path):
        (tmp_path / "run.yaml").write_text("sleep_s: 5\n")
        found = plans(inside, "--config", "run.yaml", "--sweep", "sleep_s=0,0.001")
        assert [plan["backend_options"]["sleep_s"] for plan in found] == [0, 0.001]

    def test_quotes_keep_a_comma(self, inside):
        found = plans(inside, "--scenario", "offline", "--sweep", 'accelerator="cpu:2,npu",cpu')
        assert [plan["accelerators"] for plan in found] == [{"cpu": 2, "npu": None}, {"cpu": None}]

    def test_an_environment_variable_sweeps(self, inside):
        done = inside(
            "run", "product", *SHORT, "--dry-run", "--json", env={"MLPERF_MOBILE_SWEEP__SLEEP_S": "[0, 0.001]"}
        )
        assert len(json.loads(done.stdout)["plans"]) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--sweep", "sleep=1,2"), "unknown-key", "unknown key sleep; did you mean sleep_s"),
        (("--sweep", "sleep_s=1,1"), "bad-value", "has a value twice"),
        (("--sweep", "sleep_s="), "bad-value", "expected a list of values"),
        (("--sweep", "sleep_s"), "set-syntax", "not key=value,value"),
        (("--sweep", "sleep_s=a"), "bad-value", "backend_options.sleep_s"),
        (("--sweep", "sleep_s=[1"), "yaml-syntax", "--sweep sleep_s=[1"),
        (("--sweep", "suite=a,b"), "sweep", "one suite after the other"),
        (("--sweep", "device=a,b"), "sweep", "give several --device"),
        (("--sweep", "sleep_s=1,2", "--set", "sleep_s=3"), "no-effect", "sleep_s is swept"),
        (("--sweep", "sleep_s=1,2", "--set", "backend_options.sleep_s=3"), "no-effect", "is swept"),
        (("--sweep", "sleep_s=1,2", "--sweep", "backend_options.sleep_s=3"), "duplicate-key", "swept twice"),
        (("--sweep", "sleep_s=1,2", "--sweep", "sleep_s=3"), "duplicate-key", "given twice"),
        (("--sweep", "sleep_s=0,1", "--repeat", "100", "--sweep", "batch=1,2,3,4,5,6"), "too-many-runs", "1200"),
        (("--model", "a.toy", "--model", "b.toy", "--sweep", "model=c.toy"), "duplicate-key", "swept twice"),
        (("--model", "a.toy", "--model", "a.toy"), "bad-value", "has a value twice"),
        (("--suite", "a", "--suite", "b"), "bad-arguments", "--suite is given twice"),
        (("--repeat", "2", "--repeat", "3"), "bad-arguments", "--repeat is given twice"),
        (("--sweep", "batch=1,2"), "no-effect", "batch has no effect"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(inside, arguments, code, words):
    done = inside("run", "product", "--backend", "toy", *arguments, "--dry-run")
    lines = [line for line in done.stderr.splitlines() if line.startswith("mlperf-mobile: ")]
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(lines) == 1
    assert f"error[{code}]" in lines[0]
    assert words in lines[0]


def test_a_setting_that_a_later_flag_overrides_is_noted(inside):
    done = inside(
        "run", "product", "--backend", "toy", "--set", "sleep_s=1", "--set", "sleep_s=2", "--dry-run", "--json"
    )
    assert json.loads(done.stdout)["plans"][0]["backend_options"]["sleep_s"] == 2
    assert "note: --set sleep_s=1 is overridden by --set sleep_s=2" in done.stderr


def test_a_task_that_is_named_twice_is_refused(inside):
    done = inside("run", "product", "product", "--backend", "toy", "--dry-run")
    assert "error[duplicate-task]: command line: task product is named twice; to measure it twice" in done.stderr


def test_ten_thousand_runs_are_refused_without_planning_them(inside):
    values = ",".join(map(str, range(1, 10_001)))
    done = inside("run", "product", "--backend", "toy", "--sweep", f"min_query_count={values}", "--dry-run")
    assert f"10000 runs; a campaign has at most {MOST_RUNS}" in done.stderr
    assert len(done.stderr) < 300


def test_a_submission_is_no_sweep(inside):
    done = inside("run", "product", "--backend", "toy", "--mode", "submission", "--sweep", "sleep_s=0,1", "--dry-run")
    assert "a submission cannot be a sweep" in done.stderr


class TestTheOrder:
    """Repetitions are blocks with all combinations, each in another order."""

    @pytest.fixture
    def made(self, inside):
        from mlperf_mobile.plan import Plan

        return [
            Plan.model_validate({key: value for key, value in plan.items() if key != "estimated_s"})
            for plan in plans(inside, "--sweep", "min_query_count=1,2,3,4,5,6")
        ]

    @staticmethod
    def counts(runs):
        return [run.load.min_query_count for run in runs]

    def test_every_block_has_every_combination(self, made):
        runs = ordered(made, 4, seed=0)
        blocks = [self.counts(runs[start : start + 6]) for start in range(0, 24, 6)]
        assert all(sorted(block) == [1, 2, 3, 4, 5, 6] for block in blocks)
        assert len({tuple(block) for block in blocks}) == 4
        assert len({run.run_id for run in runs}) == 24

    def test_follows_from_the_seed(self, made):
        assert self.counts(ordered(made, 3, seed=7)) == self.counts(ordered(made, 3, seed=7))
        assert self.counts(ordered(made, 3, seed=7)) != self.counts(ordered(made, 3, seed=8))

    def test_a_drift_does_not_favour_a_combination(self, made):
        """With a drift by position, the mean positions of the combinations are alike over many blocks."""
        positions: dict[int, list[int]] = {}
        for place, count in enumerate(self.counts(ordered(made, 100, seed=1))):
            positions.setdefault(count, []).append(place % 6)
        means = [sum(each) / len(each) for each in positions.values()]
        assert max(means) - min(means) < 1  # in a fixed order it is 5

    def test_plans_without_a_sweep_keep_their_order(self, inside):
        from mlperf_mobile.plan import Plan

        (plan,) = (
            Plan.model_validate({key: value for key, value in plan.items() if key != "estimated_s"})
            for plan in plans(inside)
        )
        assert [run.benchmark for run in ordered([plan], 3, 0)] == ["product"] * 3


@pytest.fixture(scope="module")
def measured(shared_command):
    """A sweep of two settings, measured twice."""
    done = shared_command(
        "run", "product", *SHORT, "--sweep", "sleep_s=0.001,0.004", "--sweep", "min_query_count=10,20", "--repeat", "2",
        "--set", "sweep_seed=3", "--rules", "rapid", "--json", "--set", "telemetry_interval_s=0", "--quiet",
    )  # fmt: skip
    return json.loads(done.stdout)


class TestTheResults:
    def test_say_what_was_swept(self, measured):
        assert Counter(str(result["swept"]) for result in measured["results"]) == dict.fromkeys(
            (str({"sleep_s": sleep, "min_query_count": count}) for sleep in (0.001, 0.004) for count in (10, 20)), 2
        )

    def test_repetitions_are_those_of_one_combination(self, measured):
        assert len(measured["repeated"]) == 4
        assert all(len(each["scores"]) + each["left_out"] == 2 for each in measured["repeated"])
        assert {each["swept"] for each in measured["repeated"]} >= {"sleep_s=0.001, min_query_count=10"}

    def test_have_columns_in_csv(self, measured, shared_command):
        done = shared_command("report", "mlperf-mobile-results", "--csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert len(rows) == 8
        assert {(row["swept.sleep_s"], row["swept.min_query_count"]) for row in rows} == {
            (sleep, count) for sleep in ("0.001", "0.004") for count in ("10", "20")
        }

    def test_have_columns_in_markdown_and_comparisons(self, measured, shared_command):
        head = shared_command("report", "mlperf-mobile-results", "--markdown").stdout.splitlines()[2]
        assert "| SLEEP_S | MIN_QUERY_COUNT |" in head
        done = shared_command("compare", "mlperf-mobile-results")
        assert "SWEPT" in done.stdout
        assert "sleep_s=0.004, min_query_count=20" in done.stdout

    def test_have_a_chart_and_a_table_on_the_page(self, measured, shared_command):
        assert shared_command("report", "mlperf-mobile-results", "--output", "page.html").returncode == 0
        page = (shared_command.folder / "page.html").read_text()
        (part,) = page.split('class="sweeps"')[1:]
        section = part.split("<h3")[0]
        assert "against sleep_s" in section
        assert section.count('class="line line') == 4  # two lines, and their keys
        assert "min_query_count=20" in section

    def test_have_a_line_on_the_card(self, measured, shared_command):
        result = next(
            each for each in measured["results"] if each["swept"] == {"sleep_s": 0.004, "min_query_count": 20}
        )
        assert "sleep_s=0.004, min_query_count=20" in shared_command("show", result["directory"]).stdout

    def test_pass_the_check(self, measured, shared_command):
        done = shared_command("check", measured["results"][0]["directory"])
        errors = [line for line in done.stdout.splitlines() if line.strip().startswith("error")]
        assert all("valid: the result is INVALID" in line for line in errors)  # where the machine was too slow
        assert "own-no-round" not in done.stdout


def test_the_table_has_a_row_for_each_combination_best_first(command):
    done = command(
        "run", "product", *SHORT, "--sweep", "sleep_s=0.02,0.001", "--rules", "rapid", "--set", "min_query_count=5",
        "--set", "telemetry_interval_s=0", "--quiet",
    )  # fmt: skip
    table = done.stdout[done.stdout.index("\nsweep") :].split("\n")
    rows = [line.split() for line in table[2:] if line.strip() and line.strip()[0].isdigit()]
    assert table[2].split()[:2] == ["sleep_s", "score"]
    assert [row[0] for row in rows[:2]] == ["0.001", "0.02"]
    assert done.stdout.count("▇") > 1


def test_an_interrupted_sweep_is_resumed(installed):
    """The file of the campaign keeps the mixed order; finished runs stay, and the table has all of them."""
    import signal

    process = installed.start(
        "--sweep", "sleep_s=0.001,0.002,0.003", "--mode", "performance", "--set", "min_duration_s=1.5",
        "--rules", "rapid", "--set", "telemetry_interval_s=0",
    )  # fmt: skip
    installed.until(
        lambda _: list(installed.results.glob("2*")) and list(installed.results.glob(".*.partial")), process
    )
    process.send_signal(signal.SIGINT)
    process.communicate()
    (file,) = installed.results.glob("*.session.json")
    planned = [step["plan"]["swept"] for step in json.loads(file.read_text())["steps"]]
    done = installed("run", "--resume", file, "--quiet")
    assert [step["plan"]["swept"] for step in json.loads(file.read_text())["steps"]] == planned
    assert {step["state"] for step in json.loads(file.read_text())["steps"]} == {"done"}
    table = done.stdout[done.stdout.index("\nsweep") :]
    assert all(value in table for value in ("0.001", "0.002", "0.003"))


class TestTasksUnderNamesOfTheUser:
    def test_one_task_runs_twice_with_settings_of_its_own(self, inside, tmp_path):
        (tmp_path / "run.yaml").write_text(
            "tasks:\n  slow: {task: product, backend: toy, sleep_s: 0.01}\n  fast: {task: product, backend: toy}\n"
        )
        done = inside("run", "--config", "run.yaml", "--dry-run", "--json")
        found = json.loads(done.stdout)["plans"]
        assert [(plan["benchmark"], plan["task"], plan["backend_options"]["sleep_s"]) for plan in found] == [
            ("slow", "product", 0.01),
            ("fast", "product", 0),
        ]

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("tasks: {mine: {task: nothing}}", "unknown-task"), ("tasks: {mine: {backend: toy}}", "unknown-task"),
            ("tasks: {a/up: {task: product}}", "bad-name"), ("task: product", "unknown-key"),
            ("tasks: {product: {task: image_classification}}", "bad-name"),
            ("tasks: {my.v2: {task: product}}", "bad-name"), ("tasks: {my.task: {backend: toy}}", "bad-name"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named(self, inside, tmp_path, text, code):
        (tmp_path / "run.yaml").write_text(f"{text}\n")
        done = inside("run", "--config", "run.yaml", "--dry-run")
        assert f"error[{code}]" in done.stderr

    def test_a_suite_has_one_task_twice_with_mixed_backends(self, inside, write_plugin):
        """The second backend is the first one under another name."""
        write_plugin(
            "other",
            """
            from mlperf_mobile.plugin import BackendInfo, Ref, SuitesInfo, hookimpl

            @hookimpl
            def mlperf_mobile_backends():
                yield BackendInfo(name="other", summary="a test", vendor="nobody", backend=Ref("toy_parts:ToyBackend"),
                                  accelerators=("cpu",), model_formats=("toy",),
                                  options=Ref("toy_parts:BackendOptions"), hook_api=(2, 0))

            @hookimpl
            def mlperf_mobile_suites():
                yield SuitesInfo(settings="other_parts:suites.yaml", hook_api=(2, 0))
            """,
            files={
                "other_parts/__init__.py": "",
                "other_parts/suites.yaml": """
                    benchmarks:
                      on_toy: {task: product, suites: [both], settings: {backend: toy, rules: rapid}}
                      on_other: {task: product, suites: [both], settings: {backend: other, rules: rapid}}
                    """,
            },
        )
        done = inside("run", "--suite", "both", "--dry-run", "--json")
        found = json.loads(done.stdout)["plans"]
        assert {(plan["benchmark"], plan["backend"]) for plan in found} == {("on_toy", "toy"), ("on_other", "other")}
        done = inside("run", "--suite", "both", "on_other", "--dry-run", "--json")
        assert [plan["benchmark"] for plan in json.loads(done.stdout)["plans"]] == ["on_other"]
