"""Where settings come from, and how everything that is wrong with them is told before anything starts."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from mlperf_mobile.testing.command import PROGRAM

MINE = """
    from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

    @hookimpl
    def mlperf_mobile_tasks():
        yield TaskInfo(name="mine", summary="a test", task=Ref("toy_parts:Product"), settings="mine_parts:task.yaml",
                       options=Ref("toy_parts:TaskOptions"), hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(name="mine-data", summary="a test", dataset=Ref("toy_parts:Vectors"), tasks=("mine",),
                          options=Ref("toy_parts:DatasetOptions"), hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_suites():
        yield SuitesInfo(settings="mine_parts:suites.yaml", hook_api=(2, 0))
"""
TASK = """\
    model: good
    dataset: mine-data
    data_path: .
    warmup_s: 0.02
    models:
      good: {file: good.toy, format: toy, sha256: 'SHA', datasets: [mine-data], task_options: {strength: 5}}
"""
SUITE = """\
    benchmarks:
      mine:
        task: mine
        suites: [minis]
        settings:
          warmup_s: 0.03
          runs: {single-stream: {tiny: {min_query_count: 3, min_duration_s: 0, max_duration_s: 0}}}
"""


def a_task(write_plugin, suite=SUITE, task=TASK):
    """Install the task ``mine`` and the suite ``minis``."""
    write_plugin(
        "mine",
        MINE,
        files={
            "mine_parts/__init__.py": "",
            "mine_parts/good.toy": '{"factor": 2}\n',
            "mine_parts/task.yaml": task.replace("SHA", "0" * 64),
            "mine_parts/suites.yaml": suite,
        },
    )


def planned(command, *arguments, **more):
    """The plan of a run that is not started."""
    told, done = command.json("run", *arguments, "--dry-run", **more)
    assert done.returncode == 0, done.stdout
    (plan,) = told["plans"]
    return plan


def refused(command, *arguments, **more):
    """The error of a run that never starts: one line, the same in JSON, and no trace of a result."""
    told, done = command.json("run", *arguments, **more)
    error = told["error"]
    assert error["exit_code"] == done.returncode
    assert done.stderr.splitlines()[-1].startswith(f"mlperf-mobile: error[{error['code']}]: ")
    assert len(done.stderr.splitlines()) == 1
    assert not command.results.exists()
    return error


class TestLayers:
    """The same setting in one layer after the other: the last one wins, and is named as its source."""

    STACK = ("defaults", "task", "suite", "file", "task in file", "environment", "flags")

    @pytest.mark.parametrize("top", STACK)
    def test_the_last_one_wins(self, command, write_plugin, top):
        level = self.STACK.index(top)
        a_task(
            write_plugin,
            task=TASK if level >= 1 else TASK.replace("warmup_s: 0.02", ""),
            suite=SUITE if level >= 2 else SUITE.replace("warmup_s: 0.03", "rules: normal"),
        )
        text = (
            ["backend: toy"]
            + ["", "warmup_s: 0.04"] * (level >= 3)
            + ["tasks: {mine: {warmup_s: 0.05}}"] * (level >= 4)
        )
        (command.folder / "run.yaml").write_text("\n".join(text))
        env = {"MLPERF_MOBILE_WARMUP_S": "0.06"} if level >= 5 else {}
        flags = ["--set", "warmup_s=0.07"] if level >= 6 else []
        plan = planned(command, "mine", "--suite", "minis", "--config", "run.yaml", *flags, env=env)
        expected = {
            "defaults": (0.5, None), "task": (0.02, "task mine:4:1"),
            "suite": (0.03, "suite mine_parts/suites.yaml:6:7"),
            "file": (0.04, "run.yaml:3:1"), "task in file": (0.05, "run.yaml:4:16"),
            "environment": (0.06, "MLPERF_MOBILE_WARMUP_S"), "flags": (0.07, "--set warmup_s=0.07"),
        }  # fmt: skip
        assert (plan["warmup_s"], plan["sources"].get("warmup_s")) == expected[top]
        assert plan["sources"]["backend"] == "run.yaml:1:1"

    def test_counts_come_from_the_scenario_the_task_the_suite_and_the_user(self, command, write_plugin):
        """The official counts are those of mobile_app_open's tasks.pbtxt."""
        a_task(write_plugin)
        one = ("mine", "--backend", "toy")
        load = planned(command, *one)["load"]
        assert (load["min_query_count"], load["min_duration_s"], load["max_duration_s"]) == (1024, 60, 600)
        load = planned(command, *one, "--scenario", "offline")["load"]
        assert (load["min_query_count"], load["min_duration_s"], load["max_duration_s"]) == (24576, 0, 0)
        plan = planned(command, *one, "--suite", "minis", "--rules", "tiny", "--set", "min_query_count=9")
        load = plan["load"]
        assert (load["min_query_count"], load["min_duration_s"], load["max_duration_s"]) == (9, 0, 0)
        assert plan["sources"]["min_query_count"] == "--set min_query_count=9"
        assert plan["sources"]["min_duration_s"] == "suite mine_parts/suites.yaml:7:57 (rules tiny)"
        toy = planned(command, "product", "--backend", "toy")
        assert toy["load"]["min_query_count"] == 100
        assert toy["sources"]["min_query_count"].startswith("task product:14:")

    def test_what_a_named_model_brings_along(self, command, write_plugin):
        a_task(write_plugin)
        plan = planned(command, "mine", "--backend", "toy")
        assert plan["task_options"]["strength"] == 5
        assert plan["sources"]["task_options.strength"] == "model good of task mine"
        assert planned(command, "mine", "--backend", "toy", "--set", "width=3")["task_options"]["width"] == 3
        again = planned(command, "mine", "--backend", "toy", "--set", "task_options.strength=6")
        assert again["task_options"]["strength"] == 6
        product = planned(command, "product", "--backend", "toy")
        assert product["quality"] == {
            "metric": "exact",
            "reference": 1.0,
            "ratio": 0.98,
            "at_least": None,
            "source": "arithmetic",
        }

    def test_options_by_their_short_names(self, command):
        plan = planned(
            command, "product", "--backend", "toy", "--set", "shards=3", "--set", "count=7", "--set", "width=5",
            "--set", "backend_options.strength=8",
        )  # fmt: skip
        assert (plan["backend_options"]["shards"], plan["backend_options"]["strength"]) == (3, 8)
        assert (plan["dataset"]["options"]["count"], plan["task_options"]["width"]) == (7, 5)
        assert plan["sources"]["dataset_options.count"] == "--set count=7"

    def test_settings_of_one_task_among_several(self, command, write_plugin):
        """In the file, in the environment, and in flags."""
        a_task(write_plugin)
        (command.folder / "run.yaml").write_text(
            "backend: toy\nscenario: offline\nbatch: 2\ntasks:\n"
            "  product: {batch: 3, width: 6}\n  mine: {rules: quick}\n"
        )
        env = {"MLPERF_MOBILE_TASKS__MINE__WARMUP_S": "0.25"}
        told, _ = command.json("run", "--config", "run.yaml", "--dry-run", "--set", "tasks.product.count=7", env=env)
        product, mine = told["plans"]
        assert (product["task"], product["batch"], product["rules"]) == ("product", 3, "normal")
        assert (product["task_options"]["width"], product["dataset"]["options"]["count"]) == (6, 7)
        assert (mine["task"], mine["batch"], mine["rules"], mine["warmup_s"]) == ("mine", 2, "quick", 0.25)
        assert (mine["task_options"]["width"], mine["dataset"]["options"]["count"]) == (4, 100)
        assert mine["sources"]["warmup_s"] == "MLPERF_MOBILE_TASKS__MINE__WARMUP_S"

    def test_tasks_on_the_command_line_replace_those_of_the_file(self, command, write_plugin):
        a_task(write_plugin)
        (command.folder / "run.yaml").write_text(
            "backend: toy\nscenario: offline\ntasks: {product: {batch: 3}, mine: {batch: 4}}\n"
        )
        assert planned(command, "mine", "--config", "run.yaml")["batch"] == 4

    def test_the_only_task_of_a_data_set_need_not_be_named(self, command):
        assert planned(command, "--dataset", "vectors", "--backend", "toy")["task"] == "product"

    def test_the_only_backend_for_a_format_need_not_be_named(self, command):
        assert planned(command, "product")["backend"] == "toy"

    def test_a_suite_runs_all_of_its_tasks(self, command, write_plugin):
        """Several distributions may contribute to one suite."""
        a_task(write_plugin)
        file = command.site / "mine_parts/suites.yaml"
        file.write_text(file.read_text().replace("[minis]", "[toys]"))
        told, _ = command.json("run", "--suite", "toys", "--backend", "toy", "--dry-run", "--rules", "quick")
        mine, product = told["plans"]
        assert [(plan["task"], plan["suite"]) for plan in (mine, product)] == [("mine", "toys"), ("product", "toys")]
        assert (mine["warmup_s"], product["warmup_s"]) == (0.03, 0.05)
        plan = planned(command, "product", "--suite", "toys")
        assert (plan["rules"], plan["sources"]["rules"]) == ("rapid", "suite toy_parts/suites.yaml:2:55")

    def test_offers_are_recorded(self, command):
        plan = planned(command, "product", "--backend", "toy")
        assert plan["offered_by"]["backend"] == plan["offered_by"]["task"] == "toy 1.0"
        assert plan["offered_by"]["scenario"].startswith("mlperf-mobile ")


WRONG_NAMES = {
    "task": (["prodct"], "unknown-task", "command line: no task is called 'prodct'", "product"),
    "backend": (["--backend", "tony"], "unknown-backend", "--backend: no backend is called 'tony'", "toy"),
    "dataset": (["--dataset", "vector"], "unknown-dataset", "--dataset: no dataset is called 'vector'", "vectors"),
    "scenario": (["--scenario", "ofline"], "unknown-scenario", "--scenario: no scenario is called 'ofline'", "offline"),
    "suite": (["--suite", "tosy"], "unknown-suite", "--suite: no suite is called 'tosy'", "toys"),
    "rules": (["--rules", "quik"], "unknown-rules", "--rules: scenario single-stream has no rules 'quik'", "quick"),
    "accelerator": (["--accelerator", "gpu"], "unknown-accelerator", "backend toy has no 'gpu'", "npu"),
    "mode": (["--mode", "accurate"], "bad-value", "--mode: Input should be 'performance'", "both"),
    "data of another task": (["--dataset", "mine-data"], "unknown-dataset", "does not serve task product", "vectors"),
    "task of another suite": (["mine", "--suite", "toys"], "unknown-task", "no benchmark or task 'mine'", "product"),
    "key": (["--set", "min_duraton_s=1"], "unknown-key", "--set min_duraton_s=1: unknown key", "min_duration_s"),
    "option": (["--set", "shard=1"], "unknown-key", "--set shard=1: unknown key shard", "shards"),
    "full option": (["--set", "task_options.with=1"], "unknown-key", "unknown key task_options.with", "width"),
    "option of what has none": (["--set", "scenario_options.x=1"], "unknown-key", "single-stream has no options", ""),
    "ambiguous": (["--set", "strength=1"], "ambiguous-key", "backend_options.strength or task_options", "full"),
    "value": (["--set", "shards=some"], "bad-value", "--set shards=some: backend_options.shards: ", ""),
    "no assignment": (["--set", "shards"], "set-syntax", "--set 'shards' is not key=value", "--set"),
    "max below min": (["--set", "max_duration_s=0.1"], "bad-value", "max_duration_s 0.1 is less than", ""),
    "no file": (["--config", "absent.yaml"], "run-file", "cannot read absent.yaml: No such file", "--config"),
    "no user": (["--output", "~no_such_user/x"], "bad-value", "the user does not exist", ""),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "summary", "near"), WRONG_NAMES.values(), ids=WRONG_NAMES)
def test_wrong_names(inside, write_plugin, arguments, code, summary, near):
    """Exit code 2, what is near is named, and nothing is started."""
    a_task(write_plugin)
    tasks = () if arguments[0] in ("prodct", "mine") or arguments[0] == "--suite" else ("product",)
    backend = () if "--backend" in arguments else ("--backend", "toy")
    error = refused(inside, *tasks, *backend, *arguments)
    assert error["code"] == code
    assert summary in error["summary"]
    assert near in error["summary"] + error["hint"]
    assert error["exit_code"] == 2


WRONG_FILES = {
    "unknown key": ("min_duraton_s: 5", "unknown-key", "run.yaml:3:1: unknown key min_duraton_s"),
    "wrong type": ("batch: many", "bad-value", "run.yaml:3:1: batch: Input should be a valid integer"),
    "duplicate": ("rules: quick\nrules: rapid", "duplicate-key", "run.yaml:4:1: rules is set twice"),
    "syntax": ("seeds: {qsl: 1", "yaml-syntax", "run.yaml:4:1: expected ',' or '}'"),
    "alias": ("seeds: &s {qsl: 1}\nquality: *s", "yaml-syntax", "run.yaml:4:10: aliases are not allowed"),
    "nested": ("seeds:\n    qsl: x", "bad-value", "run.yaml:4:5: seeds.qsl: "),
    "option": ("shards: x", "bad-value", "run.yaml:3:1: backend_options.shards: "),
    "options by full name": ("task_options: {wdth: 1}", "unknown-key", "run.yaml:3:16: unknown key task_options.wdth"),
    "not finite": ("warmup_s: .inf", "bad-value", "run.yaml:3:1: warmup_s: "),
    "not a number": ("min_duration_s: .nan", "bad-value", "run.yaml:3:1: min_duration_s: "),
    "suite is a list": ("suite: [toys]", "unknown-suite", "run.yaml:3:1: no suite is called ['toys']"),
    "scenario is nothing": ("scenario: {}", "unknown-scenario", "run.yaml:3:1: no scenario is called"),
    "counts": ("runs: {single-stream: {normal: {min_query_count: 0}}}", "bad-value", "run.yaml:3:33: min_query_count"),
    "endless": ("runs: {single-stream: {normal: {min_duration_s: .inf}}}", "bad-value", "min_duration_s"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "summary"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_wrong_run_files(inside, text, code, summary):
    (inside.folder / "run.yaml").write_text(f"tasks: [product]\nbackend: toy\n{text}\n")
    error = refused(inside, "--config", "run.yaml")
    assert (error["code"], error["exit_code"]) == (code, 2)
    assert summary in error["summary"]


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("tasks: 5", "run.yaml:1:1: tasks: expected a list of names"),
        ("tasks: [1]", "run.yaml:1:1: tasks: expected a list of names"),
        ("tasks: {product: 5}", "run.yaml:1:9: tasks.product: expected settings"),
    ],
)
def test_wrong_lists_of_tasks(inside, text, summary):
    (inside.folder / "run.yaml").write_text(text)
    error = refused(inside, "--config", "run.yaml", "--backend", "toy")
    assert error["code"] == "bad-value"
    assert summary in error["summary"]


@pytest.mark.parametrize("name", ["MLPERF_MOBILE_RULEZ", "MLPERF_MOBILE_SEEDS__QLS", "MLPERF_MOBILE_"])
def test_wrong_variables(inside, name):
    error = refused(inside, "product", "--backend", "toy", env={name: "1"})
    assert (error["code"], error["exit_code"]) == ("unknown-key", 2)
    assert error["summary"].startswith(f"{name}: ")


class TestModels:
    """A model that cannot be run is told before anything is started."""

    @pytest.mark.parametrize("path", ["absent.toy", "~no_such_user/m.toy", "folder", "x" * 300, ""])
    def test_missing(self, command, path):
        (command.folder / "folder").mkdir()
        error = refused(command, "product", "--backend", "toy", "--model", path)
        other = {"~no_such_user/m.toy": "bad-value", "folder": "model-files"}
        assert error["code"] == other.get(path, "model-missing")
        assert "--model: " in error["summary"]
        assert error["hint"]

    def test_near_names(self, command):
        error = refused(command, "product", "--backend", "toy", "--model", "duoble")
        assert (error["code"], error["exit_code"]) == ("model-missing", 3)
        assert "did you mean double?" in error["hint"]

    @pytest.mark.parametrize("backend", [["--backend", "toy"], []])
    def test_unknown_format(self, command, backend):
        (command.folder / "model.abc").touch()
        error = refused(command, "product", *backend, "--model", "model.abc")
        assert (error["code"], error["exit_code"]) == ("model-format", 3)
        assert "abc" in error["summary"]

    def test_the_format_can_be_given(self, command):
        (command.folder / "model.abc").touch()
        flags = ("--backend", "toy", "--model", "model.abc", "--set", "model_format=toy")
        assert planned(command, "product", *flags)["model"]["format"] == "toy"

    def test_names_that_are_no_text(self, command):
        """Linux allows any bytes in a file's name; a plan is JSON."""
        path = os.fsencode(command.folder) + b"/\xff.toy"
        os.close(os.open(path, os.O_CREAT))
        program = os.fsencode(PROGRAM)
        done = subprocess.run(
            [program, b"run", b"product", b"--model", path],
            env=command.environment(), capture_output=True, cwd=command.folder, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert b"error[bad-value]: --model: " in done.stderr
        assert b"not in UTF-8" in done.stderr


class TestData:
    def test_a_folder_is_needed(self, command, write_plugin):
        a_task(write_plugin, task=TASK.replace("data_path: .", ""))
        error = refused(command, "mine", "--backend", "toy")
        assert (error["code"], error["exit_code"]) == ("data-path", 4)
        assert "--data-path" in error["hint"]

    @pytest.mark.parametrize("path", ["absent", "~no_such_user", "x" * 300])
    def test_a_folder_that_is_not_there(self, command, write_plugin, path):
        a_task(write_plugin)
        error = refused(command, "mine", "--backend", "toy", "--data-path", path)
        assert error["exit_code"] == (2 if path.startswith("~") else 4)
        assert "--data-path: " in error["summary"]


class TestBackends:
    PLUGIN = """
        from mlperf_mobile.plugin import BackendInfo, Need, Ref, hookimpl

        @hookimpl
        def mlperf_mobile_backends():
            yield BackendInfo(name="acme", summary="", vendor="", backend=Ref("x:y"), model_formats=("{form}",),
                              needs=({needs}), options={options}, hook_api=(2, 0))
    """
    NEED = "Need(what='the SDK of Acme', fix='get it from acme.example', modules=('acme_sdk_absent',)),"

    def test_several_could_run_the_model(self, command, write_plugin):
        write_plugin("acme", self.PLUGIN.format(form="toy", needs="", options=None))
        error = refused(command, "product")
        assert (error["code"], error["exit_code"]) == ("no-backend", 2)
        assert "acme, toy" in error["hint"]

    def test_one_that_lacks_its_sdk_is_not_chosen(self, command, write_plugin):
        write_plugin("acme", self.PLUGIN.format(form="toy", needs=self.NEED, options=None))
        assert planned(command, "product")["backend"] == "toy"
        error = refused(command, "product", "--backend", "acme")
        assert (error["code"], error["exit_code"]) == ("backend-unusable", 5)
        assert "needs the SDK of Acme" in error["summary"]
        assert error["hint"] == "get it from acme.example"

    def test_the_nearest_of_several_that_lack_something_is_named(self, command, write_plugin):
        """One that a package completes comes before one that only a device has, and the CPU before an accelerator."""
        (command.folder / "model.abc").touch()
        library = "Need(what='a driver', fix='buy the device', libraries=('libabsent.so',)),"
        named = self.PLUGIN.replace('"acme"', '"{name}", accelerators={accelerators}')
        for name, needs, accelerators in [
            ("a_driver", library, ("cpu",)), ("b_npu", self.NEED, ("npu", "cpu")), ("c_cpu", self.NEED, ("cpu", "npu")),
        ]:  # fmt: skip
            code = named.format(name=name, form="abc", needs=needs, options=None, accelerators=accelerators)
            write_plugin(name, code)
        error = refused(command, "product", "--model", "model.abc")
        assert error["summary"] == "backend c_cpu needs the SDK of Acme"
        assert error["hint"] == "get it from acme.example"

    def test_a_backend_whose_plugin_failed(self, command, write_plugin):
        write_plugin("acme", "import absent_sdk")
        (command.folder / "model.abc").touch()
        error = refused(command, "product", "--backend", "acme")
        assert "--backend: backend 'acme' is left out: acme 1.0 failed: ModuleNotFoundError" in error["summary"]
        error = refused(command, "product", "--model", "model.abc")
        assert "acme 1.0 (ModuleNotFoundError: No module named 'absent_sdk')" in error["hint"]

    @pytest.mark.parametrize("code", ["import absent_sdk", "print('noise'); raise RuntimeError('no licence')"])
    def test_options_that_cannot_be_loaded(self, command, write_plugin, code):
        files = {"acme_options.py": code}
        plugin = self.PLUGIN.format(form="toy", needs="", options="Ref('acme_options:Options')")
        write_plugin("acme", plugin, files=files)
        error = refused_noisily(command, "product", "--backend", "acme")
        assert (error["code"], error["exit_code"]) == ("plugin-broken", 5)


def refused_noisily(command, *arguments):
    """Like ``refused``, where a plugin writes to standard output."""
    done = command("run", *arguments, "--json")
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == done.returncode
    assert not command.results.exists()
    return error


@pytest.mark.parametrize("settings", ["x = 1\n- y", "models: {good: {file: x}}"])
def test_a_task_whose_settings_are_broken(command, write_plugin, settings):
    """The plugin is named, not the user."""
    a_task(write_plugin, task=settings)
    error = refused(command, "mine", "--backend", "toy")
    assert "task mine" in error["summary"] or "models." in error["summary"]


def test_a_package_of_settings_that_cannot_be_imported(command, write_plugin):
    a_task(write_plugin)
    (command.site / "mine_parts" / "__init__.py").write_text("print('noise')\nraise RuntimeError('no licence')")
    error = refused_noisily(command, "mine", "--backend", "toy")
    assert error["code"] == "settings"
    assert "no licence" in error["summary"]


def test_dry_run_as_text(command):
    done = command("run", "product", "--backend", "toy", "--set", "shards=3", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("product: double on vectors, toy/cpu, single-stream, both\n")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines() if line.startswith("  ")}
    assert rows["backend_options.shards"] == "3 --set shards=3"
    assert rows["backend"] == "toy --backend"
    assert rows["seeds.qsl"] == "2465351861681999779 defaults"
    assert "timed run: at least 0.3 s and 100 queries or samples, at most 60 s" in done.stdout
    assert not command.results.exists()


def test_dry_run_as_json(command):
    told, _ = command.json("run", "product", "--backend", "toy", "--mode", "accuracy", "--dry-run")
    (plan,) = told["plans"]
    assert (plan["schema"], plan["mode"]) == (1, "accuracy")
    assert plan["estimated_s"] == {"at_least": 0.0, "at_most": None}
    assert not command.results.exists()
