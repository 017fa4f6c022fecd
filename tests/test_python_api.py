"""``import mlperf_mobile``: the same runs, plans, results and errors as those of the command."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mlperf_mobile
from mlperf_mobile import api, events
from mlperf_mobile.errors import OutputError, UsageError
from mlperf_mobile.results.columns import COLUMNS, ENDING
from mlperf_mobile.results.model import Result
from mlperf_mobile.terminal import notebook
from mlperf_mobile.terminal.tables import MOST_ROWS, results_html

SHORT = {"backend": "toy", "warmup_s": 0.05, "min_duration_s": 0.1, "mode": "performance", "telemetry_interval_s": 0}


@pytest.fixture
def here(tmp_path, monkeypatch, inside):
    """An empty folder, with the stand-in plugins installed."""
    for name, value in inside.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).with_name("stand_ins"))
    return tmp_path


def without_identity(plan):
    """What two plans of the same request have in common."""
    return {key: value for key, value in plan.items() if key not in ("run_id", "created", "sources", "estimated_s")}


class TestPlanning:
    @pytest.mark.parametrize(
        ("arguments", "settings"),
        [
            (("product",), {}),
            (("product", "--set", "sleep_s=0.5", "--rules", "rapid"), {"sleep_s": 0.5, "rules": "rapid"}),
            (("product", "--set", "seeds.qsl=5"), {"seeds": {"qsl": 5}}),
            (("product", "--sweep", "sleep_s=0,0.1", "--sweep", "batch=1,2", "--scenario", "offline"),
             {"sweep": {"sleep_s": [0, 0.1], "batch": (1, 2)}, "scenario": "offline"}),
            (("--suite", "toys"), {"suite": "toys"}),
        ],
    )  # fmt: skip
    def test_is_that_of_the_command(self, here, inside, arguments, settings):
        done = inside("run", *arguments, "--backend", "toy", "--dry-run", "--json")
        told = [without_identity(plan) for plan in json.loads(done.stdout)["plans"]]
        tasks = [each for each in arguments[:1] if not each.startswith("-")]
        found = mlperf_mobile.plan(*tasks, backend="toy", **settings)
        assert [without_identity(plan.to_json()) for plan in found] == told
        assert len(told) > 0

    def test_text_is_that_of_a_dry_run(self, here, inside):
        done = inside("run", "product", "--backend", "toy", "--dry-run", "--set", "sleep_s=0.5")
        text = str(mlperf_mobile.plan("product", backend="toy", sleep_s=0.5))
        as_flags = text.replace("argument backend", "--backend").replace("argument sleep_s", "--set sleep_s=0.5")
        assert [line.split() for line in as_flags.splitlines()] != []
        assert [line.split()[:2] for line in as_flags.replace("argument tasks", "command line").splitlines()] == [
            line.split()[:2] for line in done.stdout.rstrip("\n").splitlines()
        ]

    def test_paths_and_run_files_are_taken(self, here):
        (here / "mine.toy").write_text('{"factor": 2}')
        (here / "run.yaml").write_text("sleep_s: 0.25\n")
        (plan,) = mlperf_mobile.plan("product", config=here / "run.yaml", model=here / "mine.toy", backend="toy")
        assert plan.model.path == here / "mine.toy"
        assert plan.backend_options["sleep_s"] == 0.25

    def test_environment_variables_are_weaker(self, here, monkeypatch):
        monkeypatch.setenv("MLPERF_MOBILE_SLEEP_S", "0.25")
        assert mlperf_mobile.plan("product", backend="toy")[0].backend_options["sleep_s"] == 0.25
        assert mlperf_mobile.plan("product", backend="toy", sleep_s=0.5)[0].backend_options["sleep_s"] == 0.5

    @pytest.mark.parametrize(
        ("settings", "code", "words"),
        [
            ({"slep_s": 1}, "unknown-key", "argument slep_s: unknown key slep_s"),
            ({"sleep_s": "fast"}, "bad-value", "argument sleep_s"),
            ({"repeat": 0}, "bad-value", "not 1 to 100"),
            ({"backend": "nothing"}, "unknown-backend", "argument backend"),
            ({"device": ["a:b", "c:d"]}, "bad-device", "one address"),
            ({"sweep": {"sleep_s": []}}, "bad-value", "expected a list of values"),
            ({"sweep": {"sleep_s": range(10_000)}}, "too-many-runs", "10000 runs"),
            ({"sweep": {"sleep_s": 3}}, "bad-value", "expected a list of values"),
        ],
    )  # fmt: skip
    def test_mistakes_are_errors_with_a_code(self, here, settings, code, words):
        with pytest.raises(UsageError) as caught:
            mlperf_mobile.plan("product", **({"backend": "toy"} | settings))
        assert caught.value.code == code
        assert words in caught.value.line()


@pytest.fixture
def ran(here, processes):
    return mlperf_mobile.run(
        "product", **SHORT, sweep={"sleep_s": [0.001, 0.002]}, repeat=2, progress=False, rules="rapid"
    )


class TestRunning:
    def test_results_are_those_in_the_folder(self, ran, here):
        stored = mlperf_mobile.results("mlperf-mobile-results")
        assert len(ran) == 4
        assert {result.run_id for result in stored} == {result.run_id for result in ran}
        assert mlperf_mobile.load(ran[0].directory) == ran[0]
        assert mlperf_mobile.load(Path(ran[0].directory) / "result.json") == ran[0]
        assert [each.name for each in (here / "mlperf-mobile-results").glob("*.session.json")]

    def test_the_command_reads_them(self, ran, inside):
        assert "sleep_s" in inside("compare", "mlperf-mobile-results").stdout
        shown = json.loads(inside("show", ran[0].directory, "--json").stdout)
        assert Result.model_validate(shown) == ran[0]

    def test_a_failed_run_is_a_result(self, here, processes):
        (result,) = mlperf_mobile.run("product", **SHORT, progress=False, misbehave="raise")
        assert result.status == "failed"
        assert result.error
        assert not mlperf_mobile.results().valid

    def test_progress_is_text_outside_of_notebooks(self, here, processes, capfd):
        mlperf_mobile.run("product", **SHORT, rules="rapid")
        told = capfd.readouterr()
        assert "product double: performance" in told.err
        assert told.out == ""


class TestTheDataFrame:
    def test_has_numbers_and_booleans(self, ran):
        pandas = pytest.importorskip("pandas")
        frame = ran.frame()
        assert len(frame) == 4
        assert [*frame.columns[: len(COLUMNS)]] == [each.name for each in COLUMNS]
        assert [*frame.columns[-len(ENDING) :]] == [each.name for each in ENDING]
        assert all(
            pandas.api.types.is_float_dtype(frame[name]) for name in ("latency_p90_ns", "throughput", "accuracy")
        )
        assert all(pandas.api.types.is_bool_dtype(frame[name]) for name in ("valid", "submittable", "accuracy_passed"))
        assert all(pandas.api.types.is_integer_dtype(frame[name]) for name in ("queries", "samples"))
        assert frame["samples"].sum() == sum(result.performance.samples for result in ran)
        assert frame["accuracy"].isna().all()
        assert frame["created"].dt.tz is not None
        by_value = frame.groupby("swept.sleep_s")["latency_p50_ns"].median()
        assert by_value[0.002] > by_value[0.001] > 1e6

    def test_settings_keep_their_types(self, ran):
        pandas = pytest.importorskip("pandas")
        one, two = (
            ran[0].model_copy(update={"options": options, "swept": {}})
            for options in ({"n": 1, "on": True, "x": 1.5, "t": "a"}, {"n": 2})
        )
        frame = api.Results([one, two]).frame()
        kinds = {name: str(frame[f"option.{name}"].dtype) for name in ("n", "on", "x", "t")}
        assert kinds == {"n": "Int64", "on": "boolean", "x": "float64", "t": "object"}
        assert frame["option.on"].isna().tolist() == [False, True]
        assert pandas.isna(frame["option.x"][1])

    def test_no_results_have_the_columns(self):
        pytest.importorskip("pandas")
        assert [*api.Results([]).frame().columns] == [each.name for each in (*COLUMNS, *ENDING)]

    def test_without_pandas_the_error_names_the_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(UsageError, match="not installed") as caught:
            api.Results([]).frame()
        assert caught.value.hint == "pip install 'mlperf-mobile[pandas]'"


class TestNotebooks:
    def test_show_a_table_of_escaped_text(self, ran):
        hostile = ran[0].model_copy(update={"benchmark": "<script>alert(1)</script>\x1b[31m"})
        html = results_html(api.Results([hostile, *ran]))
        assert html.count("<tr>") == 6
        assert "<script>" not in html
        assert "\x1b" not in html
        assert "<th>sleep_s</th>" in html
        assert "more are not shown" in api.Results([ran[0]] * (MOST_ROWS + 3))._repr_html_()

    def test_show_plans(self, here):
        html = mlperf_mobile.plan("product", backend="toy")._repr_html_()
        assert "<td>toy/cpu</td>" in html

    def test_update_one_bar(self, monkeypatch):
        """With a display that keeps what it was given; a kernel's display does the same through messages."""
        shown: list[str] = []

        class Handle:
            def update(self, bar):
                shown.append(bar._repr_mimebundle_()["text/html"])

        module = type(sys)("IPython")
        module.display = type(sys)("IPython.display")
        module.get_ipython = type("Shell", (), {"kernel": object()})
        module.display.display = lambda bar, display_id: Handle()
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", module.display)
        assert notebook.in_notebook()
        with notebook.notebook_bar("a <b>") as listen:
            listen(events.Phase(name="warm-up"))
            listen(events.Progress(phase="performance", done=1, total=4, fraction=0.25, elapsed_s=1.0, left_s=3.0))
        assert shown[0] == "<progress></progress> a &lt;b&gt;: warm-up"
        assert shown[1] == '<progress value="0.250"></progress> a &lt;b&gt;: performance, 3 s left'
        assert "done" in shown[-1]

    def test_are_known_by_their_kernel(self, processes):
        """An interactive shell without a kernel is a terminal."""
        pytest.importorskip("IPython")
        code = (
            "from IPython.core.interactiveshell import InteractiveShell as Shell\n"
            "from mlperf_mobile.terminal.notebook import in_notebook, notebook_bar\n"
            "from mlperf_mobile import events\n"
            "from IPython.utils.capture import capture_output\n"
            "shell = Shell.instance()\n"
            "assert not in_notebook()\n"
            "shell.kernel = object()\n"
            "assert in_notebook()\n"
            "with capture_output() as told, notebook_bar('a run') as listen:\n"
            "    listen(events.Phase(name='load'))\n"
            "assert 'text/html' in told.outputs[0].data, told.outputs\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class TestThePackage:
    def test_keeps_its_functions_when_submodules_are_imported(self, processes):
        code = (
            "import mlperf_mobile.plan, mlperf_mobile.results.store\n"
            "from mlperf_mobile.plan import Plan\n"
            "import mlperf_mobile\n"
            "assert callable(mlperf_mobile.plan) and callable(mlperf_mobile.results)\n"
            "from mlperf_mobile import plan, run\n"
            "assert plan is mlperf_mobile.plan\n"
            "assert {'load', 'plan', 'results', 'run'} <= set(dir(mlperf_mobile))\n"
            "import pickle; assert pickle.loads(pickle.dumps(Plan)) is Plan\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_has_no_other_attributes(self):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            mlperf_mobile.nothing  # noqa: B018

    @pytest.mark.parametrize("name", mlperf_mobile.__all__)
    def test_functions_are_typed_and_documented(self, name):
        function = getattr(mlperf_mobile, name)
        signature = inspect.signature(function)
        assert "Raises:" in function.__doc__
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_a_folder_without_results_is_an_error(here, place):
    (here / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder of results"):
        mlperf_mobile.results(place)
