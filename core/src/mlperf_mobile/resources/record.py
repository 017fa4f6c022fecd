"""The cache's record of a file: its origin, size and checksums, as JSON beside the file."""

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
"""Called with the number of bytes processed; may raise to stop the work."""


class JsonFile(BaseModel):
    """A small JSON file that is written completely or not at all, and counts as absent if damaged."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    MAX: ClassVar[int] = 1 << 16
    """Bytes to read at most; a record has a few hundred."""

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
    """The server's description of the file that a partial download is the beginning of."""

    url: str
    etag: str = ""
    last_modified: str = ""
    total: int | None = Field(default=None, ge=0)

    @property
    def validator(self) -> str:
        """The validator for ``If-Range``; a weak ETag is not one (RFC 9110, 13.1.5)."""
        return self.etag if self.etag.startswith('"') else self.last_modified


class Record(JsonFile):
    """A downloaded file; for an unpacked tree, its archive."""

    url: str
    bytes: int = Field(ge=0)
    sha256: str
    md5: str
    etag: str = ""
    last_modified: str = ""
    fetched: str = ""
    """UTC, ISO 8601."""
    damaged: bool = False
    """Whether verification found that it has changed."""

    @classmethod
    def of(cls, source: Source, digests: Digests) -> Self:
        """A record with the current time."""
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
    """Read a whole file and compute its size and checksums.

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
