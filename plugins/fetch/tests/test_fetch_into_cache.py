"""What fetching makes of files that were put into the cache by hand, damaged or removed."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from mlperf_mobile.errors import DataError
from mlperf_mobile.resources.cache import Cache, State
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile_fetch.fetch import fetch

URL = "https://mobile.mlcommons-storage.org/app-resources/datasets/v0_7/imagenet.zip"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_a_file_without_a_usable_record_is_checked_and_accepted(cache: Cache) -> None:
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    resource = Resource(url=URL, sha256=sha256, bytes=3)
    files = cache.files(resource)
    files.file.parent.mkdir(parents=True)
    files.file.write_bytes(b"abc")
    for damage in (None, "", "{", "[]"):
        if damage is not None:
            files.record.write_text(damage)
        assert cache.state(resource) is State.UNCHECKED
        assert fetch([resource], cache) == {resource: files.file}
        assert cache.sha256(resource) == sha256


@pytest.fixture
def unpacked(cache: Cache) -> Resource:
    resource = Resource(url=URL, unpack=True)
    path = cache.files(resource).file
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("img/a", "first")
        archive.writestr("img/b", "second")
    fetch([resource], cache)
    return resource


def test_an_unpacked_tree_is_verified(cache: Cache, unpacked: Resource) -> None:
    read: list[int] = []
    assert cache.verify(unpacked, read.append) is False
    assert read[-1] == len("first") + len("second")


def test_sha256sum_agrees(cache: Cache, unpacked: Resource) -> None:
    sums = cache.files(unpacked).tree_sums
    command = ["sha256sum", "--check", "--strict", "--quiet", sums.name]
    subprocess.run(command, cwd=sums.parent, check=True)


@pytest.mark.parametrize("damage", ["change", "remove", "add", "sums", "no-sums"])
def test_whatever_happens_to_a_tree_is_found_and_undone(cache: Cache, unpacked: Resource, damage: str) -> None:
    tree, sums = cache.path(unpacked), cache.files(unpacked).tree_sums
    if damage == "change":
        (tree / "img/a").write_text("First")
    elif damage == "remove":
        (tree / "img/a").unlink()
    elif damage == "add":
        (tree / "img/.DS_Store").touch()
    elif damage == "sums":
        sums.write_text("nonsense\n")
    else:
        sums.unlink()
    with pytest.raises(DataError) as caught:
        cache.verify(unpacked)
    assert caught.value.code == "resource-damaged"
    assert cache.state(unpacked) is State.PACKED
    fetch([unpacked], cache)
    cache.verify(unpacked)
    assert sorted(p.name for p in (tree / "img").iterdir()) == ["a", "b"]


def test_the_archive_may_be_removed_to_save_space(cache: Cache, unpacked: Resource) -> None:
    sha256 = cache.sha256(unpacked)
    assert sha256 == hashlib.sha256(cache.files(unpacked).file.read_bytes()).hexdigest()
    cache.files(unpacked).file.unlink()
    assert cache.has(unpacked)
    assert cache.sha256(unpacked) == sha256
    assert cache.verify(unpacked) is False
    assert cache.state(Resource(url=URL)) is State.MISSING
