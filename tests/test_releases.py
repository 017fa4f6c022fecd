"""What a release promises: a public interface that is listed, deprecations that end in time, and one version."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from mlperf_mobile.plugin import HOOK_API

ROOT = Path(__file__).resolve().parents[1]
API = (ROOT / "docs/api.md").read_text()
VERSION = tomllib.loads((ROOT / "core/pyproject.toml").read_text())["project"]["version"]
PUBLIC = {
    module: set(re.findall(r"`(\w+)`", names))
    for module, names in re.findall(r"^\| `(mlperf_mobile[\w.]*)` \| (.+) \|$", API, re.MULTILINE)
}
SOURCES = [file for room in [ROOT / "core/src", *ROOT.glob("[lpt]*s/*/src")] for file in room.rglob("*.py")]


def deprecations(text):
    """Rows of the table: name, since, removed in, instead."""
    table = text.partition("| name | since | removed in | instead |\n|---|---|---|---|\n")[2]
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in table.splitlines() if line]


def overdue(rows, version):
    return [name for name, _, removed_in, _ in rows if Version(version).release >= Version(removed_in).release]


def warned(source):
    """Calls in ``source`` that deprecate something, as text: a DeprecationWarning, or a hook that warns."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and (
            any(keyword.arg in ("warn_on_impl", "warn_on_impl_args") for keyword in node.keywords)
            or (ast.unparse(node.func).endswith("warn") and "DeprecationWarning" in ast.unparse(node))
        )
    ]


def mismatch(rows, calls):
    """Deprecations of the sources without a row, and rows without a deprecation in the sources."""
    names = {name.rpartition(".")[2] for name, *_ in rows}
    unlisted = [call for call in calls if not any(name in call for name in names)]
    return unlisted + [name for name in names if not any(name in call for call in calls)]


class TestInterface:
    @pytest.mark.parametrize("module", PUBLIC)
    def test_the_list_is_what_the_module_exports(self, module):
        assert set(import_module(module).__all__) == PUBLIC[module]

    def test_backends_and_tasks_of_the_workspace_use_nothing_else_of_the_core(self):
        """They stand for the plugins of others."""
        used = set()
        for file in SOURCES:
            member = file.relative_to(ROOT).parts[:2]
            if member[0] in ("libraries", "tasks") or member[1].startswith("backend_"):
                for node in ast.walk(ast.parse(file.read_text())):
                    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlperf_mobile":
                        used |= {(node.module, each.name) for each in node.names}
        assert len(used) > 20
        private = {
            (module, name)
            for module, name in used
            if name not in PUBLIC.get(module, ()) and f"{module}.{name}" not in PUBLIC
        }
        assert private == set()

    def test_the_newest_hook_api_is_described(self):
        rows = re.findall(r"^\| (\d+)\.(\d+) \| \S+ \| .+ \|$", API, re.MULTILINE)
        numbers = [(int(major), int(minor)) for major, minor in rows]
        assert numbers == sorted(numbers)
        assert numbers[-1] == HOOK_API


class TestDeprecations:
    def test_none_is_overdue(self):
        assert overdue(deprecations(API), VERSION) == []

    def test_the_table_and_the_sources_agree(self):
        assert mismatch(deprecations(API), [call for file in SOURCES for call in warned(file.read_text())]) == []

    @pytest.mark.parametrize(
        ("version", "expected"),
        [("0.1.0", []), ("0.2.9", []), ("0.3.0.dev1", ["a.old"]), ("0.3.0", ["a.old"]), ("1.0", ["a.old", "b.older"])],
    )
    def test_a_row_is_overdue_from_the_version_that_it_names(self, version, expected):
        """A development version of the release that removes a name has to be without it."""
        table = API.rstrip("\n") + "\n| `a.old` | 0.2 | 0.3 | `a.new` |\n| `b.older` | 0.2 | 1.0 | nothing |\n"
        assert overdue(deprecations(table)[-2:], version) == expected

    @pytest.mark.parametrize(
        ("rows", "source", "expected"),
        [
            ([("m.old", "0.2", "0.3", "m.new")], "warnings.warn('old: use new', DeprecationWarning)", 0),
            ([("m.old", "0.2", "0.3", "m.new")], "@hookspec(warn_on_impl=DeprecationWarning('old'))\ndef f(): pass", 0),
            ([], "warnings.warn('old: use new', DeprecationWarning)", 1),
            ([("m.old", "0.2", "0.3", "m.new")], "warnings.warn('old: use new', UserWarning)", 1),
        ],
    )
    def test_a_deprecation_without_a_row_and_a_row_without_one_are_found(self, rows, source, expected):
        assert len(mismatch(rows, warned(source))) == expected


class TestVersion:
    def test_the_citation_is_of_this_version(self):
        cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
        assert cited["version"] == VERSION
        assert cited["preferred-citation"]["year"] == 2022

    def test_the_changelog_begins_with_this_version(self):
        (newest, *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert newest == VERSION
