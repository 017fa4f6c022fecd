"""Each folder builds an sdist and a wheel that are complete, and that install with nothing but what they declare."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import hatchling.build
import pytest
from clean_environment import FOLDERS, MEMBERS, PROJECTS, ROOT, Clean, build_wheel
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

SERIES = ">=0.1,<0.2"
"""What a distribution allows of the others: the minor series of the version that all of them share."""
OLDEST = "0.1.0"
"""The first release of the series, so the oldest core that the range allows."""

pytestmark = [pytest.mark.slow, pytest.mark.long]
each_distribution = pytest.mark.parametrize("name", PROJECTS)


@pytest.fixture(scope="session")
def folders(once):
    """What all tests share: sources, sdists, the wheels that were built from the sdists alone, and what they hold.

    With the oldest core that the others allow, whose wheel is the one that is unpacked.
    """

    def make(folder):
        for name in ("sources", "sdists", "wheels", "unpacked"):
            (folder / name).mkdir()
        for name, member in zip(PROJECTS, MEMBERS, strict=True):
            with contextlib.chdir(member):
                sdist = hatchling.build.build_sdist(str(folder / "sdists"))
            with tarfile.open(folder / "sdists" / sdist) as archive:
                unpack(archive, folder / "sources")
            wheel = build_wheel(folder / "sources" / sdist.removesuffix(".tar.gz"), folder / "wheels")
            if name == "mlperf-mobile":
                wheel = oldest_core(wheel)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder / "unpacked" / name)
        return str(folder)

    return Path(once("distributions", make))


def unpack(archive, folder):
    """Extract an archive of ours; Python before 3.11.4 has no filter."""
    archive.extraction_filter = getattr(tarfile, "data_filter", None)
    archive.extractall(folder)


def oldest_core(newest):
    if PROJECTS["mlperf-mobile"]["version"] == OLDEST:
        return newest
    source = newest.parent.parent / "oldest"
    core = subprocess.run(["git", "archive", f"v{OLDEST}", "core"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(core.stdout)) as archive:
        unpack(archive, source)
    return build_wheel(source / "core", newest.parent)


@pytest.fixture
def built(folders):
    """Of each distribution, by name: its sdist, and the wheel that was built from the sdist alone."""

    class Built(dict):
        def __missing__(self, name):
            start = f"{name.replace('-', '_')}-{PROJECTS[name]['version']}"
            (wheel,) = folders.glob(f"wheels/{start}-*.whl")
            return folders / "sdists" / f"{start}.tar.gz", wheel

    return Built()


@pytest.fixture
def wheels(folders):
    """The folder with the wheels, and with the oldest core that they allow."""
    return folders / "wheels"


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def from_source(wheel):
    """Without the programs that a checkout may have compiled, and without the list of the files."""
    return {name: data for name, data in contents(wheel).items() if not re.search(r"_runner/bin/|/RECORD$", name)}


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
        assert from_source(wheel) == from_source(build_wheel(ROOT / FOLDERS[name], tmp_path))


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
        """All but the farm, whose Dask is larger than everything else together."""
        brought = {Requirement(text).name for text in PROJECTS["mlperf-mobile"]["optional-dependencies"]["all"]}
        offered = {name for name, folder in FOLDERS.items() if folder.parts[0] in ("plugins", "tasks")}
        assert brought == offered - {"mlperf-mobile-farm"}


IMPORT_ALL = """
import importlib, pkgutil, sys
from mlperf_mobile.cli.main import main
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if ".testing" not in module.name and not module.name.endswith(".__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name != "pytest":  # of the extra "testing", which modules for tests of plugins need
                raise
sys.exit(main(["list-plugins", "--json"]))
"""


class TestInstalled:
    @pytest.mark.sampled(2)
    @each_distribution
    def test_it_needs_nothing_that_it_does_not_declare(self, folders, tmp_path, name):
        """Alone, with the oldest core that it allows: every module can be imported, and no plugin has a problem."""
        clean = Clean(tmp_path / "env", folders / "wheels", name, "mlperf-mobile")
        clean.link(folders / "unpacked", name, "mlperf-mobile")
        done = clean.run("python", "-c", IMPORT_ALL, name.replace("-", "_"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["problems"] == []

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
        assert "pip install mlperf-mobile-backend-tflite" in done.stderr

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

    @pytest.mark.nightly
    def test_all_of_them_run_the_quickstart(self, wheels, tmp_path):
        """Away from the checkout: the command, the hooks, the settings, the models and the data are all there."""
        clean = Clean(tmp_path / "env", wheels, "mlperf-mobile[all]")
        clean.pip("mlperf-mobile[all]")
        fast = ("--mode", "performance", "--rules", "rapid", "--set", "min_duration_s=0.1")
        done = clean.run("mlperf-mobile", "run", *fast, "--quiet", "--json")
        results = {result["task"]: result for result in json.loads(done.stdout)["results"]}
        assert results.keys() >= {
            "image_classification", "object_detection", "question_answering", "semantic_segmentation",
            "super_resolution", "multiple_choice", "instruction_following",
        }  # fmt: skip
        assert all(result["performance"]["queries"] > 0 for result in results.values())
        assert all(result["model"]["path"].startswith(str(tmp_path)) for result in results.values())
