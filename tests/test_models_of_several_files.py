"""A model of several files is one: one digest, watched, compiled, cached and shown together; the task gets its part."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

DOUBLE = Path(__file__).with_name("stand_ins") / "toy_parts" / "double.toy"
SHORT = ("--mode", "performance", "--set", "warmup_s=0", "--set", "min_query_count=100", "--set", "min_duration_s=0")
WORDS = ("--set", "task_files.words=words.txt")
TASK = """
model: pair
dataset: rows
models:
  pair:
    file: double.toy
    format: toy
    sha256: 68ad4f90fd5eedf03d989cd614b1a1da92ccb7965662d6eaf2524c85dbb8325b
    files:
      - {{file: words.txt, sha256: {words}, name: {name}}}
    task_files: {{words: words.txt}}
    datasets: [rows]
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def folder(path, **files):
    """A model of ``double.toy`` and ``words.txt`` in a folder."""
    path.mkdir()
    shutil.copyfile(DOUBLE, path / "double.toy")
    (path / "words.txt").write_text("one two")
    for name, text in files.items():
        (path / name).write_text(text)
    return path


@pytest.fixture
def model(command):
    return folder(command.folder / "model")


def digest(parts: dict[str, bytes]) -> str:
    """The SHA-256 of what ``sha256sum`` would print for the files in the order of their names."""
    return sha256("".join(f"{sha256(data)}  {name}\n" for name, data in sorted(parts.items())).encode())


def test_a_folder_is_one_model(command, model):
    result, done = command.run(*SHORT, *WORDS, "--model", model, "--set", "compiles=true")
    assert (done.returncode, result["valid"]) == (0, True)
    parts = {"double.toy": DOUBLE.read_bytes(), "words.txt": b"one two"}
    assert result["model"] == {
        "name": "model", "path": str(model / "double.toy"), "format": "toy", "sha256": digest(parts),
        "bytes": sum(map(len, parts.values())),
        "files": {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in parts.items()},
    }  # fmt: skip
    assert result["report"]["cpu"]["files"] == {name: data.decode() for name, data in parts.items()}
    assert result["files"]["task_options.words"]["path"] == str(model / "words.txt")
    assert command("check", result["directory"]).returncode == 0
    again, _ = command.run(*SHORT, *WORDS, "--model", model, "--set", "compiles=true")
    assert again["compiled"]["cpu"]["cached"] is True
    (model / "words.txt").write_text("three")
    other, _ = command.run(*SHORT, *WORDS, "--model", model, "--set", "compiles=true")
    assert other["compiled"]["cpu"]["cached"] is False
    assert other["model"]["sha256"] == digest(parts | {"words.txt": b"three"})


def test_a_part_that_changes(command, model):
    result, done = command.run(
        *SHORT, "--model", model, "--set", f"disturbs={model / 'words.txt'}", "--set", "disturbs_when=run"
    )  # fmt: skip
    assert (done.returncode, result["error"]["code"]) == (3, "model-changed")
    assert str(model / "words.txt") in result["error"]["summary"]


def planned(command, *arguments):
    """The plan of a run, or the error."""
    done = command("run", *arguments, "--backend", "toy", "--dry-run", "--json")
    document = json.loads(done.stdout)
    return document["plans"][0] if "plans" in document else document["error"]


def test_an_entry_names_its_files(inside):
    words = sha256(b"one two")
    inside.write_task(task=TASK.format(words=words, name="words.txt"), suites="", more={"words.txt": "one two"})
    shutil.copyfile(DOUBLE, inside.site / "mine_parts" / "double.toy")
    plan = planned(inside, "mine")
    here = inside.site / "mine_parts"
    parts = {"double.toy": DOUBLE.read_bytes(), "words.txt": b"one two"}
    assert plan["model"]["sha256"] == digest(parts)
    assert plan["model"]["path"] == str(here / "double.toy")
    assert {name: part["path"] for name, part in plan["model"]["files"].items()} == {
        name: str(here / name) for name in parts
    }
    assert plan["task_options"]["words"] == str(here / "words.txt")
    assert plan["sources"]["model.files.words.txt.path"] == "model pair of task mine"
    shutil.copyfile(here / "double.toy", here / "words.txt")
    result, done = inside.json("run", "mine", "--backend", "toy", *SHORT, "--quiet")
    assert (done.returncode, result["results"][0]["error"]["code"]) == (3, "model-checksum")
    (here / "words.txt").unlink()
    assert planned(inside, "mine")["code"] == "model-missing"


@pytest.mark.parametrize("name", ["../words.txt", "/etc/passwd", "a/.b", "double.toy", "other.txt"])
def test_an_entry_with_a_wrong_name(inside, name):
    """A name that escapes, is hidden, is there twice, or is not the one that the task asks for."""
    inside.write_task(task=TASK.format(words="0" * 64, name=name), suites="")
    error = planned(inside, "mine")
    assert error["code"] == "bad-value"
    assert "task mine" in error["summary"]


def test_all_files_are_fetched(inside):
    """Each is listed by its name, and a run needs all of them."""
    here = "https://example.org/models"
    inside.write_task(suites="", task=f"""
        model: pair
        dataset: rows
        models:
          pair:
            url: {here}/double.toy
            format: toy
            files: [{{url: "{here}/words.txt?v=2"}}, {{url: "local://mine/more.bin", name: parts/more.bin}}]
            datasets: [rows]
    """)  # fmt: skip
    listed = inside.json("fetch", "mine", "--dry-run")[0]["resources"]
    assert [(each["what"], each["url"]) for each in listed] == [
        ("model pair", f"{here}/double.toy"), ("model pair, words.txt", f"{here}/words.txt?v=2"),
        ("model pair, parts/more.bin", "local://mine/more.bin"),
    ]  # fmt: skip
    done = inside("run", "mine", "--backend", "toy")
    assert done.returncode == 4
    assert all(each["url"] in done.stderr for each in listed)


def test_a_folder_is_compiled(command, model):
    """Ahead of time, and then not again."""
    done = command("compile", "--model", model, "--backend", "toy", "--set", "compiles=true")
    assert done.returncode == 0, done.stderr
    result, _ = command.run(*SHORT, "--model", model, "--set", "compiles=true")
    assert result["compiled"]["cpu"]["cached"] is True


class TestFolders:
    @pytest.fixture
    def refused(self, inside):
        def refused(path, *arguments):
            error = planned(inside, "product", "--model", path, *arguments)
            assert error["exit_code"] == 3
            return error["code"], error["summary"], error["hint"]

        return refused

    def test_of_one_file_is_a_model_of_one(self, inside, tmp_path):
        path = folder(tmp_path / "one")
        (path / "words.txt").unlink()
        (path / ".DS_Store").write_bytes(b"")
        plan = planned(inside, "product", "--model", path)
        assert (plan["model"]["path"], plan["model"]["files"]) == (str(path / "double.toy"), {})

    def test_with_several_models(self, refused, tmp_path):
        path = folder(tmp_path / "two", **{"other.toy": "{}"})
        code, summary, _ = refused(path)
        assert code == "model-files"
        assert "double.toy, other.toy" in summary

    def test_without_a_model(self, refused, tmp_path):
        path = folder(tmp_path / "none")
        (path / "double.toy").unlink()
        code, _, hint = refused(path)
        assert (code, "words.txt" in hint) == ("model-files", True)

    def test_without_the_task_s_file(self, refused, tmp_path):
        code, summary, hint = refused(folder(tmp_path / "model"), "--set", "task_files.words=vocab.txt")
        assert code == "model-files"
        assert "has no vocab.txt" in summary
        assert "--set task_files.words=NAME; it has double.toy, words.txt" in hint

    def test_with_links(self, refused, inside, tmp_path):
        """A link to a file is the file, as in the caches of model hubs; other links are refused."""
        path = folder(tmp_path / "links")
        (path / "words.txt").unlink()
        (tmp_path / "blob").write_text("one two")
        (path / "words.txt").symlink_to(tmp_path / "blob")
        assert set(planned(inside, "product", "--model", path)["model"]["files"]) == {"double.toy", "words.txt"}
        (path / "more").symlink_to(tmp_path)
        assert "more, which is a link to a folder or to nothing" in refused(path)[1]
        (path / "more").unlink()
        os.mkfifo(path / "more")
        assert "more, which is not a regular file" in refused(path)[1]

    def test_with_thousands_of_files(self, refused, tmp_path):
        path = folder(tmp_path / "many")
        for number in range(1001):
            (path / f"{number}.txt").touch()
        assert "has more than 1000 files" in refused(path)[1]

    def test_with_deep_folders(self, refused, tmp_path):
        path = folder(tmp_path / "deep")
        (path / "/".join("d" * 20)).mkdir(parents=True)
        assert "deep" in refused(path)[1]
