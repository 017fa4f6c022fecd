"""The documents are true: examples run, tables are current, commands exist, and nothing names this machine."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from mlperf_mobile.cli.main import parser
from mlperf_mobile.config.document import read_text
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.registry import Registry
from mlperf_mobile.testing.command import PROGRAM

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md"), ROOT / "core/README.md"]
)
MEMBERS = sorted(file.parent for file in [*ROOT.glob("core/pyproject.toml"), *ROOT.glob("[lpt]*s/*/pyproject.toml")])


def blocks(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("processes")
def test_the_table_of_settings_is_current():
    done = subprocess.run([sys.executable, ROOT / "tools/docs.py", "--check"], check=False)
    assert done.returncode == 0, "run tools/docs.py"


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_python_examples_run(document, monkeypatch, tmp_path):
    """Every Python block can be executed; modules of the imaginary plugin are made up as empty ones."""
    import types

    monkeypatch.chdir(tmp_path)
    quick = tmp_path / "cc"  # other tests optimise what the blocks build
    quick.write_text(f'#!/bin/sh\nexec {os.environ.get("CC", "cc")} "$@" -O0\n')
    quick.chmod(0o755)
    monkeypatch.setenv("CC", str(quick))
    shutil.copy(ROOT / "plugins/backend_tflite/tests/models/add.tflite", "model.tflite")
    namespace = {"__file__": str(tmp_path / "test_acme.py"), "__name__": "example"}
    fake = types.ModuleType("acme_npu")
    fake.plugin = types.ModuleType("acme_npu.plugin")
    monkeypatch.setitem(sys.modules, "acme_npu", fake)
    for block in blocks(document, "python"):
        exec(compile(block, str(document), "exec"), namespace)
        for name, value in list(namespace.items()):
            setattr(fake.plugin, name, value)
    if "TestAcme" in namespace:
        offers = list(namespace["mlperf_mobile_backends"]())
        assert [offer.name for offer in offers] == ["acme"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.usefixtures("processes")
def test_the_run_file_in_the_documents_is_one(tmp_path):
    (block,) = blocks(ROOT / "docs/running.md", "yaml")
    path = tmp_path / "run.yaml"
    path.write_text(block)
    done = subprocess.run([PROGRAM, "run", "--config", path, "--dry-run"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "run.yaml:6:1" in done.stdout
    assert read_text(block.encode(), "x")["threads"].value == 2


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_commands_in_the_documents_parse(document):
    """Every ``mlperf-mobile …`` line of a plain block is a command line that the parser takes."""
    for block in blocks(document, ""):
        for line in block.splitlines():
            words = line.split("  ")[0].split(" #")[0].split()
            if words[:1] == ["mlperf-mobile"] and len(words) > 1 and not words[1].startswith("error"):
                parser("" if words[1].startswith("-") else words[1]).parse_args(words[1:])


def test_all_exit_codes_are_documented():
    told = {int(n) for n in re.findall(r"^\| (\d+) \|", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)}
    assert told == set(map(int, ExitCode))


def _error_kinds(trees):
    """The names of `MobileError` and of all classes that derive from it."""
    kinds = {"MobileError"}
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while more := {each.name for each in classes if kinds & {_last_name(base) for base in each.bases}} - kinds:
        kinds |= more
    return kinds


def _last_name(node):
    return getattr(node, "id", getattr(node, "attr", None))


def test_all_error_codes_are_documented():
    """Each is in docs/errors.md, or in the README of the distribution that raises it."""
    trees = {path: ast.parse(path.read_text()) for member in MEMBERS for path in member.glob("src/**/*.py")}
    kinds = _error_kinds(trees)
    common = set(re.findall(r"`([a-z0-9-]+)`", (ROOT / "docs/errors.md").read_text()))
    missing = set()
    for member in MEMBERS:
        told = common | set(re.findall(r"`([a-z0-9-]+)`", (member / "README.md").read_text()))
        for path, tree in trees.items():
            if path.is_relative_to(member):
                for node in ast.walk(tree):
                    match node:
                        case ast.Call(func=func, args=[ast.Constant(value=str(code)), *_]) if _last_name(func) in kinds:
                            missing |= {(member.name, code)} if code not in told else set()
    assert len(kinds) > 10
    assert not missing


def test_the_architecture_names_every_distribution_and_module():
    text = (ROOT / "docs/architecture.md").read_text()
    for member in MEMBERS:
        name = tomllib.loads((member / "pyproject.toml").read_text())["project"]["name"]
        assert f"| `{member.relative_to(ROOT)}/` | `{name}` |" in text
    tree = text.partition("core/src/mlperf_mobile/\n")[2].partition("```")[0]
    for path in (ROOT / "core/src/mlperf_mobile").iterdir():
        if not path.name.startswith("__") and (path.suffix == ".py" or path.is_dir()):
            name = f"{path.name}/" if path.is_dir() else path.name
            assert re.search(rf"^  (\w+\.py, )*{re.escape(name)}", tree, re.MULTILINE), name


def test_the_rules_in_the_documents_are_the_scenarios():
    text = (ROOT / "docs/running.md").read_text()
    for name, offer in Registry().scenarios.items():
        package, _, resource = offer.info.settings.partition(":")
        for rules, counts in yaml.safe_load(files(package).joinpath(resource).read_text())["runs"][name].items():
            least, most = (counts[key] or "–" for key in ("min_duration_s", "max_duration_s"))
            assert f"| {name} | {rules} | {counts['min_query_count']} | {least} | {most} |" in text


def test_decisions_are_numbered_dated_and_listed():
    index = (ROOT / "docs/decisions/README.md").read_text()
    listed = re.findall(r"^\| \[(\d{4})\]\((.+)\) \| (\S+) \| (.+) \|$", index, re.MULTILINE)
    assert [int(number) for number, *_ in listed] == list(range(1, len(listed) + 1))
    assert {name for _, name, *_ in listed} == {path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    for number, name, date, title in listed:
        text = (ROOT / "docs/decisions" / name).read_text()
        assert name.startswith(f"{number}-")
        assert text.startswith(f"# {int(number)}. {title}\n\nDate: {date}. Status: ")
        assert len(text.splitlines()) <= 60  # one page


def test_every_hook_is_documented():
    from mlperf_mobile.plugin import HookSpecs

    text = (ROOT / "docs/plugins.md").read_text()
    for hook in vars(HookSpecs):
        if hook.startswith("mlperf_mobile_"):
            assert f"`{hook}" in text


class TestThePluginExamples:
    """The Python of docs/plugins.md, as a reader would copy it."""

    BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/plugins.md").read_text(), re.DOTALL)

    def test_offers_are_accepted(self):
        from mlperf_mobile.offer_fields import check_fields

        offers = []
        for block in self.BLOCKS:
            if "@hookimpl" in block:
                exec(block, names := {})
                offers += [info for name, hook in names.items() if name.startswith("mlperf_mobile_") for info in hook()]
        for info in offers:
            check_fields(info)
        assert {type(info).__name__ for info in offers} >= {"BackendInfo", "CommandInfo", "ObserverInfo"}

    def test_the_observer_works(self, tmp_path):
        """With the meter's file, its class and its part; the reading is the reader's."""
        from mlperf_mobile.contracts import ObservedRun
        from mlperf_mobile.testing.observing import watched

        (block,) = (block for block in self.BLOCKS if "class Meter" in block)
        exec(block, names := {"read_watts": lambda: 3.5, "__name__": "acme_meter"})
        with watched(names["Meter"](None), ObservedRun(None, tmp_path, lambda: 0, {})) as keeper:
            (tmp_path / "meter.txt").write_text("3.5\n2.5\n")
        assert keeper.trouble == ""
        assert names["Power"].of(tmp_path).values() == {"meter_watts": 3.0}

    def test_the_groups_of_commands_are_those_of_the_core(self):
        from mlperf_mobile.cli.plugin import mlperf_mobile_commands

        listed = re.findall(r"^\| `([a-z ]+)` \| they ", (ROOT / "docs/plugins.md").read_text(), re.MULTILINE)
        assert listed == list(dict.fromkeys(info.group for info in mlperf_mobile_commands()))


def test_every_problem_code_is_documented():
    source = "".join(
        (ROOT / f"core/src/mlperf_mobile/{name}.py").read_text() for name in ("registry", "offer_fields", "problems")
    )
    codes = set(re.findall(r'\b(?:leave_out|failed|Problem|Unusable)\(\s*"([a-z-]+)"', source))
    codes |= {"unknown-hook", "hook-signature"}
    text = (ROOT / "docs/errors.md").read_text()
    assert codes >= {"import-failed", "duplicate", "hook-api", "bad-name", "hook-failed"}
    assert [code for code in codes if f"`{code}`" not in text] == []


def test_no_code_is_explained_twice():
    for table in re.findall(r"(?:^\|.*\n)+", (ROOT / "docs/errors.md").read_text(), re.MULTILINE):
        codes = [code for row in table.splitlines() for code in re.findall(r"`([^`]+)`", row.split("|")[1])]
        assert [code for code in codes if codes.count(code) > 1] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_no_paragraph_begins_as_another(document):
    prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    begins = [paragraph.strip()[:50] for paragraph in prose.split("\n\n") if not paragraph.strip().startswith("|")]
    assert [begin for begin in begins if len(begin) == 50 and begins.count(begin) > 1] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_options_that_name_files_resolve_them(document):
    for block in re.findall(r"^```python.*?\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
        assert "(BaseModel)" not in block or not re.search(r": Path\b", block)


class TestWorkspace:
    def test_members_have_the_same_rooms(self):
        assert len(MEMBERS) >= 3
        for member in MEMBERS:
            for room in ("README.md", "src", "tests"):
                assert (member / room).exists(), f"{member}/{room}"

    def test_members_share_one_version_and_the_entry_point_group(self):
        projects = [tomllib.loads((member / "pyproject.toml").read_text())["project"] for member in MEMBERS]
        assert len({project["version"] for project in projects}) == 1
        plugins = [
            project for member, project in zip(MEMBERS, projects, strict=True) if member.parent.name != "libraries"
        ]
        assert len(plugins) >= 11
        assert all("mlperf_mobile" in project["entry-points"] for project in plugins)

    def test_the_core_names_no_backend_and_no_task(self):
        """Nothing in the core changes for a new one: only examples in docstrings, help and advice name any."""
        words = ("image_classification", "image-classification", "tflite", "snpe", "neuron", "nnapi")
        named = set()
        for file in (ROOT / "core/src").rglob("*.py"):
            tree = ast.parse(file.read_text())
            prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                text = node.value if isinstance(node, ast.Constant) and id(node) not in prose else ""
                text = text or (node.id if isinstance(node, ast.Name) else "")
                if isinstance(text, str) and any(word in text.lower() for word in words):
                    named.add(file.relative_to(ROOT / "core/src/mlperf_mobile").as_posix())
        examples = {"cli/run.py", "cli/compile.py", "cli/score.py"}
        advice, heavy_modules = {"cli/doctor.py"}, {"testing/kit.py"}
        assert named <= examples | advice | heavy_modules

    def test_pins_have_hashes_and_name_no_host(self):
        for file in (ROOT / "requirements").glob("*.txt"):
            if file.name == "limits.txt":
                continue
            text = file.read_text()
            pins = re.findall(r"^[A-Za-z0-9._-]+==", text, re.MULTILINE)
            assert pins
            assert text.count("--hash=sha256:") >= len(pins)
            assert "://" not in text
            assert "index" not in text

    def test_modules_stay_small(self):
        long = {
            str(file.relative_to(ROOT)): lines
            for pattern in ("core/src", "libraries/*/src", "plugins/*/src", "tasks/*/src")
            for folder in ROOT.glob(pattern)
            for file in folder.rglob("*.py")
            if (lines := len(file.read_text().splitlines())) > 300
        }
        assert long == {}


def test_the_rooms_of_changes_say_what_they_are_for():
    """Each line of the table in CONTRIBUTING names a module, whose docstring names the change."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (add [^|]+?) \| `([^`]+)` \|", text, re.MULTILINE)
    assert len(rows) == 12
    for change, module in rows:
        docstring = ast.get_docstring(ast.parse((ROOT / module).read_text()))
        assert change in (docstring or "").replace("To add", "to add").replace("\n", " "), f"{module}: {change}"
