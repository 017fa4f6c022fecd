"""What the cache notes about a file: where it came from, its size and checksums; plain JSON beside the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.whole_files import writing

CHUNK = 1 << 20

Tick = Callable[[int], None]
"""Told how many bytes have been dealt with; may raise to stop the work."""


class JsonFile(BaseModel):
    """A small JSON file that is written whole or not at all, and counts as absent when it is damaged."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    MAX: ClassVar[int] = 1 << 16
    """Bytes that are read; a record has a few hundred."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        try:
            with path.open("rb") as file:
                return cls.model_validate_json(file.read(cls.MAX))
        except (OSError, ValidationError, RecursionError):
            return None

    def write(self, path: Path) -> None:
        """Raises: OSError: It cannot be written."""
        with writing(path) as file:
            json.dump(self.model_dump(exclude_defaults=True, by_alias=True), file, indent=2)
            file.write("\n")


class Source(JsonFile):
    """What the server said about the file that a partial download is the beginning of."""

    url: str
    etag: str = ""
    last_modified: str = ""
    total: int | None = Field(default=None, ge=0)

    @property
    def validator(self) -> str:
        """The validator for ``If-Range``; a weak ETag is not one (RFC 9110, 13.1.5)."""
        return self.etag if self.etag.startswith('"') else self.last_modified


class Record(JsonFile):
    """A whole file, or for an unpacked tree the archive it came from."""

    url: str
    bytes: int = Field(ge=0)
    sha256: str
    md5: str
    etag: str = ""
    last_modified: str = ""
    fetched: str = ""
    """UTC, ISO 8601."""
    damaged: bool = False
    """Verifying found it changed."""

    @classmethod
    def of(cls, source: Source, digests: Digests) -> Self:
        """A record of now."""
        return cls(
            **source.model_dump(include={"url", "etag", "last_modified"}),
            **digests._asdict(),
            fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        )


class Digests(NamedTuple):
    """A file's size and checksums."""

    bytes: int
    sha256: str
    md5: str


def digest(path: Path, tick: Tick = lambda done: None) -> Digests:
    """Read a file through.

    Raises:
        OSError: It cannot be read.
    """
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            sha256.update(data)
            md5.update(data)
            size += len(data)
            tick(size)
    return Digests(size, sha256.hexdigest(), md5.hexdigest())
