"""Tries the workspace's wheels in a clean environment of each supported Python that is installed."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
CLASSIFIER = "Programming Language :: Python :: 3."


def supported() -> list[str]:
    """The versions in the core's classifiers, such as ``"3.12"``."""
    project = tomllib.loads((ROOT / "core/pyproject.toml").read_text())["project"]
    found = [text.removeprefix(CLASSIFIER) for text in project["classifiers"] if text.startswith(CLASSIFIER)]
    return [f"3.{minor}" for minor in found]


def interpreter(version: str) -> Path | None:
    """A Python of ``version``, from PATH or pyenv; None if none starts."""
    on_path = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = sorted(pyenv.glob(f"{version}.*/bin/python"))
    for path in [Path(on_path), *found] if on_path else found:
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def wheels(folder: Path) -> None:
    """Build the wheel of every member into ``folder``."""
    for pattern in ("core", "libraries/*", "plugins/*", "tasks/*"):
        for project in ROOT.glob(f"{pattern}/pyproject.toml"):
            build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
            subprocess.run([*build, str(project.parent)], check=True, stdout=subprocess.DEVNULL)


def try_out(python: Path, built: Path, folder: Path) -> Iterator[str]:
    """Install everything and measure the quickstart's accuracy; yields each task's value."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    clean = str(folder / "bin/python")
    subprocess.run([clean, *PIP, "--require-hashes", "-r", str(ROOT / "requirements/run.txt")], check=True)
    subprocess.run([clean, *PIP, "--no-index", "--find-links", str(built), "mlperf-mobile[all]"], check=True)
    subprocess.run([clean, "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)
    run = [str(folder / "bin/mlperf-mobile"), "run", "--mode", "accuracy", "--quiet", "--json"]
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, cwd=folder)
    for result in json.loads(done.stdout)["results"]:
        yield f"{result['task']} {result['accuracy']['value']:.4f}"


def main() -> int:
    """Try each interpreter that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", default=supported(), help="versions to try (default: all supported)")
    parser.add_argument("--others", action="store_true", help="leave out the version that runs this")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary, "wheels")
        wheels(built)
        this = f"3.{sys.version_info.minor}" if args.others else ""
        for version in [each for each in args.versions if each != this]:
            if python := interpreter(version):
                measured = ", ".join(try_out(python, built, Path(temporary, version)))
                sys.stdout.write(f"Python {version}: {measured}\n")
            else:
                sys.stdout.write(f"Python {version}: not installed here, left out\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
