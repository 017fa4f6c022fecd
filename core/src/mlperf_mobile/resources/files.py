"""The files of one download in the cache, and file errors as errors for the user."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlperf_mobile.errors import DataError


@dataclass(frozen=True, slots=True)
class Files:
    """The paths of one download; the cache's own files are hidden, and no URL maps to a hidden name."""

    root: Path
    place: PurePosixPath

    @property
    def file(self) -> Path:
        """The file as downloaded."""
        return self.root / "downloads" / self.place

    @property
    def record(self) -> Path:
        return _beside(self.file, "json")

    @property
    def part(self) -> Path:
        """The partial file."""
        return _beside(self.file, "part")

    @property
    def source(self) -> Path:
        """The server's description of the file that ``part`` is the beginning of."""
        return _beside(self.file, "source")

    @property
    def lock(self) -> Path:
        return _beside(self.file, "lock")

    @property
    def tree(self) -> Path:
        """The content of an archive."""
        return self.root / "unpacked" / self.place

    @property
    def tree_record(self) -> Path:
        return _beside(self.tree, "json")

    @property
    def tree_sums(self) -> Path:
        return _beside(self.tree, "sha256")


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{kind}")


def size_of(path: Path) -> int:
    """A file's size in bytes; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


@contextmanager
def file_errors(root: Path, verb: str = "write") -> Iterator[None]:
    """Turn ``OSError`` for files in the cache ``root`` into errors for the user."""
    try:
        yield
    except OSError as error:
        where = error.filename or root
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full(f"no space left for {where}") from error
        reason = error.strerror or str(error)
        hint = f"check that the cache {root} is a folder that you can {verb}, or choose another"
        raise DataError("cache-unusable", f"cannot {verb} {where}: {reason}", hint) from error


def disk_full(summary: str) -> DataError:
    """The error for a file system without space."""
    return DataError(
        "disk-full", summary, "free some, or choose another cache folder; the part downloaded so far is kept"
    )
