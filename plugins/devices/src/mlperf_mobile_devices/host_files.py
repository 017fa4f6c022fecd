"""The host's files that travel to a device, with their digests; those of files that did not change are remembered."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mlperf_mobile.errors import DataError
from mlperf_mobile.names import as_file_name, is_file_name

_TABLE = "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file: its path, its SHA-256, and its size in bytes."""

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """A file or a folder that is kept on a device as a whole."""

    path: Path
    sha256: str
    """Of the file's content; of a folder's manifest."""
    files: Mapping[str, HostFile]
    """By path below a folder; a single entry with an empty path for a file."""
    folders: tuple[str, ...] = ()
    """The paths of all folders below a folder."""
    is_folder: bool = field(default=False)

    @property
    def name(self) -> str:
        """A file name that keeps the suffix."""
        name = self.path.name
        if is_file_name(name):
            return name
        suffix = self.path.suffix
        return as_file_name(self.path.stem) + (suffix if is_file_name(suffix.removeprefix(".")) else "")

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(each.bytes for each in self.files.values())

    @property
    def manifest(self) -> str:
        """A line for each file of a folder, as ``sha256sum`` prints it."""
        return "".join(f"{each.sha256}  {name}\n" for name, each in self.files.items())


class Digests:
    """Digests files, and remembers them by device, inode, size, and the times of the last changes.

    Args:
        place: The database; a missing or unusable one costs only time.
    """

    def __init__(self, place: Path) -> None:
        self._known: sqlite3.Connection | None = None
        with suppress(OSError, sqlite3.Error):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._known = sqlite3.connect(place, timeout=10)
            self._known.execute(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._known:
            with suppress(sqlite3.Error):
                self._known.commit()
            self._known.close()

    def item(self, path: Path, without: Path | None = None) -> Item:
        """A file or folder.

        Args:
            path: Where it is.
            without: A folder below it that is left out, as are files and folders with hidden names.

        Raises:
            DataError: It cannot be read, or a name in it cannot be used on a device.
        """
        try:
            if not path.is_dir():
                file = self._file(path)
                return Item(path, file.sha256, {"": file})
            folders, files = _below(path, without)
            found = {name: self._file(path / name) for name in sorted(files)}
        except OSError as error:
            named = error.filename or path
            raise DataError("data-unreadable", f"cannot read {named}: {error.strerror}", "check the path") from error
        item = Item(path, "", found, tuple(sorted(folders)), is_folder=True)
        sha256 = hashlib.sha256("\n".join([*item.folders, "", item.manifest]).encode()).hexdigest()
        return Item(path, sha256, found, item.folders, is_folder=True)

    def _file(self, path: Path) -> HostFile:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            stamp = f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
            sha256 = self._remembered(path, stamp)
            if sha256 is None:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                self._remember(path, stamp, sha256)
        return HostFile(path, sha256, state.st_size)

    def _remembered(self, path: Path, stamp: str) -> str | None:
        if self._known:
            with suppress(sqlite3.Error):
                rows = self._known.execute("SELECT stamp, sha256 FROM digests WHERE path = ?", (str(path),)).fetchone()
                if rows and rows[0] == stamp:
                    return str(rows[1])
        return None

    def _remember(self, path: Path, stamp: str, sha256: str) -> None:
        if self._known:
            with suppress(sqlite3.Error):
                self._known.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (str(path), stamp, sha256))


def _below(root: Path, without: Path | None) -> tuple[list[str], list[str]]:
    """The folders and files below a folder, by their paths in it; links are followed, but not in circles."""
    folders: list[str] = []
    files: list[str] = []
    for prefix, entry in _walk(root, "", without, (_identity(root),)):
        name = prefix + entry.name
        if "\n" in name or "\\" in name or not _encodable(name):
            hint = "rename it: names with line breaks, backslashes or bytes that are not UTF-8 cannot be copied"
            raise DataError("file-name", f"{root}: {name!r} cannot be a file on a device", hint)
        (folders if entry.is_dir() else files).append(name)
    return folders, files


def _walk(
    root: Path, prefix: str, without: Path | None, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or path == without or not (entry.is_dir() or entry.is_file()):
                continue
            if entry.is_dir():
                if (identity := _identity(path)) in above:
                    continue
                yield prefix, entry
                yield from _walk(root, f"{prefix}{entry.name}/", without, (*above, identity))
            else:
                yield prefix, entry


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def this_host() -> str:
    """A name for this host and user, the same every time."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = f"{uuid.getnode():x}"
    return hashlib.sha256(f"{machine}\0{Path.home()}".encode(errors="surrogateescape")).hexdigest()[:16]
