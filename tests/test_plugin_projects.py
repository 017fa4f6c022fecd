"""Plugins outside of the workspace: what ``mlperf-mobile new`` makes, and ``examples/``.

They build, install into a clean environment from the wheels of this checkout, and pass a type check and their tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from clean_environment import FOLDERS, ROOT, Clean, build_wheel, ours

from mlperf_mobile.testing.command import Command
from mlperf_mobile_authoring.kinds import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.long]
EXAMPLES = {folder.name: folder for folder in sorted((ROOT / "examples").iterdir()) if folder.is_dir()}
each_kind = pytest.mark.parametrize("kind", KINDS)
NEEDED = (
    "mlperf-mobile[testing]", "mlperf-mobile-authoring", "mlperf-mobile-backend-tflite",
    "mlperf-mobile-task-any-model", "mlperf-mobile-task-image-classification",
)  # fmt: skip


@pytest.fixture(scope="session")
def site(once):
    """A clean environment with one new plugin of each kind in it, made by the ``new`` of that environment."""

    def make(folder):
        wheels = folder / "wheels"
        wheels.mkdir()
        for name in ours(*NEEDED):
            build_wheel(ROOT / FOLDERS[name], wheels)
        clean = Clean(folder / "environment", wheels, *NEEDED, *(["onnxruntime"] if find_spec("onnxruntime") else []))
        clean.pip(*NEEDED)
        projects, elsewhere = folder / "projects", folder / "elsewhere"
        projects.mkdir()
        elsewhere.mkdir()
        told = {}
        for kind in KINDS:
            command = Command(elsewhere, {"HOME": str(elsewhere)})
            done = subprocess.run(
                [folder / "environment/bin/mlperf-mobile", "new", kind, f"acme-{kind}", "--json", "--output", projects],
                cwd=elsewhere, env=command.environment(), stdout=subprocess.PIPE, check=True,
            )  # fmt: skip
            told[kind] = json.loads(done.stdout)["files"]
        there = sorted(path.relative_to(folder).as_posix() for path in (*projects.iterdir(), *elsewhere.rglob("*")))
        for kind in KINDS:
            build_wheel(projects / f"acme-{kind}", wheels)
        examples = [build_wheel(example, wheels) for name, example in EXAMPLES.items() if can_run(name)]
        clean.pip(*(f"acme-{kind}" for kind in KINDS), *map(str, examples))
        return {"folder": str(folder), "files": told, "there": there}

    return once("new_plugins", make)


def can_run(example):
    """ONNX Runtime has no wheel for every Python and machine."""
    return example != "backend_onnxruntime" or find_spec("onnxruntime")


def run(site, *arguments, folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLPERF_MOBILE_", "PYTHON", "PYTEST_"))}
    binaries = Path(site["folder"], "environment/bin")
    return subprocess.run(
        [binaries / arguments[0], *arguments[1:]], cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_nothing_else_is_written(site):
    assert site["there"] == ["elsewhere/tmp", *(f"projects/acme-{kind}" for kind in sorted(KINDS))]


def test_all_are_offered_without_a_problem(site, tmp_path):
    listed = json.loads(run(site, "mlperf-mobile", "list-plugins", "--json", folder=tmp_path).stdout)
    assert listed["problems"] == []
    assert {f"acme-{kind}" for kind in KINDS} <= {plugin["name"] for plugin in listed["plugins"]}


def test_their_types_are_strict(site):
    """One mypy for all; the sources, not the installed copies, whose errors it would not show."""
    projects = [Path(site["folder"], f"projects/acme-{kind}") for kind in KINDS]
    sources = [project / "src" for project in (*projects, *(EXAMPLES[name] for name in EXAMPLES if can_run(name)))]
    python = Path(site["folder"], "environment/bin/python")
    packages = [argument for source in sources for package in source.iterdir() for argument in ("-p", package.name)]
    settings = ROOT / "examples/backend_onnxruntime/pyproject.toml"  # which says that ONNX Runtime has no types
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", settings, "--python-executable", python]
    done = subprocess.run(
        [*mypy, "--cache-dir", os.devnull, *packages],
        cwd=site["folder"], env=os.environ | {"MYPYPATH": os.pathsep.join(map(str, sources))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues found" in done.stdout


@pytest.mark.sampled(3)
@each_kind
def test_its_tests_pass(site, kind, tmp_path):
    """The kit, and a whole run, as its author starts them."""
    project = Path(site["folder"], f"projects/acme-{kind}")
    arguments = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", tmp_path / "own")
    done = run(site, "python", "-m", "pytest", *map(str, arguments), folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes_its_tests(site, name, tmp_path):
    if not can_run(name):
        pytest.skip("onnxruntime is not installed")
    arguments = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", tmp_path / "own")
    done = run(site, "python", "-m", "pytest", *map(str, arguments), folder=EXAMPLES[name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@each_kind
def test_its_style_is_even(site, kind):
    folder = Path(site["folder"], f"projects/acme-{kind}")
    ruff = [sys.executable, "-m", "ruff"]
    style = ["--isolated", "--no-cache", "--config", 'src=["src"]', "--line-length", "120"]
    for command in (["check", "--select", "E,F,I,B,UP"], ["format", "--check"]):
        done = subprocess.run([*ruff, *command, *style, "."], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
