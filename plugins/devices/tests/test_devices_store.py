"""The store on a device: files and folders are copied once, checked there, continued, and pruned."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost, Output
from mlperf_mobile.errors import DataError
from mlperf_mobile_devices import shell, store
from mlperf_mobile_devices.host_files import Digests
from mlperf_mobile_devices.link import Control, Link
from mlperf_mobile_devices.store import Store, StoredItem, free_of, to_prune
from mlperf_mobile_devices.testing import StandInTransport


@pytest.fixture
def device(tmp_path):
    return StandInTransport(str(tmp_path / "device"))


@pytest.fixture
def there(device, tmp_path):
    (tmp_path / "device").mkdir()
    return Store(Link(device, device.address, 0, Control(None)))


@pytest.fixture
def digests(tmp_path):
    with Digests(tmp_path / "cache" / "digests.sqlite") as found:
        yield found


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "data set"
    (place / "val" / "deep").mkdir(parents=True)
    (place / "empty").mkdir()
    for number in range(30):
        (place / "val" / f"image {number} ü.png").write_bytes(os.urandom(500))
    (place / "val" / "deep" / "large").write_bytes(os.urandom(9000))
    (place / ".hidden").write_text("x")
    return place


def tree(place):
    return {str(path.relative_to(place)): path.read_bytes() if path.is_file() else None for path in place.rglob("*")}


def test_a_file_is_copied_once(there, device, digests, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"model" * 1000)
    item = digests.item(path)
    assert item.sha256 == hashlib.sha256(b"model" * 1000).hexdigest()
    told = []
    there.provide([item, item], told.append)
    place = Path(there.place(device.root, item))
    assert place == Path(device.root, "store", item.sha256, "model.tflite")
    assert place.read_bytes() == path.read_bytes()
    assert (there.pushed, told) == (5000, [5000])
    there.provide([item])
    assert there.pushed == 5000
    assert there.missing([item]) == []


def test_a_folder_is_copied_with_its_folders(there, device, digests, folder, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 4000)
    monkeypatch.setattr(shell, "CHUNK", 2000)
    item = digests.item(folder)
    there.provide([item])
    expected = {name: data for name, data in tree(folder).items() if name != ".hidden"}
    assert tree(Path(there.place(device.root, item))) == expected
    assert there.pushed == 30 * 500 + 9000
    there.provide([item])
    assert there.pushed == 30 * 500 + 9000


def test_only_the_missing_files_of_a_folder_are_copied(there, device, digests, folder, monkeypatch):
    monkeypatch.setattr(store, "BATCH", 4000)
    item, sent = digests.item(folder), []

    def drop(argv):
        sent.append("tar" in argv[2])
        if sum(sent) == 4:
            raise DeviceLost("dropped")

    device.faults.append(drop)
    with pytest.raises(DeviceLost):
        there.provide([item])
    device.faults.clear()
    assert there.missing([item]) == [item]
    assert there.pushed > 0
    there.provide([item])
    assert there.pushed == 30 * 500 + 9000
    assert there.missing([item]) == []


def test_a_changed_folder_is_another_one(digests, folder):
    first = digests.item(folder)
    (folder / "val" / "deep" / "large").write_bytes(b"other")
    assert digests.item(folder).sha256 != first.sha256
    (folder / "empty").rmdir()
    assert digests.item(folder).sha256 not in (first.sha256, "")


def test_a_damaged_copy_is_made_again_and_then_refused(there, device, digests, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(bytes(5000))
    item, copies = digests.item(path), []

    def damage(argv):
        if len(argv) > 4 and argv[2].strip().startswith("mv -f"):
            copies.append(argv[4])
            Path(argv[4]).write_bytes(b"damaged")

    device.faults.append(damage)
    with pytest.raises(DeviceError) as caught:
        there.provide([item])
    assert caught.value.code == "device-transfer"
    assert len(copies) == 2
    assert not Path(device.root, "store", item.sha256).exists()


def test_too_little_storage_is_reported_with_numbers_before_anything_is_copied(there, device, digests, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(bytes(5_000_000))
    Path(device.root, "store").mkdir(parents=True)
    text = b"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 100 90 40000 90% /data\n"
    device.faults.append(lambda argv: Output(0, text, b"") if "df -Pk" in argv[2] else None)
    with pytest.raises(DeviceError) as caught:
        there.provide([digests.item(path)])
    assert caught.value.code == "device-storage"
    assert "41 MB free; 5 MB have to be copied" in caught.value.summary
    assert there.pushed == 0


@pytest.mark.parametrize("text", ["", "x", "a\nb c", "a\n/dev/x 1 2 -5 1% /", "a\n/dev/x 1 2 three 1% /"])
def test_free_storage_is_a_number(text):
    with pytest.raises(ValueError, match="no number"):
        free_of(text.splitlines(), ValueError("no number"))


def test_two_hosts_that_copy_the_same(there, device, digests, folder, monkeypatch):
    item = digests.item(folder)
    inner = []

    def another(argv):
        if "tar" in argv[2] and not inner:
            inner.append(1)
            monkeypatch.setattr(store, "this_host", lambda: "0" * 16)
            Store(Link(StandInTransport(device.root.removesuffix("/mlperf-mobile")), "x", 0, Control(None))).provide(
                [item]
            )
            monkeypatch.undo()

    device.faults.append(another)
    there.provide([item])
    assert [path.name for path in Path(device.root, "store").iterdir()] == [item.sha256]
    assert len(tree(Path(there.place(device.root, item)))) == 30 + 1 + 3


def test_digests_of_unchanged_files_are_remembered(digests, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    first = digests.item(path)
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert digests.item(path) == first
    path.write_bytes(b"two")
    with pytest.raises(TypeError):
        digests.item(path)


@pytest.mark.parametrize("name", ["a\nb", "a\\b", os.fsdecode(b"\xff")])
def test_names_that_cannot_travel(digests, tmp_path, name):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / name).write_text("x")
    with pytest.raises(DataError) as caught:
        digests.item(folder)
    assert caught.value.code == "file-name"


def test_links_in_a_circle_end(digests, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "file").write_text("x")
    (folder / "loop").symlink_to(folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other").write_text("y")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert set(digests.item(folder).files) == {"file", "link/other"}


def stored(name, age, size, *, used=False):
    return StoredItem(name, name, age, size, is_whole=True, used=used)


@pytest.mark.parametrize(
    ("age", "keep", "expected"), [(0, 0, "acd"), (50, 0, "ac"), (0, 25, "ac"), (0, 15, "acd"), (0, 100, "")]
)
def test_what_is_pruned(age, keep, expected):
    items = [stored("a", 300, 10), stored("b", 200, 10, used=True), stored("c", 100, 10), stored("d", 1, 10)]
    assert "".join(item.name for item in to_prune(items, age, keep)) == expected


def test_the_store_is_listed_and_pruned(there, device, digests, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        there.provide([digests.item(tmp_path / name)])
    used = digests.item(tmp_path / "two").sha256
    run = Path(device.root, "runs", "run")
    run.mkdir(parents=True)
    (run / "uses").write_text(f"{used}\n")
    os.utime(Path(device.root, "store", used), (1, 1))
    found = there.all()
    assert [(item.sha256 == used, item.used, item.is_whole) for item in found] == [
        (True, True, True),
        (False, False, True),
    ]
    for item in to_prune(found, 0, 0):
        there.remove(item)
    assert [item.sha256 for item in there.all()] == [used]
