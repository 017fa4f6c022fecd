"""Encoded samples on disk, identified by the sample's content and by the encoding."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Codec, Dataset, FingerprintedDataset, Recipe, Tensors

_CHECK = 4
"""Bytes of the CRC-32 in front of each file's content."""
MAX_TENSORS = 64


KeyOf = Callable[[int], str]
"""The name of an encoded sample, by the sample's index."""


def key_of(dataset: Dataset, codec: Codec) -> KeyOf | None:
    """The function that names a data set's encoded samples; None if it has no fingerprints, or the codec no recipe.

    The protocols are checked only once: a check for each sample would take longer than encoding a small image.
    """
    if not isinstance(dataset, FingerprintedDataset) or not isinstance(codec, Recipe):
        return None
    return lambda index: encoded_key(dataset.fingerprint(index), codec.recipe)


def encoded_key(fingerprint: bytes, recipe: str) -> str:
    """The name of an encoded sample: SHA-256 of the sample's fingerprint and the codec's recipe."""
    return hashlib.sha256(len(fingerprint).to_bytes(8) + fingerprint + recipe.encode()).hexdigest()


class EncodedStore:
    """A folder with one file per sample, in NumPy's format; safe for several threads and processes.

    A lost file only costs time: what cannot be read or written is encoded again.

    Args:
        folder: Created for the first sample.
        limit: Maximum bytes in the folder; the least recently used samples are removed first. 0 keeps nothing.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._lock = threading.Lock()
        self._size: int | None = None

    def get(self, key: str) -> Tensors | None:
        """The sample stored under ``key``; None if it is missing or damaged."""
        if not self._limit:
            return None
        path = self._path(key)
        try:
            data = path.read_bytes()
            if zlib.crc32(data[_CHECK:]) != int.from_bytes(data[:_CHECK]):
                return None
            file, tensors = BytesIO(data), list[npt.NDArray[Any]]()
            file.seek(_CHECK)
            while file.tell() < len(data) and len(tensors) < MAX_TENSORS:
                tensors.append(np.lib.format.read_array(file, allow_pickle=False))
            os.utime(path)
        except (OSError, ValueError, EOFError):
            return None
        return tuple(tensors) or None

    def put(self, key: str, tensors: Tensors) -> None:
        """Store a sample; does nothing if the disk is full or the folder is not writable."""
        if not self._limit or len(tensors) > MAX_TENSORS:
            return
        file = BytesIO(bytes(_CHECK))
        file.seek(_CHECK)
        for tensor in tensors:
            np.lib.format.write_array(file, tensor, allow_pickle=False)
        data = file.getbuffer()
        data[:_CHECK] = zlib.crc32(data[_CHECK:]).to_bytes(_CHECK)
        if len(data) > self._limit or not self._room(len(data)):
            return
        path = self._path(key)
        part = path.with_name(f"{key}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _room(self, size: int) -> bool:
        """Reserve ``size`` bytes; if they do not fit, shrink the folder to nine tenths of the limit first."""
        with self._lock:
            if self._size is None:
                self._size = sum(bytes_ for _, bytes_, _ in self._kept())
            if self._size + size > self._limit:
                self._size = self._shrink(self._limit * 9 // 10 - size)
            self._size += size
            return self._size <= self._limit

    def _shrink(self, target: int) -> int:
        kept = sorted(self._kept())
        total = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if total <= target:
                break
            try:
                path.unlink()
            except OSError:
                continue
            total -= size
        return total

    def _kept(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of every file."""
        found = []
        for path in self._folder.glob("??/*"):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((status.st_mtime, status.st_size, path))
        return found
