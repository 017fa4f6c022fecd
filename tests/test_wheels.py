"""Each folder builds an sdist and a wheel that are complete, and that install with nothing but what they declare."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import hatchling.build
import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = sorted(
    file.parent
    for pattern in ("core", "libraries/*", "plugins/*", "tasks/*")
    for file in ROOT.glob(f"{pattern}/pyproject.toml")
)
PROJECTS = {
    project["name"]: project
    for member in MEMBERS
    for project in [tomllib.loads((member / "pyproject.toml").read_text())["project"]]
}
FOLDERS = {name: member.relative_to(ROOT) for name, member in zip(PROJECTS, MEMBERS, strict=True)}
SERIES = ">=0.1,<0.2"
"""What a distribution allows of the others: the minor series of the version that all of them share."""
OLDEST = "0.1.0"
"""The first release of the series, so the oldest core that the range allows."""

pytestmark = [pytest.mark.slow, pytest.mark.long]
each_distribution = pytest.mark.parametrize("name", PROJECTS)


def build_wheel(source, folder):
    with contextlib.chdir(source):
        return folder / hatchling.build.build_wheel(str(folder))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Of each distribution, by name: its sdist, and the wheel that was built from the sdist alone."""
    folder, sources = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("sources")
    found = {}
    for name, member in zip(PROJECTS, MEMBERS, strict=True):
        with contextlib.chdir(member):
            sdist = folder / hatchling.build.build_sdist(str(folder))
        with tarfile.open(sdist) as archive:
            archive.extractall(sources, filter="data")
        found[name] = (sdist, build_wheel(sources / sdist.name.removesuffix(".tar.gz"), folder))
    return found


@pytest.fixture(scope="module")
def wheels(built):
    """The folder with the wheels, and with the oldest core that they allow."""
    folder = next(iter(built.values()))[1].parent
    if PROJECTS["mlperf-mobile"]["version"] != OLDEST:
        core = subprocess.run(["git", "archive", f"v{OLDEST}", "core"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
        with tarfile.open(fileobj=io.BytesIO(core.stdout)) as archive:
            archive.extractall(folder / "oldest", filter="data")
        build_wheel(folder / "oldest/core", folder)
    return folder


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class TestArchives:
    @each_distribution
    def test_the_metadata_is_complete(self, built, name):
        """What an index refuses or shows badly: fields that are invalid, and a page without text."""
        (raw,) = [text for file, text in contents(built[name][1]).items() if file.endswith(".dist-info/METADATA")]
        told = Metadata.from_email(raw, validate=True)
        assert told.name == name
        assert told.summary
        assert told.description_content_type == "text/markdown"
        assert told.description.strip() == (ROOT / FOLDERS[name] / "README.md").read_text().strip()
        assert str(told.requires_python) == ">=3.11"
        assert told.license_expression
        assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(told.classifiers)

    @each_distribution
    def test_the_licences_are_inside(self, built, name):
        inside = {
            Path(file).name: text
            for file, text in contents(built[name][1]).items()
            if re.search(r"\.dist-info/licenses/", file)
        }
        assert inside["LICENSE"] == (ROOT / "LICENSE").read_bytes()
        others = set(PROJECTS[name]["license"].split(" AND ")) - {"Apache-2.0"}
        assert len(inside) == (2 if others else 1)

    @each_distribution
    def test_a_wheel_holds_its_typed_packages_and_no_tests(self, built, name):
        files = contents(built[name][1])
        packages = {file.partition("/")[0] for file in files if ".dist-info/" not in file}
        assert packages == {name.replace("-", "_")}
        assert {f"{package}/py.typed" for package in packages} <= set(files)
        assert [file for file in files if "/tests/" in file or file.endswith((".pyc", ".so"))] == []

    @each_distribution
    def test_an_sdist_has_the_tests_and_builds_the_wheel_of_the_checkout(self, built, name, tmp_path):
        sdist, wheel = built[name]
        with tarfile.open(sdist) as archive:
            inside = {file.partition("/")[2] for file in archive.getnames()}
        assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= inside
        assert any(file.startswith("tests/test_") for file in inside)
        assert contents(wheel) == contents(build_wheel(ROOT / FOLDERS[name], tmp_path))


class TestVersions:
    @each_distribution
    def test_others_of_the_workspace_are_of_the_same_series(self, name):
        project = PROJECTS[name]
        lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
        required = [Requirement(text) for texts in lists for text in texts]
        others = {other.name: other.specifier for other in required if other.name.startswith("mlperf-mobile")}
        assert set(others) <= set(PROJECTS)
        assert set(others.values()) <= {SpecifierSet(SERIES)}
        assert Version(project["version"]) in SpecifierSet(SERIES)
        assert Version(OLDEST) in SpecifierSet(SERIES)

    def test_the_extra_all_brings_every_plugin_and_every_task(self):
        brought = {Requirement(text).name for text in PROJECTS["mlperf-mobile"]["optional-dependencies"]["all"]}
        assert brought == {name for name, folder in FOLDERS.items() if folder.parts[0] in ("plugins", "tasks")}


class Clean:
    """A new environment with what is declared for ``names``, and nothing else.

    Other projects' distributions are links to those of the environment that runs the tests; pip installs those of the
    workspace from their wheels, without an index, and refuses versions outside of the declared ranges.
    """

    def __init__(self, folder, wheels, *names, without=()):
        venv.EnvBuilder(symlinks=True).create(folder)
        self.folder, self.wheels = folder, wheels
        self.python = folder / "bin/python"
        (site,) = folder.glob("lib/python*/site-packages")
        for distribution in declared(*names, without=without):
            link(distribution, site)

    def pip(self, *arguments):
        """pip of the environment that runs the tests, for this one."""
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-index"]
        command = [*pip, "--disable-pip-version-check", "--find-links", self.wheels, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLPERF_MOBILE_", "PYTHON"))}
        return subprocess.run(
            [self.folder / "bin" / arguments[0], *arguments[1:]], cwd=self.folder,
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def declared(*names, without=()):
    """Names of the distributions from elsewhere that ``names`` (with extras) require, directly or not."""
    found, queue = set(), [(Requirement(name), "") for name in names]
    done = set()
    while queue:
        required, of_extra = queue.pop()
        if required.marker and not required.marker.evaluate({"extra": of_extra}):
            continue
        name = required.name.lower().replace("_", "-").replace(".", "-")
        for extra in ["", *required.extras]:
            if name in without or (name, extra) in done:
                continue
            done.add((name, extra))
            if name not in PROJECTS:
                found.add(name)
                queue += [(Requirement(text), extra) for text in metadata.requires(name) or []]
            elif extra:
                queue += [(Requirement(text), "") for text in PROJECTS[name]["optional-dependencies"][extra]]
            else:
                queue += [(Requirement(text), "") for text in PROJECTS[name]["dependencies"]]
    return sorted(found)


def link(distribution, site):
    """Make an installed distribution visible in another environment."""
    files = metadata.files(distribution) or []
    for top in {file.parts[0] for file in files if ".." not in file.parts} - {"__pycache__"}:
        target = site / top
        if not target.exists():
            target.symlink_to(metadata.distribution(distribution).locate_file(top))


IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if ".testing" not in module.name and not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


class TestInstalled:
    @each_distribution
    def test_it_needs_nothing_that_it_does_not_declare(self, wheels, tmp_path, name):
        """Alone, with the oldest core that it allows: every module can be imported, and no plugin has a problem."""
        clean = Clean(tmp_path / "env", wheels, name)
        clean.pip(name, f"mlperf-mobile=={OLDEST}")
        done = clean.run("python", "-c", IMPORT_ALL, name.replace("-", "_"))
        assert done.returncode == 0, done.stderr
        listed = json.loads(clean.run("mlperf-mobile", "list-plugins", "--json").stdout)
        assert listed["problems"] == []

    def test_the_readme_installs_a_benchmark_that_measures(self, wheels, tmp_path):
        (line,) = re.findall(r"^pip install (mlperf-mobile .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
        names = line.split()
        clean = Clean(tmp_path / "env", wheels, *names)
        clean.pip(*names)
        done = clean.run("mlperf-mobile", "run", "--rules", "rapid", "--quiet", "--json")
        assert done.returncode == 0, done.stderr
        (result,) = json.loads(done.stdout)["results"]
        assert result["backend"] == "tflite"
        assert result["performance"]["queries"] > 0

    def test_a_task_without_any_backend_says_how_to_install_one(self, wheels, tmp_path):
        name = "mlperf-mobile-task-image-classification"
        clean = Clean(tmp_path / "env", wheels, name)
        clean.pip(name)
        done = clean.run("mlperf-mobile", "run", "--dry-run")
        assert done.returncode == 2
        assert "no backend is called 'tflite'; none is installed; pip install 'mlperf-mobile[all]'" in done.stderr

    def test_a_board_that_brings_its_runtime_installs_the_backend_without_dependencies(self, wheels, tmp_path):
        text = (ROOT / "plugins/backend_tflite/README.md").read_text()
        first, second = (line.split() for line in re.findall(r"^pip install (.*mlperf.*)$", text, re.MULTILINE)[-2:])
        assert second[0] == "--no-deps"
        clean = Clean(tmp_path / "env", wheels, *first)
        clean.pip(*first)
        clean.pip(*second)
        done = clean.run("mlperf-mobile", "run", "--dry-run")
        assert done.returncode != 0
        assert "backend tflite needs a TensorFlow Lite runtime" in done.stderr
        assert not list((tmp_path / "env").rglob("ai_edge_litert"))

    def test_all_of_them_run_the_quickstart(self, wheels, tmp_path):
        """Away from the checkout: the command, the hooks, the settings, the models and the data are all there."""
        clean = Clean(tmp_path / "env", wheels, "mlperf-mobile[all]")
        clean.pip("mlperf-mobile[all]")
        done = clean.run("mlperf-mobile", "run", "--mode", "accuracy", "--quiet", "--json")
        assert done.returncode == 0, done.stderr
        results = {result["task"]: result for result in json.loads(done.stdout)["results"]}
        assert {task: result["accuracy"]["samples"] for task, result in results.items()} == {
            "image_classification": 10_000, "object_detection": 250, "question_answering": 296,
            "semantic_segmentation": 250, "super_resolution": 25,
        }  # fmt: skip
        assert all(result["model"]["path"].startswith(str(tmp_path)) for result in results.values())
