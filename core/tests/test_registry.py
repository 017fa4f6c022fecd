"""The registry leaves out what is broken, says why, and keeps everything else."""

from __future__ import annotations

import signal
import sys
from textwrap import dedent

import pytest

from mlperf_mobile import installed, patience, picking
from mlperf_mobile.errors import UsageError
from mlperf_mobile.installed import entry_points
from mlperf_mobile.picking import pick
from mlperf_mobile.plugin import PROJECT
from mlperf_mobile.problems import Source, duplicate
from mlperf_mobile.registry import Registry

HEAD = """
from mlperf_mobile.plugin import (
    BackendInfo, DatasetInfo, EnvFact, ObserverInfo, Ref, ScenarioInfo, SuitesInfo, TaskInfo, hookimpl,
)

def backend(name, **more):
    fields = dict(summary="a test", vendor="v", backend=Ref("nowhere:B"), model_formats=("x",), hook_api=(2, 0))
    return BackendInfo(name=name, **(fields | more))
"""

GOOD = """
@hookimpl
def mlperf_mobile_backends():
    yield backend("good")
"""


class Site:
    """A folder of installed distributions that nothing else sees."""

    def __init__(self, folder):
        self.folder = folder

    def install(self, name, code, *, module=None, entries=None, version="1.0", head=HEAD):
        """A distribution of one module; its entry points are named like the distribution unless given."""
        module = module or f"registry_case_{name.replace('-', '_')}"
        (self.folder / f"{module}.py").write_text(head + dedent(code))
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{key} = {value}" for key, value in (entries or {name: module}).items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{PROJECT}]", *lines, ""]))

    def registry(self, **more):
        return Registry(entry_points(PROJECT, [str(self.folder)]), **more)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("MLPERF_MOBILE_BLOCK", raising=False)
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def only_problem(registry):
    (problem,) = registry.problems
    return problem


AT_IMPORT = {
    "missing dependency": ("import a_module_that_is_not_there", "a_module_that_is_not_there"),
    "exception": ("raise RuntimeError('licence [server] is\\ndown')", "RuntimeError: licence [server] is down"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def", "SyntaxError"),
    "end of the process": ("import os; os._exit(0)", "RuntimeError: registry_case_bad called os._exit(0), which would"),
    "no text": ("raise NotImplementedError", "NotImplementedError"),
    "endless message": ("raise ValueError('x' * 10_000)", "ValueError: xxx"),
}


@pytest.mark.parametrize(("code", "reason"), AT_IMPORT.values(), ids=AT_IMPORT)
def test_import_failed(site, code, reason):
    site.install("good", GOOD)
    site.install("bad", code)
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "import-failed"
    assert reason in problem.reason
    assert len(problem.reason) <= 300
    assert str(problem.source) == "bad 1.0"
    assert "MLPERF_MOBILE_BLOCK=bad" in problem.fix
    assert list(registry.backends) == ["good"]


@pytest.mark.parametrize("target", ["a_module_that_is_not_there", "registry_case_bad:no_such_attribute"])
def test_entry_point_to_nowhere(site, target):
    site.install("good", GOOD)
    site.install("bad", "", entries={"bad": target})
    assert only_problem(site.registry()).code == "import-failed"


def test_an_object_that_cannot_be_looked_at_is_left_out(site):
    """Registering lists attributes, and a lazy module may do anything then."""
    code = """
    class Lazy:
        def __dir__(self):
            raise RuntimeError("no licence")
    lazy = Lazy()
    """
    site.install("good", GOOD)
    site.install("bad", code, entries={"bad": "registry_case_bad:lazy"})
    registry = site.registry()
    assert only_problem(registry).code == "import-failed"
    assert list(registry.backends) == ["good"]


def test_prints_of_plugins_go_to_stderr(site, capsys):
    """Standard output belongs to ``--json``."""
    code = """
    print("imported")

    @hookimpl
    def mlperf_mobile_backends():
        print("asked")
        yield backend("chatty")
    """
    site.install("chatty", code)
    assert list(site.registry().backends) == ["chatty"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split() == ["imported", "asked"]


IN_HOOK = {
    "raises": ("raise OSError('no driver')", "OSError: no driver"),
    "exits": ("raise SystemExit('bye')", "SystemExit: bye"),
    "raises halfway": ("yield backend('half'); raise RuntimeError('second one')", "RuntimeError: second one"),
    "ends the process": ("import os; os._exit(0)", "RuntimeError: registry_case_bad called os._exit(0)"),
    "nothing": ("pass", "TypeError"),
    "a number": ("return 5", "TypeError"),
    "a text": ("return 'backend'", "expected BackendInfo, got 'b'"),
    "another kind": ("yield backend('x'); yield EnvFact('a', 1)", "expected BackendInfo, got EnvFact"),
    "the class": ("yield BackendInfo", "expected BackendInfo"),
}


@pytest.mark.parametrize(("body", "reason"), IN_HOOK.values(), ids=IN_HOOK)
def test_hook_failed(site, body, reason):
    """What a hook returns counts only as a whole."""
    site.install("good", GOOD)
    site.install("bad", f"@hookimpl\ndef mlperf_mobile_backends():\n    {body}\n")
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "hook-failed"
    assert problem.reason.startswith("mlperf_mobile_backends: ")
    assert reason in problem.reason
    assert str(problem.source) == "bad 1.0"
    assert list(registry.backends) == ["good"]


@pytest.mark.parametrize(
    "field",
    [
        "needs=5", "needs=('the SDK',)", "accelerators='cpu'", "accelerators=()", "accelerators=(1,)", "summary=None",
        "model_formats=['x']", "model_formats=None", "vendor=b'v'", "backend='nowhere:B'", "backend=None", "options=7",
        "capabilities={'batch'}", "capabilities=None",
    ],
)  # fmt: skip
def test_offers_with_impossible_fields(site, field):
    """They would break the listing of everybody's."""
    site.install("good", GOOD)
    body = f"    yield backend('fine')\n    yield backend('bad', {field})\n"
    site.install("bad", f"@hookimpl\ndef mlperf_mobile_backends():\n{body}")
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "hook-failed"
    told = "must not be empty" if field == "accelerators=()" else "should be"
    assert f"BackendInfo 'bad': {field.partition('=')[0]} {told}" in problem.reason
    assert list(registry.backends) == ["good"]


def test_a_failing_hook_takes_only_its_own_kind(site):
    """The other hooks of the same plugin still count."""
    code = """
    @hookimpl
    def mlperf_mobile_tasks():
        raise RuntimeError("no tasks today")

    @hookimpl
    def mlperf_mobile_backends():
        yield backend("half")
    """
    site.install("half", code)
    registry = site.registry()
    assert only_problem(registry).code == "hook-failed"
    assert list(registry.backends) == ["half"]


@pytest.mark.parametrize(
    ("code", "expected", "named"),
    [
        ("@hookimpl\ndef mlperf_mobile_backend():\n    return ()", "unknown-hook", "mlperf_mobile_backend"),
        ("@hookimpl\ndef mlperf_mobile_backends(config):\n    return ()", "hook-signature", "config"),
        ("@hookimpl\ndef mlperf_mobile_environment(backend, device):\n    return ()", "hook-signature", "device"),
    ],
)
def test_hooks_that_do_not_fit(site, code, expected, named):
    site.install("good", GOOD)
    more = "@hookimpl\ndef mlperf_mobile_suites():\n    raise AssertionError('asked')\n"
    site.install("bad", f"{code}\n{more}")
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == expected
    assert named in problem.reason
    assert list(registry.backends) == ["good"]
    assert [source.plugin for source, _ in registry.plugins] == ["good"]


def test_optional_hooks_are_no_problem(site):
    """A plugin may be ahead of the core on purpose."""
    site.install("ahead", "@hookimpl(optionalhook=True)\ndef mlperf_mobile_someday():\n    return ()\n" + GOOD)
    registry = site.registry()
    assert registry.problems == []
    assert list(registry.backends) == ["good"]


@pytest.mark.parametrize(
    ("value", "told", "fix"),
    [
        ("(0, 9)", "hook API 0.9, the core uses 2.4", "pip install -U bad"),
        ("(3, 0)", "hook API 3.0, the core uses 2.4", "pip install -U mlperf-mobile"),
        ("(2, 5)", "hook API 2.5, the core uses 2.4", "pip install -U mlperf-mobile"),
        ("(1, 1)", "hook API 1.1, the core uses 2.4", "pip install -U bad"),
        ("(2,)", "the hook_api (2,), a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("(2, 0, 0)", "the hook_api (2, 0, 0), a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("None", "the hook_api None, a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("'2.0'", "the hook_api '2.0', a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("('2', '0')", "the hook_api ('2', '0'), a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("(None, None)", "the hook_api (None, None), a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("(2, '0')", "the hook_api (2, '0'), a tuple such as (2, 4) was expected", "pip install -U bad"),
        ("2.0", "the hook_api 2.0, a tuple such as (2, 4) was expected", "pip install -U bad"),
    ],
)
def test_hook_api(site, value, told, fix):
    """An offer for another hook API is left out; the other offers of the plugin are taken."""
    code = f"""
    @hookimpl
    def mlperf_mobile_backends():
        yield backend("other", hook_api={value})
        yield backend("mine")
    """
    site.install("bad", code)
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "hook-api"
    assert "'other'" in problem.reason
    assert told in problem.reason
    assert fix in problem.fix
    assert list(registry.backends) == ["mine"]


@pytest.mark.parametrize(
    "name", ["", "two words", "-x", ".x", "naïve", "a\nb", "a\x1b[31m", "x:y", None, 5, b"x", "a.b", "a/b"]
)
def test_bad_name(site, name):
    site.install("good", GOOD)
    site.install("bad", f"@hookimpl\ndef mlperf_mobile_backends():\n    yield backend({name!r})\n")
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "bad-name"
    assert repr(name) in problem.reason
    assert list(registry.backends) == ["good"]


def test_bad_names_of_files_with_suites(site):
    code = """
    @hookimpl
    def mlperf_mobile_suites():
        yield SuitesInfo(settings="x:my suites.yaml", hook_api=(2, 0))
        yield SuitesInfo(settings="x:suites.yaml", hook_api=(2, 0))
    """
    site.install("suites", code)
    registry = site.registry()
    assert only_problem(registry).code == "bad-name"
    assert list(registry.suites) == ["x/suites.yaml"]


def test_duplicates_across_distributions(site):
    """Nobody's backend is replaced by another one of its name: neither is taken, both are named."""
    twin = '@hookimpl\ndef mlperf_mobile_backends():\n    yield backend("{}")\n    yield backend("twin")\n'
    site.install("one", twin.format("first"))
    site.install("two", twin.format("second"), version="2.5")
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "duplicate"
    assert "'twin'" in problem.reason
    assert "one 1.0" in problem.reason
    assert "two 2.5" in problem.reason
    assert list(registry.backends) == ["first", "second"]
    assert list(site.registry(blocked=["two"]).backends) == ["first", "twin"]


def test_the_fix_of_a_duplicate_lists_every_choice(site):
    """The plugin that is named after the offer comes first, whatever the order in which they are found."""
    twin = '@hookimpl\ndef mlperf_mobile_backends():\n    yield backend("twin")\n'
    site.install("a-copy", twin)
    site.install("mlperf-backend-twin", twin)
    problem = only_problem(site.registry())
    assert problem.fix == (
        "to use that of mlperf-backend-twin 1.0, set MLPERF_MOBILE_BLOCK=a-copy; "
        "to use that of a-copy 1.0, set MLPERF_MOBILE_BLOCK=mlperf-backend-twin"
    )
    for choice in ("a-copy", "mlperf-backend-twin"):
        assert list(site.registry(blocked=[choice]).backends) == ["twin"]


def test_a_duplicate_whose_entry_points_have_one_name_is_resolved_by_uninstalling(site):
    twin = '@hookimpl\ndef mlperf_mobile_backends():\n    yield backend("twin")\n'
    site.install("one", twin, entries={"plugin": "registry_case_one"})
    site.install("two", twin, entries={"plugin": "registry_case_two"})
    assert only_problem(site.registry()).fix == (
        "to use that of one 1.0, pip uninstall two; to use that of two 1.0, pip uninstall one"
    )


def test_a_copy_of_a_plugin_of_this_project_comes_second(site):
    """The hint must not lead to the impostor."""
    sources = [Source("tflite", "a-backend-tflite", "9"), Source("tflite2", "mlperf-mobile-backend-tflite", "0.1.0")]
    assert duplicate("backend", "tflite", sources).fix.startswith("to use that of mlperf-mobile-backend-tflite 0.1.0,")


def test_duplicates_within_a_distribution(site):
    code = '@hookimpl\ndef mlperf_mobile_backends():\n    yield backend("twin")\n    yield backend("twin")\n'
    site.install("one", code)
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "duplicate"
    assert "one 1.0" in problem.reason
    assert list(registry.backends) == []


def test_the_same_name_in_two_kinds_is_no_duplicate(site):
    code = """
    @hookimpl
    def mlperf_mobile_backends():
        yield backend("same")

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(name="same", summary="", dataset=Ref("x:y"), tasks=("t",), hook_api=(2, 0))
    """
    site.install("one", code)
    registry = site.registry()
    assert registry.problems == []
    assert list(registry.backends) == list(registry.datasets) == ["same"]


def test_two_distributions_with_the_same_entry_point_name(site):
    """An entry point's name belongs to its distribution; both plugins are admitted."""
    site.install("one", GOOD.replace("good", "first"), entries={"plugin": "registry_case_one"})
    site.install("two", GOOD.replace("good", "second"), entries={"plugin": "registry_case_two"})
    registry = site.registry()
    assert registry.problems == []
    assert list(registry.backends) == ["first", "second"]
    assert [str(source) for source, _ in registry.plugins] == ["one 1.0", "two 1.0"]
    assert str(registry.backends["second"].source) == "two 1.0"


def test_one_module_under_two_entry_points_is_called_once(site):
    site.install("one", GOOD, entries={"a": "registry_case_one", "b": "registry_case_one"})
    registry = site.registry()
    assert list(registry.backends) == ["good"]
    assert [source.plugin for source, _ in registry.plugins] == ["a"]
    problem = only_problem(registry)
    assert (problem.code, problem.source.plugin) == ("duplicate", "b")
    assert "its entry points 'a' and 'b' are the same" in problem.reason


def test_an_entry_point_to_a_module_without_hooks(site):
    """A forgotten decorator, or the package instead of its plugin module."""
    site.install("good", GOOD)
    site.install("bad", GOOD.replace("@hookimpl", ""))
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "no-hooks"
    assert "bad = 'registry_case_bad' has no function that @hookimpl marks" in problem.reason
    assert list(registry.backends) == ["good"]


@pytest.mark.parametrize("name", ["ev\x1b[31mil", "two words", "-x", "naïve", "a/b"])
def test_names_of_entry_points_are_checked(site, name):
    site.install("good", GOOD)
    site.install("bad", "raise AssertionError('imported')", entries={name: "registry_case_bad"})
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == "bad-name"
    assert repr(name) in problem.reason
    assert "\x1b" not in problem.line()
    assert list(registry.backends) == ["good"]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("a_module_that_is_not_there.plugin", "names a module that does not exist: ModuleNotFoundError"),
        ("registry_case_bad:no_such_attribute", "names nothing: AttributeError"),
        ("registry_case_bad.py", "names a module that does not exist"),
    ],
)
def test_the_reason_names_the_entry_point(site, target, told):
    site.install("bad", "", entries={"bad": target})
    problem = only_problem(site.registry())
    assert f"its entry point bad = {target!r} {told}" in problem.reason


def test_a_plugin_for_a_newer_core_says_so(site):
    site.install("bad", "from mlperf_mobile.plugin import HologramInfo")
    problem = only_problem(site.registry())
    assert "HologramInfo" in problem.reason
    assert "if it needs a newer core, pip install -U mlperf-mobile" in problem.fix


@pytest.mark.parametrize(
    ("code", "problem_code"),
    [
        ("while True:\n    pass", "import-failed"),
        ("import time; time.sleep(600)", "import-failed"),
        ("@hookimpl\ndef mlperf_mobile_backends():\n    while True:\n        pass", "hook-failed"),
    ],
    ids=["busy import", "sleeping import", "hook"],
)
def test_a_plugin_that_hangs_is_left_out(site, monkeypatch, capsys, code, problem_code):
    monkeypatch.setattr(patience, "NOTICE_S", 0.05)
    monkeypatch.setattr(patience, "LIMIT_S", 1.0)  # a machine under load takes a while to import the good one
    site.install("good", GOOD)
    site.install("hangs", code)
    registry = site.registry()
    problem = only_problem(registry)
    assert problem.code == problem_code
    assert "takes more than 1 s" in problem.reason
    assert list(registry.backends) == ["good"]
    lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if "MLPERF_MOBILE_BLOCK=hangs leaves it out" in line]
    assert lines  # on a busy machine, one for the import, too, before that of the hook
    assert all(line.startswith("mlperf-mobile: waiting for ") for line in lines)
    assert len(lines) == len(set(lines))


def test_the_alarm_of_a_program_that_uses_this_as_a_library_is_kept(site):
    rang = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, 3600, 60)
    try:
        site.install("good", GOOD)
        assert list(site.registry().backends) == ["good"]
        signal.raise_signal(signal.SIGALRM)
        left, interval = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rang == [signal.SIGALRM]
    assert 0 < left <= 3600
    assert interval == 60


@pytest.mark.parametrize(
    "code", ["raise OSError('x')", "@hookimpl\ndef mlperf_mobile_backends():\n    raise OSError('x')"]
)
def test_debug_shows_the_line_of_the_plugin(site, code):
    site.install("bad", code)
    problem = only_problem(site.registry())
    text = problem.text(debug=True)
    assert f'File "{site.folder / "registry_case_bad.py"}", line' in text
    assert "raise OSError('x')" in text
    assert text.endswith(problem.line())
    assert problem.text(debug=False) == problem.line()


def test_a_distribution_without_metadata_is_survived(site):
    """An installation that was broken off leaves such folders."""
    site.install("good", GOOD)
    site.install("torn", GOOD.replace("good", "torn"))
    (site.folder / "torn-1.0.dist-info" / "METADATA").unlink()
    assert "good" in site.registry().backends


def test_blocked_plugins_are_not_even_imported(site, monkeypatch):
    site.install("good", GOOD)
    site.install("one", "raise RuntimeError")
    site.install("two", "raise RuntimeError")
    monkeypatch.setenv("MLPERF_MOBILE_BLOCK", "one,two,no-such-plugin")
    registry = site.registry()
    assert registry.problems == []
    assert list(registry.backends) == ["good"]
    assert "registry_case_one" not in sys.modules
    monkeypatch.delenv("MLPERF_MOBILE_BLOCK")
    assert [problem.source.plugin for problem in site.registry(blocked=["one"]).problems] == ["two"]


def test_environment_facts_survive_a_hook_that_raises(site):
    fact = "@hookimpl\ndef mlperf_mobile_environment({}):\n    {}\n"
    site.install("asks", fact.format("backend", "yield EnvFact('asked', backend)"))
    site.install("bad", fact.format("backend", "yield EnvFact('lost', 1); raise RuntimeError('no driver')"))
    site.install("ignores", fact.format("", "return [EnvFact('sdk', 2.5), EnvFact('debug', False)]"))
    site.install("wrong", fact.format("", "return {'a': 1}"))
    site.install("path", fact.format("", "return [EnvFact('path', __import__('pathlib').PurePosixPath('/x'))]"))
    registry = site.registry()
    assert registry.environment("tpu") == {"asked": "tpu", "sdk": 2.5, "debug": False, "path": "/x"}
    failed = {("hook-failed", "bad 1.0"), ("hook-failed", "wrong 1.0")}
    assert {(p.code, str(p.source)) for p in registry.failed_extras} == failed
    assert {(p.code, str(p.source)) for p in registry.problems} == failed


def test_a_hook_that_fails_for_every_backend_is_one_problem(site):
    code = """
    @hookimpl
    def mlperf_mobile_environment():
        raise RuntimeError("no driver")
    """
    site.install("bad", GOOD + dedent(code))
    registry = site.registry()
    for backend in ("one", "two", "three"):
        registry.environment(backend)
    assert only_problem(registry).reason == "mlperf_mobile_environment: RuntimeError: no driver"


def test_suites_files_with_wrong_fields_are_told_without_a_name(site):
    site.install("bad", "@hookimpl\ndef mlperf_mobile_suites():\n    yield SuitesInfo(settings=5, hook_api=(2, 0))\n")
    told = "mlperf_mobile_suites: TypeError: SuitesInfo: settings should be str, and is 5"
    assert only_problem(site.registry()).reason == told


@pytest.mark.parametrize("file", ["../../x.txt", "/etc/x", "a/b.txt", ".hidden", "", ".."])
def test_the_file_of_an_observer_stays_in_the_folder_of_the_run(site, file):
    code = f"""
    @hookimpl
    def mlperf_mobile_observers():
        yield ObserverInfo(name="m", summary="s", observer=Ref("x:O"), part=Ref("x:P"), file={file!r}, hook_api=(2, 0))
    """
    site.install("bad", code)
    registry = site.registry()
    assert not registry.observers
    told = "ObserverInfo 'm': file should be the name of a file in the run's folder, such as 'readings.jsonl', and is"
    assert f"{told} {file!r}" in only_problem(registry).reason


def test_every_kind_is_gathered(site):
    code = """
    @hookimpl
    def mlperf_mobile_tasks():
        return [TaskInfo(name="t", summary="", task=Ref("x:y"), settings="x:y", hook_api=(2, 0))]

    @hookimpl
    def mlperf_mobile_scenarios():
        return [ScenarioInfo(name="s", summary="", scenario=Ref("x:y"), settings="x:y", hook_api=(2, 0))]
    """
    site.install("many", code)
    registry = site.registry()
    assert (list(registry.tasks), list(registry.scenarios)) == (["t"], ["s"])
    assert registry.plugins[0][1] == ["mlperf_mobile_scenarios", "mlperf_mobile_tasks"]


def test_problems_as_records_and_lines(site):
    site.install("bad", "raise RuntimeError('x')")
    problem = only_problem(site.registry())
    assert problem.record() == {
        "code": "import-failed",
        "source": "bad 1.0",
        "reason": "RuntimeError: x",
        "fix": "update or uninstall it, or set MLPERF_MOBILE_BLOCK=bad",
    }
    assert problem.line() == f"problem[import-failed] bad 1.0: RuntimeError: x; {problem.fix}"


def test_pick_names_what_is_near(site):
    site.install("good", GOOD)
    registry = site.registry()
    assert pick("backend", "good", registry.backends, registry).info.name == "good"
    with pytest.raises(UsageError) as caught:
        pick("backend", "gold", registry.backends, registry, "--backend")
    assert caught.value.code == "unknown-backend"
    assert caught.value.line().endswith("--backend: no backend is called 'gold'; did you mean good?")
    with pytest.raises(UsageError, match="none is installed"):
        pick("task", "t", registry.tasks, registry)


@pytest.mark.parametrize(("kind", "name", "home"), [
    ("backend", "snpe", "mlperf-mobile-backend-snpe"),
    ("task", "object_detection", "mlperf-mobile-task-object-detection"),
])  # fmt: skip
def test_pick_names_the_distribution_of_this_project(site, monkeypatch, kind, name, home):
    """Where an offer of this project is not installed, the hint installs it."""
    core = installed.distribution("mlperf-mobile")
    monkeypatch.setattr(picking, "distribution", lambda name: core if name == "mlperf-mobile" else None)
    with pytest.raises(UsageError) as caught:
        pick(kind, name, {}, site.registry())
    assert caught.value.code == f"unknown-{kind}"
    assert caught.value.line().endswith(f"{kind} {name!r} is in {home}, which is not installed; pip install {home}")


def test_distributions_are_named_after_what_they_offer():
    """Every backend and task of this project is in the distribution that :func:`pick` names where it is missing.

    A distribution of several has a name of its own; where it is missing, the hint is to install all.
    """
    registry = Registry()
    known = installed.distribution("mlperf-mobile").with_extra("all")
    for kind, offers in (("backend", registry.backends), ("task", registry.tasks)):
        own = {name: offer.source.distribution for name, offer in offers.items() if offer.source.distribution in known}
        homes = list(own.values())
        alone = {name: home for name, home in own.items() if homes.count(home) == 1}
        assert alone == {name: f"mlperf-mobile-{kind}-{name}".replace("_", "-") for name in alone}
        assert {each for each in known if f"-{kind}-" in each} == set(own.values())


def test_pick_says_why_something_was_left_out(site):
    site.install("old", GOOD.replace('"good"', '"old-one", hook_api=(0, 1)'))
    registry = site.registry()
    with pytest.raises(UsageError, match=r"left out: .* uses hook API 0\.1") as caught:
        pick("backend", "old-one", registry.backends, registry)
    assert caught.value.hint == "pip install -U old"


def test_installed_entry_points_are_found_by_default(monkeypatch):
    monkeypatch.delenv("MLPERF_MOBILE_BLOCK", raising=False)
    registry = Registry()
    assert {"single-stream", "offline"} <= set(registry.scenarios)
    assert registry.scenarios["offline"].source.distribution == "mlperf-mobile"


@pytest.mark.parametrize(
    ("distribution", "code", "asked", "hook"),
    [
        ("acme", "import a_module_that_is_not_there", "acme", ""),
        ("mlperf-mobile-backend-acme", "import a_module_that_is_not_there", "acme", ""),
        (
            "acme-npu", "@hookimpl\ndef mlperf_mobile_backends():\n    import a_module_that_is_not_there", "acme_npu",
            "mlperf_mobile_backends: ",
        ),
    ],
)  # fmt: skip
def test_pick_says_that_the_plugin_failed(site, distribution, code, asked, hook):
    site.install("good", GOOD)
    site.install(distribution, code, module="registry_case_failing")
    registry = site.registry()
    with pytest.raises(UsageError) as caught:
        pick("backend", asked, registry.backends, registry, "--backend")
    assert caught.value.code == "unknown-backend"
    assert caught.value.summary == (
        f"--backend: backend {asked!r} is left out: {distribution} 1.0 failed: {hook}"
        "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
    )
    assert "update or uninstall it" in caught.value.hint


def test_pick_names_failed_plugins_that_may_have_had_it(site):
    site.install("good", GOOD)
    site.install("acme", "raise OSError('no driver')")
    registry = site.registry()
    with pytest.raises(UsageError) as caught:
        pick("backend", "gold", registry.backends, registry)
    assert caught.value.hint == ("did you mean good?; it may be in a plugin that failed: acme 1.0 (OSError: no driver)")


def test_pick_does_not_mix_kinds(site):
    """A task that two plugins offer says nothing about a backend of the same name, and a data set is found as such."""
    site.install("old", GOOD.replace('"good"', '"same", hook_api=(0, 1)'))
    site.install(
        "data",
        """
        @hookimpl
        def mlperf_mobile_datasets():
            yield DatasetInfo(name="pictures", summary="", dataset=Ref("x:y"), tasks=(), hook_api=(0, 1))
        """,
    )
    registry = site.registry()
    with pytest.raises(UsageError, match="no task is called 'same'"):
        pick("task", "same", registry.tasks, registry)
    with pytest.raises(UsageError, match=r"'pictures' is left out: .* uses hook API"):
        pick("dataset", "pictures", registry.datasets, registry)
