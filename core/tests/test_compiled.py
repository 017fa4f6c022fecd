"""Compiled models are found by what they are made of, and never used when they are not whole."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.editable import code_digest, project_folder
from mlperf_mobile.errors import BackendError
from mlperf_mobile.installed import Distribution
from mlperf_mobile.resources import compiled
from mlperf_mobile.resources.compiled import CompiledStore, key_of

MADE_OF = {"model": "ab" * 32, "accelerator": "npu", "options": {"soc": "X1"}}


class Compiler:
    """Writes two files, and counts how often."""

    def __init__(self, content: bytes = b"binary") -> None:
        self.content, self.calls = content, 0

    def __call__(self, folder: Path) -> Artifact:
        self.calls += 1
        assert list(folder.iterdir()) == []
        (folder / "sub").mkdir()
        (folder / "sub" / "model.bin").write_bytes(self.content)
        (folder / "log.txt").write_text("done")
        return Artifact(folder / "sub" / "model.bin", "npu", 2, {"soc": "X1"})


@pytest.fixture
def store(tmp_path: Path) -> CompiledStore:
    return CompiledStore(tmp_path / "cache")


@pytest.fixture
def otherwise(tmp_path: Path) -> Path:
    folder = tmp_path / "otherwise"
    folder.mkdir()
    return folder


def obtain(store, compiler, otherwise, made_of=MADE_OF):
    return store.obtain(made_of, "net", compiler, otherwise)


def only(store):
    (kept,) = store.all()
    return kept


class TestObtain:
    def test_the_second_time_nothing_is_compiled(self, store, otherwise):
        compiler = Compiler()
        first, second = (obtain(store, compiler, otherwise) for _ in range(2))
        assert compiler.calls == 1
        assert (first.cached, first.kept, second.cached, second.kept) == (False, True, True, True)
        assert first.artifact == second.artifact
        assert second.artifact.path.read_bytes() == b"binary"
        assert (second.artifact.accelerator, second.artifact.batch, second.artifact.facts) == ("npu", 2, {"soc": "X1"})
        assert second.artifact.path.is_relative_to(store.folder)

    @pytest.mark.parametrize("change", [{"model": "cd" * 32}, {"accelerator": "gpu"}, {"options": {"soc": "X2"}}])
    def test_whatever_it_is_made_of_counts(self, store, otherwise, change):
        compiler = Compiler()
        obtain(store, compiler, otherwise)
        assert not obtain(store, compiler, otherwise, MADE_OF | change).cached
        assert len(store.all()) == 2

    def test_the_order_of_options_does_not(self):
        assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})

    def test_the_key_is_that_of_the_ingredients(self):
        assert key_of({"a": 1}) == hashlib.sha256(b'{"a": 1}').hexdigest()

    def test_an_interpreter_keeps_nothing(self, store, otherwise, tmp_path):
        model = tmp_path / "model.tflite"
        obtained = obtain(store, lambda folder: Artifact(model, "cpu", 1), otherwise)
        assert (obtained.artifact.path, obtained.kept, obtained.cached) == (model, False, False)
        assert list(store.folder.iterdir()) == []

    def test_others_can_read_the_sums(self, store, otherwise):
        obtain(store, Compiler(), otherwise)
        done = subprocess.run(
            ["sha256sum", "-c", "files.sha256"], cwd=only(store).folder, capture_output=True, check=False
        )
        assert done.returncode == 0
        assert done.stdout.splitlines() == [b"files/log.txt: OK", b"files/sub/model.bin: OK"]

    def test_the_whole_cache_may_be_moved(self, store, otherwise, tmp_path):
        compiler = Compiler()
        obtain(store, compiler, otherwise)
        (tmp_path / "cache").rename(tmp_path / "elsewhere")
        moved = obtain(CompiledStore(tmp_path / "elsewhere"), compiler, otherwise)
        assert moved.cached
        assert moved.artifact.path.is_relative_to(tmp_path / "elsewhere")


DAMAGE = {
    "changed": lambda folder: (folder / "files/sub/model.bin").write_bytes(b"binarz"),
    "shorter": lambda folder: (folder / "files/sub/model.bin").write_bytes(b""),
    "gone": lambda folder: (folder / "files/sub/model.bin").unlink(),
    "another file": lambda folder: (folder / "files/extra").write_text("x"),
    "no sums": lambda folder: (folder / "files.sha256").unlink(),
    "no entry": lambda folder: (folder / "entry.json").unlink(),
    "entry cut off": lambda folder: (folder / "entry.json").write_bytes((folder / "entry.json").read_bytes()[:40]),
}


class TestDamage:
    @pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
    def test_what_is_not_whole_is_made_anew(self, store, otherwise, damage):
        compiler = Compiler()
        obtain(store, compiler, otherwise)
        damage(only(store).folder)
        assert only(store).damage()
        again = obtain(store, compiler, otherwise)
        assert (again.cached, again.kept, compiler.calls) == (False, True, 2)
        assert "damaged" in again.note
        assert again.artifact.path.read_bytes() == b"binary"
        assert obtain(store, compiler, otherwise).cached

    @pytest.mark.parametrize("path", ["../../../../etc/passwd", "/etc/passwd", "nowhere"])
    def test_a_path_that_leads_elsewhere(self, store, otherwise, path):
        """An entry that was written by somebody else is not followed out of its folder."""
        compiler = Compiler()
        obtain(store, compiler, otherwise)
        entry = only(store).folder / "entry.json"
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"path": path}))
        assert only(store).damage()
        assert obtain(store, compiler, otherwise).artifact.path.read_bytes() == b"binary"

    def test_an_entry_of_another_model(self, store, otherwise):
        compiler = Compiler()
        obtain(store, compiler, otherwise)
        obtain(store, compiler, otherwise, MADE_OF | {"accelerator": "gpu"})
        one, other = store.all()
        entry = one.folder / "entry.json"
        entry.write_bytes((other.folder / "entry.json").read_bytes())
        assert any("another model" in kept.damage() for kept in store.all())


class TestFailures:
    def test_a_compiler_that_fails_leaves_nothing(self, store, otherwise):
        def fail(folder):
            (folder / "half").write_text("x")
            raise BackendError("broken", "it broke")

        with pytest.raises(BackendError, match="it broke"):
            obtain(store, fail, otherwise)
        assert store.all() == []
        assert not list(store.folder.glob("*partial*"))
        assert obtain(store, Compiler(), otherwise).kept

    def test_its_own_trouble_with_files_is_not_the_caches(self, store, otherwise):
        def fail(folder):
            raise FileNotFoundError(2, "No such file", "/opt/sdk/compiler")

        with pytest.raises(BackendError, match="No such file"):
            obtain(store, fail, otherwise)

    def test_a_link_out_of_the_folder_is_refused(self, store, otherwise):
        def link(folder):
            (folder / "model.bin").symlink_to("/etc/passwd")
            return Artifact(folder / "model.bin", "npu")

        with pytest.raises(BackendError, match="not a regular file"):
            obtain(store, link, otherwise)
        assert store.all() == []

    def test_a_cache_that_cannot_be_written(self, tmp_path, otherwise):
        """The run goes on with what it compiles for itself."""
        (tmp_path / "file").write_text("in the way")
        obtained = obtain(CompiledStore(tmp_path / "file"), Compiler(), otherwise)
        assert not obtained.kept
        assert obtained.note
        assert obtained.artifact.path.is_relative_to(otherwise)

    def test_what_cannot_be_kept_can_be_used(self, store, otherwise, monkeypatch):
        def full(path, tree, sums):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(compiled.tree, "write_sums", full)
        compiler = Compiler()
        obtained = obtain(store, compiler, otherwise)
        assert (obtained.kept, compiler.calls) == (False, 1)
        assert "No space" in obtained.note
        assert obtained.artifact.path.read_bytes() == b"binary"

    def test_what_a_killed_process_left_is_swept_away(self, store, otherwise):
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        left = store.folder / f".{'a' * 64}.{dead.pid}.partial"
        alive = store.folder / f".{'b' * 64}.{os.getppid()}.partial"
        for folder in (left, alive):
            folder.mkdir(parents=True)
            (folder / "half").write_bytes(b"12345")
        assert store.sweep() == 5
        assert not left.exists()
        assert alive.exists()

    def test_side_by_side_it_is_compiled_once(self, store, otherwise):
        waited = threading.Event()

        class Slow(Compiler):
            def __call__(self, folder):
                assert waited.wait(200)
                return super().__call__(folder)

        compiler, found = Slow(), []

        def work():
            found.append(store.obtain(MADE_OF, "net", compiler, otherwise, waited.set))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert compiler.calls == 1
        assert sorted(each.cached for each in found) == [False, True, True]


def test_the_most_recently_used_come_first(store, otherwise):
    for name, age in (("old", 100), ("new", 1), ("middle", 10)):
        obtain(store, Compiler(), otherwise, MADE_OF | {"model": name})
        kept = next(each for each in store.all() if each.entry.made_of["model"] == name)
        os.utime(kept.folder / "entry.json", (1e9 - age, 1e9 - age))
    assert [kept.entry.made_of["model"] for kept in store.all()] == ["new", "middle", "old"]
    obtain(store, Compiler(), otherwise, MADE_OF | {"model": "old"})
    assert store.all()[0].entry.made_of["model"] == "old"


def test_again_compiles_what_is_stored_already(tmp_path):
    """The new output takes the place of the stored one."""
    store, calls = CompiledStore(tmp_path), []

    def make(folder):
        calls.append(folder)
        (folder / "out").write_text(str(len(calls)))
        return Artifact(folder / "out", "npu")

    for again, cached, content in ((False, False, "1"), (False, True, "1"), (True, False, "2"), (False, True, "2")):
        found = store.obtain({"model": "m"}, "m", make, tmp_path, again=again)
        assert (found.cached, found.artifact.path.read_text()) == (cached, content)


def test_the_digest_of_editable_code_follows_its_files(tmp_path, monkeypatch):
    """Files of the imported package count, whether imported or not; others of the project do not."""
    package = tmp_path / "src" / "editable_case"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "later.py").write_text("x = 1")
    (tmp_path / "notes.txt").write_text("no code")
    monkeypatch.syspath_prepend(tmp_path / "src")
    __import__("editable_case")
    first = code_digest(tmp_path)
    assert first
    (tmp_path / "notes.txt").write_text("changed")
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "x.pyc").write_text("compiled")
    assert code_digest(tmp_path) == first
    (package / "later.py").write_text("x = 2")
    second = code_digest(tmp_path)
    assert second not in ("", first)
    assert code_digest(tmp_path / "elsewhere") == ""


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ('{"url": "file:///home/a%20b/acme", "dir_info": {"editable": true}}', "/home/a b/acme"),
        ('{"url": "file:///home/acme", "dir_info": {}}', None),
        ('{"url": "https://example.org/acme.whl", "archive_info": {}}', None),
        ('{"url": 7, "dir_info": {"editable": true}}', None),
        ("[]", None), ("not JSON", None), ("", None),
    ],
)  # fmt: skip
def test_editable_installations_are_recognised(text, folder):
    found = project_folder(Distribution("acme", lambda name: text if name == "direct_url.json" else ""))
    assert found == (folder and Path(folder))
