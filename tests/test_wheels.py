"""Each folder builds a wheel of its own, and the wheels together do what the checkout does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = sorted(
    file.parent
    for pattern in ("core", "libraries/*", "plugins/*", "tasks/*")
    for file in ROOT.glob(f"{pattern}/pyproject.toml")
)
pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    for member in MEMBERS:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, member]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.whl"))


def test_one_wheel_a_member(wheels):
    assert len(wheels) == len(MEMBERS)


def test_wheels_hold_the_package_and_no_tests(wheels):
    for wheel in wheels:
        names = zipfile.ZipFile(wheel).namelist()
        assert any(name.endswith("/py.typed") for name in names)
        assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]


def test_installed_wheels_run_the_quickstart(wheels, tmp_path):
    """Unpacked away from the checkout: the command, the hooks, the settings, the models and the data are all there."""
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site]
    subprocess.run([*pip, *wheels], check=True, capture_output=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLPERF_MOBILE_")}
    environment["PYTHONPATH"] = str(site)
    code = "import sys, mlperf_mobile; print(mlperf_mobile.__file__)"
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(str(site))
    command = [sys.executable, "-m", "mlperf_mobile.cli.main", "run", "--mode", "accuracy", "--quiet", "--json"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = {result["task"]: result for result in json.loads(done.stdout)["results"]}
    assert {task: result["accuracy"]["samples"] for task, result in results.items()} == {
        "image_classification": 10_000, "object_detection": 250, "question_answering": 296,
        "semantic_segmentation": 250, "super_resolution": 25,
    }  # fmt: skip
    assert all(result["model"]["path"].startswith(str(site)) for result in results.values())
