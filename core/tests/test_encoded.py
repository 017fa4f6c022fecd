"""Encoded samples on disk: found again whole or not at all, in no more space than they may have."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.worker.encoded import EncodedStore, encoded_key

KEY = encoded_key(b"x" * 32, "recipe")
TENSORS = (np.arange(12, dtype=np.int8).reshape(1, 3, 4), np.float32([[1.5, np.nan]]), np.zeros((1, 0), np.int64))


def same(one, other):
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(one, other, strict=True)
    )


def test_samples_come_back(tmp_path):
    store = EncodedStore(tmp_path / "deep" / "store", 10**6)
    assert store.get(KEY) is None
    store.put(KEY, TENSORS)
    assert same(store.get(KEY), TENSORS)
    assert same(EncodedStore(tmp_path / "deep" / "store", 10**6).get(KEY), TENSORS)


@given(st.binary(max_size=40), st.text(max_size=20), st.binary(max_size=40), st.text(max_size=20))
def test_keys_differ_where_content_or_recipe_do(one, recipe, other, another):
    assert (encoded_key(one, recipe) == encoded_key(other, another)) == ((one, recipe) == (other, another))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "longer", "foreign"])
def test_damaged_files_are_not_taken(tmp_path, damage):
    store = EncodedStore(tmp_path, 10**6)
    store.put(KEY, TENSORS)
    (file,) = tmp_path.glob("??/*")
    data = file.read_bytes()
    file.write_bytes(
        {
            "cut": data[:-5], "flip": data[:-1] + bytes([data[-1] ^ 1]), "empty": b"", "longer": data + b"x",
            "foreign": b"\0\0\0\0not an array",
        }[damage]
    )  # fmt: skip
    assert store.get(KEY) is None
    store.put(KEY, TENSORS)
    assert same(store.get(KEY), TENSORS)


def test_objects_are_never_loaded(tmp_path):
    """A file with a right checksum, whose array would need unpickling."""
    import io
    import zlib

    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    path = tmp_path / KEY[:2] / KEY
    path.parent.mkdir()
    path.write_bytes(zlib.crc32(file.getvalue()).to_bytes(4) + file.getvalue())
    assert EncodedStore(tmp_path, 10**6).get(KEY) is None


def test_nothing_is_kept_where_nothing_may_be(tmp_path):
    store = EncodedStore(tmp_path / "store", 0)
    store.put(KEY, TENSORS)
    assert (store.get(KEY), (tmp_path / "store").exists()) == (None, False)


def test_the_least_recently_used_make_room(tmp_path):
    """Each file has 1,000 bytes and a header; ten of them may stay."""
    sample = (np.zeros(1000, np.uint8),)
    probe = EncodedStore(tmp_path / "probe", 10**6)
    probe.put(KEY, sample)
    (file,) = (tmp_path / "probe").glob("??/*")
    limit = 10 * file.stat().st_size
    store = EncodedStore(tmp_path / "store", limit)
    keys = [encoded_key(bytes([n]), "r") for n in range(30)]
    for age, key in enumerate(keys):
        store.put(key, sample)
        path = tmp_path / "store" / key[:2] / key
        if path.exists():
            os.utime(path, (age, age))
        total = sum(path.stat().st_size for path in (tmp_path / "store").glob("??/*"))
        assert total <= limit
    assert store.get(keys[-1]) is not None
    assert store.get(keys[0]) is None


def test_a_sample_larger_than_the_store(tmp_path):
    store = EncodedStore(tmp_path, 500)
    store.put(KEY, (np.zeros(1000, np.uint8),))
    assert store.get(KEY) is None


@pytest.mark.parametrize("fails", ["write_bytes", "mkdir"])
def test_a_full_disk_or_closed_folder_only_costs_time(tmp_path, monkeypatch, fails):
    def refuse(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"pathlib.Path.{fails}", refuse)
    store = EncodedStore(tmp_path / "store", 10**6)
    store.put(KEY, TENSORS)
    assert store.get(KEY) is None
    assert not list(tmp_path.rglob("*.part"))


def test_many_threads_at_once(tmp_path):
    store = EncodedStore(tmp_path, 10**6)
    wrong = []

    def work():
        for n in range(50):
            key, sample = encoded_key(bytes([n]), "r"), (np.full(10, n, np.uint8),)
            store.put(key, sample)
            kept = store.get(key)
            if kept is not None and not same(kept, sample):
                wrong.append(n)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not list(tmp_path.rglob("*.part"))
