"""Environments with nothing but what distributions of the workspace declare, and the wheels that they install."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import hatchling.build
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
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


def build_wheel(source, folder):
    with contextlib.chdir(source):
        return folder / hatchling.build.build_wheel(str(folder))


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

    def link(self, unpacked, *names):
        """Link what ``names`` require of the workspace from wheels that are unpacked, each in a folder of its name."""
        (site,) = self.folder.glob("lib/python*/site-packages")
        for name in ours(*names):
            for entry in (unpacked / name).iterdir():
                (site / entry.name).symlink_to(entry)

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


def ours(*names):
    """The distributions of the workspace among what ``names`` require, directly or not, themselves included."""
    found, queue = set(), [Requirement(name).name for name in names]
    while queue:
        if (name := queue.pop()) in PROJECTS and name not in found:
            found.add(name)
            queue += [Requirement(text).name for text in PROJECTS[name]["dependencies"]]
    return found


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
