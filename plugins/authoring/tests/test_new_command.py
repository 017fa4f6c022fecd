"""``mlperf-mobile new``: what it writes, what it prints, and what it refuses without leaving anything behind."""

from __future__ import annotations

import ast
import json
import os
import tomllib

import pytest

from mlperf_mobile.cli.main import main
from mlperf_mobile.errors import OutputError
from mlperf_mobile.plugin import HOOK_API
from mlperf_mobile_authoring.kinds import KINDS, values
from mlperf_mobile_authoring.naming import ProjectName
from mlperf_mobile_authoring.rendering import put, rendered

each_kind = pytest.mark.parametrize("kind", KINDS)


def listing(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@each_kind
def test_the_project_is_complete(kind, tmp_path, capsys):
    assert main(["new", kind, "acme-x", "--output", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    folder = tmp_path / "acme-x"
    assert told["folder"] == str(folder)
    assert told["files"] == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert set(told["files"]) >= {
        "pyproject.toml", "README.md", ".gitignore", ".github/workflows/test.yml",
        "src/acme_x/__init__.py", "src/acme_x/plugin.py", "src/acme_x/py.typed",
    }  # fmt: skip
    assert any(name.startswith("tests/test_") for name in told["files"])
    assert os.listdir(tmp_path) == ["acme-x"]


@each_kind
def test_its_files_can_be_read_and_name_their_project(kind, tmp_path):
    name = ProjectName("acme-x")
    project = rendered(kind, values(KINDS[kind], name, "0.1.0"))
    for path, data in project.items():
        if path.endswith(".py"):
            tree = ast.parse(data)
            assert ast.get_docstring(tree), path
    described = tomllib.loads(project["pyproject.toml"].decode())
    assert described["project"]["entry-points"]["mlperf_mobile"] == {"acme-x": "acme_x.plugin"}
    assert "mlperf-mobile>=0.1,<0.2" in described["project"]["dependencies"]
    assert f"hook_api={HOOK_API}" in project["src/acme_x/plugin.py"].decode()
    texts = [data.decode() for path, data in project.items() if path.endswith((".py", ".toml", ".md", ".yml", ".yaml"))]
    assert not [text for text in texts if "{%" in text or "{{ " in text.replace("${{ matrix", "")]


@pytest.mark.parametrize(("core", "series"), [("0.1.0", ">=0.1,<0.2"), ("0.9.3", ">=0.9,<0.10"), ("2.3.1", ">=2.3,<3")])
def test_the_range_is_the_cores_series(core, series):
    assert f"mlperf-mobile{series}" in values(KINDS["command"], ProjectName("x"), core)["requires"]


def test_it_says_what_to_do_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "command", "acme-x"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["cd acme-x", "pip install --editable '.[test]'", "pytest"]


def test_its_commands_can_be_pasted(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my dir").mkdir()
    assert main(["new", "command", "acme-x", "--output", "my dir"]) == 0
    assert "cd 'my dir/acme-x'\n" in capsys.readouterr().out


@pytest.mark.parametrize("there", ["folder", "file", "dangling link"])
def test_what_exists_is_kept(there, tmp_path, capsys):
    place = tmp_path / "acme-x"
    {
        "folder": place.mkdir,
        "file": lambda: place.write_text("mine"),
        "dangling link": lambda: place.symlink_to("nowhere"),
    }[there]()
    assert main(["new", "command", "acme-x", "--output", str(tmp_path)]) == 6
    assert f"error[output-exists]: {place} exists" in capsys.readouterr().err
    assert listing(tmp_path) == ["acme-x"]


def test_folders_for_it_are_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "command", "acme-x", "--output", "my/plugins"]) == 0
    assert (tmp_path / "my/plugins/acme-x/pyproject.toml").is_file()
    assert "cd my/plugins/acme-x" in capsys.readouterr().out


def test_a_file_in_the_place_of_its_folder_is_refused(tmp_path, capsys):
    (tmp_path / "no").write_text("mine")
    assert main(["new", "command", "acme-x", "--output", str(tmp_path / "no")]) == 6
    assert "error[output-unwritable]" in capsys.readouterr().err
    assert listing(tmp_path) == ["no"]


@pytest.mark.usefixtures("permissions_bind")
def test_an_unwritable_place_is_refused(tmp_path, capsys):
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    assert main(["new", "command", "acme-x", "--output", str(place)]) == 6
    assert (
        f"error[output-unwritable]: {place / 'acme-x'} cannot be written: Permission denied" in capsys.readouterr().err
    )
    assert listing(place) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path):
    project = {"one": b"1", "two/three": b"3" * 10, "x" * 300: b"too long a name"}
    with pytest.raises(OutputError, match="File name too long"):
        put(project, tmp_path / "acme-x")
    assert listing(tmp_path) == []


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path, capsys):
    assert main(["new", "backends", "acme-x", "--output", str(tmp_path)]) == 2
    assert "command" in capsys.readouterr().err
    assert listing(tmp_path) == []


def test_names_that_are_offered_already_are_refused(tmp_path, capsys):
    assert main(["new", "command", "list-tasks", "--output", str(tmp_path)]) == 2
    assert (
        "error[project-name]: mlperf-mobile 0.1.0 offers a command of the name 'list-tasks'" in capsys.readouterr().err
    )
    assert listing(tmp_path) == []
