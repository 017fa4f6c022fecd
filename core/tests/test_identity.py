"""Whoever touches a file after it was hashed is noticed, even if he undoes it; reading it is no offence."""

from __future__ import annotations

import hashlib
import mmap
import os

import pytest

from mlperf_mobile.resources.identity import WatchedFiles, stamps


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "model.tflite"
    file.write_bytes(b"the model")
    os.utime(file, ns=(10**18, 10**18))
    return file


def overwrite(path):
    path.write_bytes(b"THE MODEL")


def overwrite_and_restore(path):
    """Same bytes, same size, and the time set back."""
    before = path.stat()
    path.write_bytes(b"THE MODEL")
    path.write_bytes(b"the model")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path):
    other = path.with_name("other")
    other.write_bytes(b"the model")
    os.utime(other, ns=(10**18, 10**18))
    other.replace(path)


def replace_and_move_back(path):
    aside = path.rename(path.with_name("aside"))
    path.write_bytes(b"THE MODEL")
    aside.replace(path)


def append(path):
    with path.open("ab") as file:
        file.write(b"!")


def remove(path):
    path.unlink()


def link_elsewhere(path):
    other = path.with_name("other")
    other.write_bytes(b"the model")
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize(
    "disturb", [overwrite, overwrite_and_restore, replace, replace_and_move_back, append, remove, link_elsewhere]
)
def test_what_is_noticed(path, disturb):
    watched = WatchedFiles()
    assert watched.file(path) == (hashlib.sha256(b"the model").hexdigest(), 9)
    assert watched.changed() is None
    disturb(path)
    assert watched.changed() == path


def test_another_file_behind_a_link(path):
    link, other = path.with_name("link"), path.with_name("other")
    link.symlink_to(path)
    other.write_bytes(b"the model")
    watched = WatchedFiles()
    watched.file(link)
    link.unlink()
    link.symlink_to(other)
    assert watched.changed() == link


def test_reading_is_not_noticed(path):
    watched = WatchedFiles()
    watched.file(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:3] == b"the"
    os.stat(path)
    assert watched.changed() is None


def test_a_folder(tmp_path):
    """New files are none of its business; nor are hidden ones, and the results that may lie in it."""
    for name in ("a/1.png", "a/b/2.png", ".hidden/3.png", ".4.png", "results/5.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"abc")
    watched = WatchedFiles()
    assert watched.folder(tmp_path, tmp_path / "results") == (6, 2)
    for name in ("a/new.png", ".hidden/3.png", ".4.png", "results/5.json"):
        (tmp_path / name).write_bytes(b"abcdef")
    assert watched.changed() is None
    (tmp_path / "a/b/2.png").write_bytes(b"abd")
    assert watched.changed() == tmp_path / "a/b/2.png"


def test_what_is_forgotten(path):
    watched = WatchedFiles()
    watched.file(path)
    watched.forget(path.parent)
    path.unlink()
    assert watched.changed() is None


def test_all_of_a_compiled_model(tmp_path):
    """Hidden files are part of it."""
    (tmp_path / ".weights").write_bytes(b"abc")
    (tmp_path / "model.bin").write_bytes(b"abc")
    watched = WatchedFiles()
    watched.also(stamps(tmp_path))
    (tmp_path / ".weights").write_bytes(b"abd")
    assert watched.changed() == tmp_path / ".weights"
