"""Fixtures of the end-to-end tests: the installed command, beside stand-in plugins and plugins written on the fly."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from textwrap import dedent
from unittest.mock import patch as patches

import pytest

from mlperf_mobile.cli.main import main
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.testing.command import Command

STAND_INS = Path(__file__).with_name("stand_ins")
TASK_PLUGIN = """
    from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

    @hookimpl
    def mlperf_mobile_tasks():
        yield TaskInfo(name="mine", summary="a test", task=Ref("toy_parts:Product"), settings="PARTS:task.yaml",
                       options=Ref("toy_parts:TaskOptions"), hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(name="rows", summary="a test", dataset=Ref("toy_parts:Vectors"), tasks=("mine",),
                          needs_path=False, options=Ref("toy_parts:DatasetOptions"), hook_api=(2, 0))

    @hookimpl
    def mlperf_mobile_suites():
        yield SuitesInfo(settings="PARTS:suites.yaml", hook_api=(2, 0))
"""
QUICK = ("--backend", "toy", "--set", "min_duration_s=0.1", "--set", "warmup_s=0.05")


def quick(arguments):
    """What makes a run short, except what the arguments set."""
    given = {str(each).partition("=")[0] for each in arguments}
    pairs = zip(QUICK[::2], QUICK[1::2], strict=True)
    return [word for flag, value in pairs if not {flag, value.partition("=")[0]} & (given - {"--set"})
            for word in (flag, value)]  # fmt: skip


class Installation(Command):
    """A folder to work in, with the stand-in plugins installed, and those that a test writes."""

    def __init__(self, folder):
        self.site = folder / "site"
        super().__init__(folder, {"PYTHONPATH": f"{STAND_INS}:{self.site}"})

    def run(self, *arguments, **more):
        """One short run of the stand-in task: its result, and the process."""
        return super().run("product", *quick(arguments), *arguments, **more)

    def start(self, *arguments, tasks=("product",)):
        """The process of a short run, under way; kill it, or wait for it."""
        return super().start("run", *tasks, *quick(arguments), "--json", *arguments)

    def until(self, seen, process=None, timeout=200):
        """Wait until ``seen(events)`` is true of the events that a run under way has told so far."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            journals = list(self.results.glob(".*.partial/events.jsonl"))
            lines = journals[0].read_text().splitlines() if journals else []
            told = [json.loads(line) for line in lines if line.endswith("}")]
            if seen(told):
                return told
            assert process is None or process.poll() is None, process.communicate()
            time.sleep(0.01)
        raise AssertionError(f"not seen within {timeout} s: {told}")

    def write_plugin(self, name, code, entry=None, *, version="1.0", files=None):
        """Install a distribution of one module, called ``NAME_plugin`` unless ``entry`` says ``module[:attribute]``.

        ``files`` may bring more, by path; the folder that they are in is on the path of the command.
        """
        entry = entry or f"{name.replace('-', '_')}_plugin"
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        written = {
            self.site / f"{entry.partition(':')[0]}.py": dedent(code),
            info / "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            info / "entry_points.txt": f"[mlperf_mobile]\n{name} = {entry}\n",
            **{self.site / path: dedent(text) for path, text in (files or {}).items()},
        }
        for path, text in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.site

    def write_task(self, name="mine", *, task, suites, more=None):
        """Install a distribution of the task ``mine`` and the data set ``rows``.

        ``task`` and ``suites`` are the texts of its YAML files; ``more`` has other files. All are in ``NAME_parts/``.
        """
        parts = {"__init__.py": "", "task.yaml": task, "suites.yaml": suites, **(more or {})}
        code = TASK_PLUGIN.replace("PARTS", f"{name}_parts")
        return self.write_plugin(name, code, files={f"{name}_parts/{path}": text for path, text in parts.items()})

    def leftovers(self):
        """What lies in the folder for results, by name; a run leaves one visible folder or nothing."""
        return sorted(path.name for path in self.results.iterdir()) if self.results.exists() else []


class Inside(Installation):
    """The same in this process, where no interpreter starts and nothing is imported again.

    Most tests look at what the command says and leaves behind, and at its workers, which are processes as ever.
    """

    def __call__(self, *arguments, env=None, timeout=None):
        before = set(sys.modules)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with (
            pytest.MonkeyPatch.context() as patch, patches.dict(os.environ, self.environment(env), clear=True),
            redirect_stdout(out), redirect_stderr(err),
        ):  # fmt: skip
            patch.chdir(self.folder)
            patch.syspath_prepend(self.site)
            patch.syspath_prepend(STAND_INS)
            _forget_what_is_installed()
            try:
                code = main([*map(str, arguments)])
            except SystemExit as end:
                code = end.code
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                for name in set(sys.modules) - before:  # another test's plugin may have the same name
                    if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.site)):
                        del sys.modules[name]
                _forget_what_is_installed()
        texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
        return subprocess.CompletedProcess(arguments, int(code), *texts)


def _forget_what_is_installed():
    """A process keeps what its plugins offer, and describe of official benchmarks; here each command has others."""
    installed_plugins.cache_clear()
    for name in [name for name in sys.modules if name.startswith("mlperf_mobile_rounds.")]:
        for kept in vars(sys.modules[name]).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()


@pytest.fixture
def installed(tmp_path, processes):
    """The installed command, in a folder of this test."""
    return Installation(tmp_path)


@pytest.fixture
def command(tmp_path, processes):
    """The command in this process, in a folder of this test; what it starts are processes as ever."""
    return Inside(tmp_path)


@pytest.fixture
def write_plugin(tmp_path):
    """Installs a plugin that was written on the fly, beside the stand-ins."""
    return Installation(tmp_path).write_plugin


@pytest.fixture
def inside(tmp_path):
    """Like ``command``, for tests that start nothing at all, and are fast."""
    return Inside(tmp_path)


@pytest.fixture(scope="module")
def shared_command(tmp_path_factory, processes):
    """The command in this process, in a folder of this module."""
    return Inside(tmp_path_factory.mktemp("shared"))
