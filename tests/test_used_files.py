"""A result's digests are of the files that were loaded: whoever changes one while a run uses it fails the run."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

STAND_INS = Path(__file__).with_name("stand_ins")

SHORT = ("--mode", "performance", "--set", "warmup_s=0", "--set", "min_query_count=100", "--set", "min_duration_s=0")


@pytest.fixture
def model(command):
    path = command.folder / "mine.toy"
    shutil.copyfile(STAND_INS / "toy_parts" / "double.toy", path)
    return path


@pytest.mark.parametrize(
    ("when", "how"), [("compile", "swap"), ("load", "swap"), ("load", "replace"), ("load", "write"), ("run", "swap")]
)
def test_a_model_that_changes(command, model, when, how):
    """The bytes are the same in the end: nobody can say which ones were loaded."""
    result, done = command.run(
        *SHORT, "--model", model, "--set", f"disturbs={model}", "--set", f"disturbs_when={when}",
        "--set", f"disturbs_how={how}",
    )  # fmt: skip
    assert (done.returncode, result["status"], result["valid"]) == (3, "failed", False)
    assert result["error"]["code"] == "model-changed"
    assert str(model) in result["error"]["summary"]
    assert (result["performance"] is not None) is (when == "run")


def test_a_model_that_changes_while_it_is_compiled_is_not_kept(command, model):
    cache = command.folder / "cache"
    env = {"MLPERF_MOBILE_CACHE": str(cache)}
    asked = (*SHORT, "--model", model, "--set", "compiles=true")
    result, _ = command.run(*asked, "--set", f"disturbs={model}", "--set", "disturbs_when=compile", env=env)
    assert result["error"]["code"] == "model-changed"
    assert [path for path in cache.rglob("*") if path.name == "entry.json"] == []


def test_data_that_changes(command):
    """A file that a data set's option names."""
    notes = command.folder / "notes.txt"
    notes.write_text("labels")
    result, done = command.run(
        *SHORT, "--set", f"notes={notes}", "--set", "disturbs=notes.txt", "--set", "disturbs_when=run"
    )  # fmt: skip
    assert (done.returncode, result["error"]["code"]) == (4, "data-changed")
    assert result["performance"]["queries"] == 100


def test_what_was_used_stands_in_the_result(command):
    notes = command.folder / "notes.txt"
    notes.write_text("labels")
    result, done = command.run(*SHORT, "--set", f"notes={notes}")
    assert (done.returncode, result["valid"]) == (0, True)
    digest = hashlib.sha256(b"labels").hexdigest()
    assert result["files"] == {
        "dataset.options.notes": {"path": str(notes), "sha256": digest, "bytes": 6, "files": 1}
    }  # fmt: skip


def test_a_library_that_changes(command):
    """A file that a backend's option names."""
    library = command.folder / "libacme.so"
    library.write_bytes(b"code")
    result, done = command.run(*SHORT, "--set", f"disturbs={library}", "--set", "disturbs_when=run")
    assert (done.returncode, result["error"]["code"]) == (5, "library-changed")
    assert str(library) in result["error"]["summary"]
