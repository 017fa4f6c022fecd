"""Files in which plugins list suites: an error in one is a problem with its place, and leaves the others alone."""

from __future__ import annotations

import sys
from importlib.metadata import distributions

import pytest

from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.selection import Request, select
from mlperf_mobile.config.suites import suites
from mlperf_mobile.errors import UsageError
from mlperf_mobile.installed import distribution
from mlperf_mobile.plugin import PROJECT
from mlperf_mobile.registry import Registry

PLUGIN = """
from mlperf_mobile.plugin import Ref, SuitesInfo, TaskInfo, hookimpl

@hookimpl
def mlperf_mobile_tasks():
    yield TaskInfo(name="{name}-task", summary="", task=Ref("nowhere:T"), settings="nowhere:t.yaml", hook_api=(2, 0))

@hookimpl
def mlperf_mobile_suites():
    yield SuitesInfo(settings="suites_of_{name}:s.yaml", hook_api=(2, 0))
"""
GOOD = """\
suites:
  r9: {summary: round nine, settings: {seeds: {qsl: 1, sample_index: 2, schedule: 3}}}
benchmarks:
  first: {task: good-task, summary: the first, suites: [r9, extra], settings: {rules: rapid}}
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs distributions that list suites, by name, and returns the registry of these alone."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("MLPERF_MOBILE_BLOCK", raising=False)
    before = set(sys.modules)

    def install(**files):
        for name, text in files.items():
            (tmp_path / f"plugin_of_{name}.py").write_text(PLUGIN.format(name=name))
            for folder, file, content in (
                (f"suites_of_{name}", "__init__.py", b""),
                (f"suites_of_{name}", "s.yaml", text if isinstance(text, bytes) else text.encode()),
                (f"{name}-1.0.dist-info", "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()),
                (f"{name}-1.0.dist-info", "entry_points.txt", f"[{PROJECT}]\n{name} = plugin_of_{name}\n".encode()),
            ):
                (tmp_path / folder).mkdir(exist_ok=True)
                (tmp_path / folder / file).write_bytes(content)
        return Registry([entry for dist in distributions(path=[str(tmp_path)]) for entry in dist.entry_points])

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_suite_is_composed_of_what_all_plugins_list(installed):
    more = "benchmarks: {second: {task: more-task, suites: [r9], settings: {rules: quick}}}\n"
    registry = installed(good=GOOD, more=more)
    found = suites(registry)
    assert {name: list(suite.benchmarks) for name, suite in found.items()} == {
        "r9": ["first", "second"], "extra": ["first"],
    }  # fmt: skip
    assert (found["r9"].summary, found["extra"].common) == ("round nine", None)
    common, own = found["r9"].benchmarks["second"].settings
    assert (common["seeds.schedule"].value, own["rules"].value) == (3, "quick")
    assert own["rules"].source == "suite suites_of_more/s.yaml:1:65"
    assert [str(each.source) for each in found["r9"].benchmarks.values()] == ["good 1.0", "more 1.0"]
    assert registry.problems == []


def test_offers_are_listed_without_reading_a_file(installed):
    registry = installed(bad="{")
    assert registry.problems == []
    assert list(registry.tasks) == ["bad-task"]
    suites(registry)
    assert [problem.code for problem in registry.problems] == ["yaml-syntax"]


def test_a_benchmark_under_another_name(installed):
    """A round may have a benchmark with other settings than the rounds after it."""
    text = (
        "benchmarks:\n"
        "  early: {task: a-task, name: b, suites: [r1], settings: {rules: quick}}\n"
        "  b: {task: a-task, suites: [r2], settings: {rules: rapid}}\n"
    )
    found = suites(installed(a=text))
    assert {name: suite.benchmarks["b"].settings[0]["rules"].value for name, suite in found.items()} == {
        "r1": "quick", "r2": "rapid",
    }  # fmt: skip


BAD = {
    "no YAML": ("benchmarks: [", "yaml-syntax", "1:14"),
    "no text": (b"benchmarks: \xff\xfe", "yaml-syntax", ""),
    "a list": ("- first\n", "yaml-syntax", "1:1"),
    "unknown part": ("benchmark: {}\n", "unknown-key", "1:1: unknown key benchmark"),
    "unknown key": ("benchmarks:\n  b: {task: bad-task, suite: [r9]}\n", "unknown-key", "2:23: unknown key"),
    "unknown key of a suite": ("suites:\n  r8: {seeds: {qsl: 1}}\n", "unknown-key", "2:8: unknown key suites.r8.seeds"),
    "no task": ("benchmarks:\n  b: {suites: [r9]}\n", "missing-key", "2:3: benchmarks.b.task is missing"),
    "task is a number": ("benchmarks: {b: {task: 7}}\n", "bad-value", "1:18: benchmarks.b.task: expected a"),
    "suites is a text": ("benchmarks: {b: {task: t, suites: r9}}\n", "bad-value", "1:27: benchmarks.b.suites: "),
    "suites of numbers": ("benchmarks: {b: {task: t, suites: [1.0]}}\n", "bad-value", "1:27: benchmarks.b.suites: "),
    "a suite twice": ("benchmarks: {b: {task: t, suites: [r9, r9]}}\n", "bad-value", "1:27: benchmarks.b.suites: "),
    "settings is a list": ("benchmarks: {b: {task: t, settings: []}}\n", "bad-value", "1:27: benchmarks.b.settings: "),
    "benchmark is a text": ("benchmarks: {b: t}\n", "bad-value", "1:14: benchmarks.b: expected a mapping"),
    "benchmarks is a list": ("benchmarks: []\n", "bad-value", "1:1: benchmarks: expected a mapping"),
    "official is a text": ("official: yes\n", "bad-value", "1:1: official: expected a mapping"),
    "half the seeds": (
        "suites:\n  r8:\n    settings: {rules: quick, seeds: {qsl: 1, schedule: 2}}\n", "missing-key",
        "3:38: seeds: a suite sets all of qsl, sample_index, schedule, or none",
    ),
    "a seed of a benchmark": ("benchmarks: {b: {task: t, settings: {seeds.qsl: 1}}}\n", "missing-key", "1:38: seeds: "),
    "a name that is a path": ("suites: {../r9: {summary: x}}\n", "bad-name", "1:10: '../r9' cannot be a name"),
    "a benchmark with a dot": (
        "benchmarks: {a.b: {task: t}}\n", "bad-name",
        "1:14: 'a.b' cannot be a benchmark: a dot separates the parts of a setting",
    ),
    "a benchmark that is a path": ("benchmarks: {a/b: {task: t}}\n", "bad-name", "1:14: 'a/b' cannot be a name"),
    "a key twice": ("benchmarks:\n  b: {task: t}\n  b: {task: t}\n", "duplicate-key", "3:3: benchmarks.b is set twice"),
    "a name twice": (
        "benchmarks:\n  b: {task: t, suites: [r9]}\n  c: {task: t, name: b, suites: [r9]}\n", "duplicate-key",
        "3:3: suite r9 already has a benchmark 'b'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "place"), BAD.values(), ids=BAD)
def test_what_is_wrong_with_a_file(installed, text, code, place):
    registry = installed(good=GOOD, bad=text)
    assert list(suites(registry)["r9"].benchmarks) == ["first"]
    (problem,) = registry.problems
    assert (problem.code, str(problem.source)) == (code, "bad 1.0")
    assert f"suites_of_bad/s.yaml:{place}" in problem.reason.replace("s.yaml: ", "s.yaml:")
    assert problem.fix


def test_a_file_that_is_not_there(installed, tmp_path):
    registry = installed(good=GOOD, bad="")
    (tmp_path / "suites_of_bad/s.yaml").unlink()
    assert list(suites(registry)["r9"].benchmarks) == ["first"]
    (problem,) = registry.problems
    assert (problem.code, str(problem.source)) == ("settings", "bad 1.0")


def test_a_task_that_is_not_installed(installed):
    text = "benchmarks:\n  b: {task: nowhere, suites: [r9]}\n  c: {task: bad-task, suites: [r9]}\n"
    registry = installed(good=GOOD, bad=text)
    assert list(suites(registry)["r9"].benchmarks) == ["c", "first"]
    (problem,) = registry.problems
    assert (problem.code, str(problem.source)) == ("unknown-task", "bad 1.0")
    assert "suites_of_bad/s.yaml:2:3: benchmark 'b' needs task 'nowhere', which is not installed" in problem.reason


def test_the_same_benchmark_of_two_distributions(installed):
    """Neither is taken, and the benchmark is in the other suites of either still."""
    text = "benchmarks: {first: {task: bad-task, suites: [r9, r8]}}\n"
    registry = installed(good=GOOD, bad=text)
    found = suites(registry)
    assert {name: list(suite.benchmarks) for name, suite in found.items()} == {
        "r9": [], "extra": ["first"], "r8": ["first"],
    }  # fmt: skip
    (problem,) = registry.problems
    assert problem.code == "duplicate"
    assert "suite 'r9/first' is offered by bad 1.0 and good 1.0, so none is used" in problem.reason


def test_a_suite_that_two_distributions_define(installed):
    """Nobody knows whose seeds hold, so nothing runs as this suite."""
    registry = installed(good=GOOD, bad="suites: {r9: {summary: mine}}\n")
    assert list(suites(registry)) == ["extra"]
    (problem,) = registry.problems
    assert "suite 'r9' is offered by bad 1.0 and good 1.0, so none is used" in problem.reason


def test_an_unknown_suite_names_the_tasks_to_install(installed, monkeypatch):
    core = distribution("mlperf-mobile")
    monkeypatch.setattr("mlperf_mobile.picking.distribution", lambda name: core if name == "mlperf-mobile" else None)
    with pytest.raises(UsageError) as caught:
        select(installed(good=GOOD), Request(flags={"suite": Setting("r8", "--suite")}))
    assert "suites come with tasks: pip install mlperf-mobile-task-" in caught.value.hint


@pytest.mark.parametrize("text", ["suites: {r8: {", "benchmarks: {b: {task: nowhere, suites: [r8]}}"])
def test_a_suite_that_is_left_out_is_explained_to_who_runs_it(installed, text):
    registry = installed(good=GOOD, bad=text)
    with pytest.raises(UsageError, match="no suite is called 'r8'") as caught:
        select(registry, Request(flags={"suite": Setting("r8", "--suite")}))
    assert caught.value.code == "unknown-suite"
    assert ("suites_of_bad/s.yaml:1:" in caught.value.hint) == text.startswith("suites")
