"""The documentation site has every page in its navigation, and builds without a warning where Zensical is installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_every_document_is_in_the_navigation():
    named = set(re.findall(r'"([\w/]+\.md)"', (ROOT / "zensical.toml").read_text()))
    pages = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md") if path.parent.name != "decisions"}
    assert pages - named == {"docs/releasing.md"}, "list the page in zensical.toml"  # that one is for maintainers
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_public_module_is_in_the_reference():
    """What `mlperf_mobile` itself offers is in its module `api`."""
    public = re.findall(r"^\| `(mlperf_mobile[\w.]*)` \|", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    pages = "\n".join(path.read_text() for path in ROOT.glob("docs/reference/*.md"))
    shown = set(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE))
    assert {each for each in public if each != "mlperf_mobile"} <= shown
    functions = {"load", "plan", "results", "run"}
    assert {f"mlperf_mobile.api.{each}" for each in functions} <= shown


@pytest.mark.slow
def test_the_site_builds_without_a_warning():
    python = ROOT / ".venv-docs/bin/python"
    if not python.exists():
        pytest.skip("Zensical is not installed: `make docs` installs it")
    done = subprocess.run([python, ROOT / "tools/site.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (ROOT / "dist/site/docs/plugins/index.html").is_file()
