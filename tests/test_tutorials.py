"""Tutorials and guides are true: their files are written, their commands run, and their outputs compared, in order.

A block with ``title="PATH"`` is a file. A block ``console`` has commands after ``$``, each followed by its output, in
which ``…`` stands for any text, and a line that is only ``…`` for any lines.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

DOCS = Path(__file__).resolve().parents[1] / "docs"
TUTORIALS = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("guides/*.md")])
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


def fits(expected, output):
    """Whether an output is the expected one, up to spaces at the ends of lines."""
    lines = []
    for line in expected.splitlines():
        parts = map(re.escape, line.rstrip().split("…"))
        lines.append("(?:.*\n)*?" if line.strip() == "…" else "[^\n]*".join(parts) + "[ \t]*\n")
    return re.fullmatch("".join(lines), output.rstrip() + "\n" if output.strip() else "") is not None


class Reader:
    """Does what the tutorial says, in an empty folder; packages are installed beside it, not into this environment."""

    def __init__(self, folder):
        self.folder, self.site, self.editable = folder / "work", folder / "site", False
        self.folder.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = Command(self.folder, {"PATH": path, "PYTHONPATH": str(self.site)}).environment()

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if self.editable:
            self.install()

    def install(self):
        """Like ``pip install --editable .``: what is installed follows the files."""
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        more = ["--disable-pip-version-check", "--upgrade", "--target", self.site, self.folder]
        subprocess.run([*pip, *more], check=True, env=self.environment)

    def run(self, line):
        if line == "pip install --editable .":
            self.editable = True
            self.install()
            return ""
        done = subprocess.run(
            shlex.split(line), cwd=self.folder, env=self.environment, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return done.stdout


@pytest.mark.sampled(3)
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_says(tutorial, tmp_path):
    reader, commands, steps = Reader(tmp_path), 0, BLOCK.findall(tutorial.read_text())
    for language, title, text in steps:
        if title:
            reader.write(title, text)
        elif language == "console":
            for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = step.partition("\n")
                output = reader.run(line)
                assert fits(expected, output), f"$ {line}\n{output}\n--- expected:\n{expected}"
                commands += 1
    assert commands >= 3 or not any(language == "console" for language, _, _ in steps)


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        ("a\n", "a\n", True),
        ("a\n", "b\n", False),
        ("", "", True),
        ("", "x\n", False),
        ("…\nb\n…\n", "a\nb  \nc\nd\n", True),
        ("…\nb\n", "a\nc\n", False),
        ("a … c\n", "a b c\n", True),
        ("a …\n", "a b\nc\n", False),
    ],
)
def test_outputs_are_compared(expected, output, same):
    assert fits(expected, output) is same
