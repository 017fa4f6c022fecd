"""The identity of the files that a run uses: hashed once, then watched for changes, even changes that are undone.

A file is identified by device, inode, size, and the times of its last modification and status change. Writing to it,
replacing it, and moving the original back each change one of these; no program can set the last one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, modification and status change in nanoseconds."""
Stamps = Mapping[Path, Stamp]

MOST_FILES = 200_000
"""How many files of a folder are watched."""


class WatchedFiles:
    """Files with their state at the time of hashing."""

    def __init__(self) -> None:
        self._stamps: dict[Path, Stamp] = {}

    def file(self, path: Path) -> tuple[str, int]:
        """Watch a file from now on; returns its SHA-256 and size.

        Raises:
            OSError: It cannot be read.
        """
        with path.open("rb") as file:
            stamp = _stamp(os.fstat(file.fileno()))
            self._stamps[path] = stamp
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, stamp[2]

    def stamp(self, path: Path) -> int:
        """Watch a file that is too large to hash; returns its size.

        Raises:
            OSError: It cannot be read.
        """
        self._stamps[path] = stamp = _stamp(path.stat())
        return stamp[2]

    def folder(self, path: Path, without: Path) -> tuple[int, int]:
        """Watch the files in a folder from now on without hashing them; returns their bytes and number.

        Hidden files, and those below ``without``, are left out.

        Raises:
            OSError: It cannot be read.
        """
        found = stamps(path, without)
        self._stamps |= found
        return sum(stamp[2] for stamp in found.values()), len(found)

    def also(self, found: Stamps) -> None:
        """Watch files whose stamps were taken before they were checked."""
        self._stamps |= found

    def forget(self, folder: Path) -> None:
        """Stop watching the files below a folder."""
        self._stamps = {path: stamp for path, stamp in self._stamps.items() if not path.is_relative_to(folder)}

    def changed(self) -> Path | None:
        """The first file that has changed; None if none has."""
        for path, stamp in self._stamps.items():
            try:
                if _stamp(path.stat()) != stamp:
                    return path
            except OSError:
                return path
        return None


def digest_of_files(digests: Mapping[str, str]) -> str:
    """The identity of several files: the SHA-256 of the lines ``sha256  name``, sorted by name, in UTF-8.

    It is what ``sha256sum`` of a list that ``sha256sum`` made prints.

    Args:
        digests: Their SHA-256, by name.
    """
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def stamps(folder: Path, without: Path | None = None) -> dict[Path, Stamp]:
    """The stamps of the files below a folder, at most :data:`MOST_FILES` of them.

    Args:
        folder: The folder.
        without: A folder to leave out; if set, hidden files and folders are left out too.

    Raises:
        OSError: The folder cannot be read.
    """
    found: dict[Path, Stamp] = {}
    for path in _files(folder, without):
        if len(found) == MOST_FILES:
            break
        found[path] = _stamp(path.stat())
    return found


def _files(folder: Path, without: Path | None) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = Path(entry.path)
            if without and (entry.name.startswith(".") or path == without):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files(path, without)
            elif entry.is_file():
                yield path


def _stamp(found: os.stat_result) -> Stamp:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
