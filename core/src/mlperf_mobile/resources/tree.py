"""Checksums of a folder's files, in the format of ``sha256sum``, and differences from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from mlperf_mobile.resources.record import CHUNK, Tick
from mlperf_mobile.whole_files import writing


def write_sums(path: Path, tree: Path, sums: Mapping[str, str]) -> None:
    """Write ``{path below tree: SHA-256}`` for ``sha256sum -c`` in the folder of ``path``.

    Raises:
        OSError: It cannot be written.
    """
    with writing(path) as file:
        file.writelines(f"{sums[name]}  {tree.name}/{name}\n" for name in sorted(sums))


def difference(tree: Path, sums: Path, tick: Tick = lambda done: None) -> str:
    """The first difference between a tree and its checksums; empty if there is none.

    Raises:
        OSError: It cannot be read.
    """
    expected = _read_sums(sums, tree.name)
    if expected is None:
        return f"{sums} is missing or damaged"
    found = set(_files(tree))
    if missing := expected.keys() - found:
        return f"{len(missing)} files are missing, such as {min(missing)}"
    if extra := found - expected.keys():
        return f"{len(extra)} files do not belong there, such as {min(extra)}"
    done = 0
    for name, sha256 in expected.items():
        hashed = hashlib.sha256()
        with (tree / name).open("rb") as file:
            while data := file.read(CHUNK):
                hashed.update(data)
                done += len(data)
                tick(done)
        if hashed.hexdigest() != sha256:
            return f"{name} has changed"
    return ""


def _read_sums(path: Path, root: str) -> dict[str, str] | None:
    sums = {}
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                sha256, separator, name = line.rstrip("\n").partition(f"  {root}/")
                if len(sha256) != 64 or not separator:
                    return None
                sums[name] = sha256
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return sums


def _files(tree: Path) -> Iterator[str]:
    for folder, _, names in os.walk(tree, onerror=_raise):
        for name in names:
            yield (Path(folder) / name).relative_to(tree).as_posix()


def _raise(error: OSError) -> None:
    raise error


def size(place: Path) -> int:
    """Total bytes of all files below a folder."""
    total = 0
    for path in place.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size if not path.is_dir() else 0
    return total
