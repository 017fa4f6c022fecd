"""Builds the documentation site with Zensical: ``docs/`` and every README, at the paths that their links name.

The reference pages are made of docstrings; a public name without one is an error.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import undocumented

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "dist/site-pages"
"""Where the pages are collected; ``zensical.toml`` reads them from there."""
COLLECTED = (
    "*.md", "LICENSE", "docs/**/*.*", "core/README.md", "[elpt]*s/*/README.md",
    "tasks/*/quickstart/README.md", "tasks/*/src/**/*.md",
)  # fmt: skip
"""Documents that link to each other; ``[elpt]*s`` are examples, libraries, plugins and tasks."""


def collect() -> None:
    """Copy the pages."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for path in sorted({path for pattern in COLLECTED for path in ROOT.glob(pattern) if path.is_file()}):
        target = PAGES / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def main() -> int:
    """Collect the pages, and build; a warning, such as a link to nothing, is an error."""
    if undocumented.main():
        return 1
    collect()
    zensical = Path(sys.executable).with_name("zensical")
    return subprocess.run([zensical, "build", "--clean", "--strict"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
