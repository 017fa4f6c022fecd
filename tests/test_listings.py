"""The listings and the doctor, as users see them: tables, JSON, and plugins that misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mlperf_mobile.launch.probe import probe

LISTS = {"backends": "toy", "tasks": "product", "datasets": "vectors", "scenarios": "offline", "plugins": "toy"}
COMMON = {"name", "summary", "distribution", "version"}
FIELDS = {
    "backends": COMMON
    | {"vendor", "usable", "reason", "fix", "accelerators", "model_formats", "capabilities"},
    "tasks": COMMON,
    "datasets": COMMON | {"tasks", "needs_path"},
    "scenarios": COMMON,
    "plugins": {"name", "distribution", "version", "hooks", "conformance"},
}  # fmt: skip

BACKEND = """
    from mlperf_mobile.plugin import BackendInfo, Need, Ref, hookimpl

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(name={name!r}, summary="a test", vendor="v", backend=Ref({ref!r}), model_formats=("x",),
                          hook_api=(2, 0){more})
"""


@pytest.fixture
def command(installed):
    """Here, what a process does counts."""
    return installed


def a_backend(write_plugin, name, body="", more="", files=None):
    """Install a backend whose ``probe`` has this body."""
    code = (
        f"class B:\n    def __init__(self, options):\n        pass\n    def probe(self):\n        {body or 'raise'}\n"
        "    shards, compile, load = 1, probe, probe\n"
    )
    module = f"{name}_parts"
    plugin = BACKEND.format(name=name, ref=f"{module}:B", more=more)
    write_plugin(name, plugin, files={f"{module}.py": code} | (files or {}))


@pytest.mark.parametrize("kind", LISTS)
def test_tables(command, kind):
    done = command(f"list-{kind}")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.startswith("NAME")
    (row,) = [row for row in rows if row.split()[0] == LISTS[kind]]
    for title in head.split():
        column = head.index(title) if title not in ("USABLE", "HERE") else head.index("USABLE")
        assert row[column] != " "
        assert column == 0 or row[column - 1] == " "


@pytest.mark.parametrize("kind", LISTS)
def test_json(command, kind):
    told, done = command.json(f"list-{kind}")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(told) == {"schema", kind, "problems"}
    assert (told["schema"], told["problems"]) == (1, [])
    records = {record["name"]: record for record in told[kind]}
    assert all(set(record) == FIELDS[kind] for record in records.values())
    assert LISTS[kind] in records


def test_what_the_records_say(command):
    def record(kind):
        return next(r for r in command.json(f"list-{kind}")[0][kind] if r["name"] == LISTS[kind])

    assert record("backends") == {
        "name": "toy", "summary": "multiplies by a number (a stand-in for tests)", "distribution": "toy",
        "version": "1.0", "vendor": "nobody", "usable": True, "reason": "", "fix": "", "accelerators": ["cpu", "npu"],
        "model_formats": ["toy", "bin"], "capabilities": ["batch"],
    }  # fmt: skip
    assert record("datasets")["tasks"] == ["product"]
    assert record("datasets")["needs_path"] is False
    assert record("plugins")["hooks"] == [
        f"mlperf_mobile_{kind}" for kind in ("backends", "datasets", "environment", "suites", "tasks")
    ]


@pytest.mark.parametrize("kind", LISTS)
def test_listing_is_light(command, kind):
    """What is installed is listed without importing what it is made of."""
    heavy = {"numpy", "pydantic", "yaml", "rich", "toy_parts", "mlperf_loadgen", "psutil", "importlib.metadata"}
    shown, names = imported_by(command, f"list-{kind}")
    assert LISTS[kind] in shown
    assert not heavy & names
    own = {name for name in names if not name.startswith("mlperf_mobile_")}  # each distribution adds two modules
    assert len(own) <= (170 if kind == "plugins" else 130), sorted(own)  # this listing loads each command


def test_planning_is_light(command):
    """Nothing that measures, and no model of results, is imported to show what would run."""
    shown, names = imported_by(command, "run", "product", "--dry-run")
    assert "product" in shown
    measuring = {"mlperf_loadgen", "psutil", "rich"}  # numpy comes with the options of the stand-ins
    assert not (measuring | {"mlperf_mobile.results.model", "mlperf_mobile.launch", "mlperf_mobile.worker"}) & names


def imported_by(command, *arguments):
    """What a command prints, and the modules that are imported when it ends."""
    code = (
        "import sys; from mlperf_mobile.cli.main import main; main(sys.argv[1:]);"
        "print('MODULES', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=command.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(done.stderr.partition("MODULES ")[2].split())


def test_the_command_ends_as_a_process_does(command, write_plugin):
    """It leaves without taking the interpreter apart, but not before what was to be done at its end."""
    write_plugin("late", "import atexit\natexit.register(lambda: print('at the end'))")
    done = command("list-plugins")
    assert done.stdout.endswith("at the end\n")


def test_a_missing_need_is_reported(command, write_plugin):
    need = ', needs=(Need(what="the SDK of Acme", fix="get it from acme.example", modules=("acme_sdk_absent",)),)'
    a_backend(write_plugin, "acme", more=need)
    told, _ = command.json("list-backends")
    record = next(r for r in told["backends"] if r["name"] == "acme")
    assert record["usable"] is False
    assert (record["reason"], record["fix"]) == ("needs the SDK of Acme", "get it from acme.example")
    assert "acme: needs the SDK of Acme; get it from acme.example" in command("list-backends").stdout


def test_broken_plugins_leave_json_whole_and_the_others_listed(command, write_plugin):
    """One of each kind of problem, all of them installed at once."""
    write_plugin("absent-sdk", "import a_module_that_is_not_there")
    write_plugin("exits", "print('noise on stdout'); raise SystemExit(1)")
    write_plugin("prints", "print('noise on stdout')\n" + "".join(["print('x' * 1000)\n"] * 3))
    hook = "from mlperf_mobile.plugin import hookimpl\n@hookimpl\ndef mlperf_mobile_{}:\n    {}\n"
    write_plugin("raises", hook.format("tasks()", "raise RuntimeError('[bold]no[/] tasks')"))
    write_plugin("typo", hook.format("backend()", "return []"))
    write_plugin("ahead", hook.format("backends(device)", "return []"))
    write_plugin("future", BACKEND.format(name="soon", ref="x:y", more="").replace("(2, 0)", "(3, 0)"))
    write_plugin("unnamed", BACKEND.format(name="two words", ref="x:y", more=""))
    write_plugin("rival", BACKEND.format(name="toy", ref="x:y", more=""), version="3.0")
    told, done = command.json("list-backends")
    assert done.returncode == 0
    assert "toy" not in {record["name"] for record in told["backends"]}
    assert {(p["code"], p["source"]) for p in told["problems"]} == {
        ("import-failed", "absent-sdk 1.0"), ("import-failed", "exits 1.0"), ("hook-failed", "raises 1.0"),
        ("unknown-hook", "typo 1.0"), ("hook-signature", "ahead 1.0"), ("hook-api", "future 1.0"),
        ("bad-name", "unnamed 1.0"), ("duplicate", "rival 3.0"), ("no-hooks", "prints 1.0"),
    }  # fmt: skip
    duplicate = next(p for p in told["problems"] if p["code"] == "duplicate")
    assert "toy 1.0" in duplicate["reason"]
    assert "rival 3.0" in duplicate["reason"]
    assert all(p["fix"] for p in told["problems"])
    listed = command("list-tasks")
    assert "product" in listed.stdout
    assert "problem[hook-failed] raises 1.0: mlperf_mobile_tasks: RuntimeError: [bold]no[/] tasks" in listed.stderr
    run = command("run", "product", "--backend", "toy", "--dry-run")
    assert run.returncode == 2
    assert "unknown-backend" in run.stderr
    assert "rival 3.0" in run.stderr
    blocked = {"MLPERF_MOBILE_BLOCK": "absent-sdk,exits,prints,raises,typo,ahead,future,unnamed,rival"}
    told, _ = command.json("list-backends", env=blocked)
    assert told["problems"] == []
    assert "toy" in {record["name"] for record in told["backends"]}


def test_an_installation_that_was_broken_off(command, write_plugin):
    """pip leaves folders without METADATA when it is stopped; nothing else suffers."""
    write_plugin("torn", "")
    (command.site / "torn-1.0.dist-info" / "METADATA").unlink()
    assert "product" in command("list-tasks").stdout
    assert command("doctor").returncode == 0


class TestProbe:
    def test_what_is_found(self, command):
        told, _ = command.json("list-backends", "--probe")
        record = next(r for r in told["backends"] if r["name"] == "toy")
        assert set(record) == FIELDS["backends"] | {
            "runtime", "versions", "accelerators_found", "devices", "functional_only",
        }  # fmt: skip
        assert (record["usable"], record["runtime"], record["versions"]) == (True, "toy 1.0", {"toy": "1.0"})
        assert record["accelerators_found"] == ["cpu", "npu"]

    def test_backends_that_cannot_be_loaded(self, command, write_plugin):
        """Each in a process of its own: whatever it does, the others are told."""
        a_backend(write_plugin, "raising", "raise OSError('[bold]no driver[/]')")
        a_backend(write_plugin, "crashing", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        a_backend(write_plugin, "exiting", "import os; os._exit(0)")
        a_backend(write_plugin, "leaving", "raise SystemExit(1)")
        a_backend(write_plugin, "lying", "return {'usable': True}")
        a_backend(
            write_plugin, "noisy", "import os; os.write(1, b'noise'); import sys; print('{', flush=True); raise OSError"
        )
        write_plugin("nowhere", BACKEND.format(name="nowhere", ref="no_such_module:B", more=""))
        a_backend(write_plugin, "early", files={"early_parts.py": "class B:\n    def __init__(self, options): 1 / 0\n"})
        told, done = command.json("list-backends", "--probe")
        assert done.returncode == 0
        records = {r["name"]: r for r in told["backends"]}
        assert records["toy"]["usable"]
        for name, why in {
            "raising": "its probe raised OSError: [bold]no driver[/]",
            "early": "its constructor raised ZeroDivisionError",
            "crashing": "loading it crashed the process",
            "exiting": "loading it crashed the process",
            "leaving": "its probe raised SystemExit: 1",
            "lying": "probe() returned a value of type dict, a Probe was expected",
            "noisy": "its probe raised OSError",
            "nowhere": "no_such_module:B cannot be loaded: ModuleNotFoundError",
        }.items():
            assert records[name]["usable"] is False
            assert why in records[name]["reason"]
            assert records[name]["fix"]

    def test_a_backend_that_hangs(self, command, write_plugin, monkeypatch):
        a_backend(write_plugin, "hanging", "import time; time.sleep(3600)")
        monkeypatch.setenv("PYTHONPATH", command.environment()["PYTHONPATH"])
        told = probe("hanging", timeout_s=0.5)
        assert told["usable"] is False
        assert told["reason"] == "its probe did not answer within 0.5 s"


class TestDoctor:
    def test_json(self, command):
        told, done = command.json("doctor")
        assert done.returncode == 0
        assert set(told) == {
            "schema", "backends", "loadgen", "versions", "environment", "problems", "advice",
        }  # fmt: skip
        assert told["schema"] == 1
        assert told["loadgen"]["usable"]
        assert told["versions"]["toy"] == "1.0"
        assert told["versions"]["mlperf-mobile"]
        facts = told["environment"]
        assert facts["cpu.usable"] == len(os.sched_getaffinity(0))
        assert facts["os.release"] == os.uname().release
        assert facts["python"].endswith(sys.version.split()[0])
        assert next(b for b in told["backends"] if b["name"] == "toy")["accelerators_found"] == ["cpu", "npu"]

    def test_text(self, command, write_plugin):
        write_plugin("broken", "raise RuntimeError('no licence')")
        done = command("doctor")
        assert done.returncode == 0
        titles = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
        assert titles == ["BACKENDS", "LOADGEN", "VERSIONS", "MACHINE", "PROBLEMS", "ADVICE"]
        assert "  toy: usable on cpu, npu, toy 1.0  [toy 1.0]" in done.stdout.splitlines()
        assert "  [import-failed] broken 1.0: RuntimeError: no licence; " in done.stdout

    def test_nothing_can_be_run(self, command):
        """Without any backend the doctor says what to install, and fails."""
        plugins = {record["name"] for record in command.json("list-plugins")[0]["plugins"]}
        env = {"MLPERF_MOBILE_BLOCK": ",".join(plugins - {"core"})}
        told, done = command.json("doctor", env=env)
        assert (done.returncode, told["backends"]) == (5, [])
        assert any("pip install" in line for line in told["advice"])
        assert "no backends installed" in command("list-backends", env=env).stderr

    def test_no_loadgen(self, command):
        """A module of that name that cannot be imported stands for one that was not built."""
        command.site.mkdir()
        (command.site / "mlperf_loadgen.py").write_text("raise ImportError('undefined symbol: _ZN6mlperf')")
        told, done = command.json("doctor")
        assert done.returncode == 5
        assert "undefined symbol" in told["loadgen"]["reason"]
        assert "pip install mlcommons-loadgen" in told["loadgen"]["fix"]
        result, done = command.run()
        assert (done.returncode, result["error"]["code"]) == (5, "loadgen-missing")


def test_json_is_the_only_thing_on_stdout_even_with_problems(command, write_plugin):
    write_plugin("noisy", "import sys\nprint('noise')\nsys.stdout.write('more')\nraise RuntimeError")
    for kind in LISTS:
        done = command(f"list-{kind}", "--json")
        assert json.loads(done.stdout)["problems"][0]["code"] == "import-failed"
        assert "noise" in done.stderr


@pytest.mark.parametrize("kind", ["backends", "tasks", "datasets", "scenarios", "suites", "plugins"])
def test_list_kind_is_list_dash_kind(command, kind):
    assert command.json("list", kind)[0] == command.json(f"list-{kind}")[0]


def test_only_backends_are_probed(command):
    done = command("list", "tasks", "--probe")
    assert (done.returncode, "error[bad-flag]" in done.stderr) == (2, True)
