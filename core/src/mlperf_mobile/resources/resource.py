"""A file or folder that a run needs and no distribution contains."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from pathlib import PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

GIB = 1 << 30
MAX_PARTS = 32
MAX_PART = 120
"""Characters kept of one part of a URL; a file name has at most 255 bytes, including a hash and a suffix."""


class Resource(BaseModel):
    """Something that must be in the cache: a download, or a file or folder provided by hand (``local://``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(max_length=2048, description="https://…, or local://… for a file or folder provided by hand")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$", description="as in official lists")
    bytes: int | None = Field(default=None, ge=1, description="exact size of the download")
    unpack: bool = Field(default=False, description="whether to unpack the download, a zip or tar.gz")
    about: str = Field(default="", description="for local://: which files belong there, and where to get them")
    max_bytes: int = Field(default=16 * GIB, ge=1, description="limit for the size of the download")
    unpacked_max_bytes: int = Field(default=64 * GIB, ge=1, description="limit for the size of an archive's content")

    @field_validator("url")
    @classmethod
    def _has_a_known_form(cls, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in ("https", "http", "local"):
            raise ValueError("the URL must begin with https:// or local://")
        if scheme == "local":
            _check_local(rest)
        else:
            _check_remote(url)
        return url

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.is_local and self.unpack:
            raise ValueError("a resource provided by hand (local://) must be provided unpacked")
        if self.url.startswith("http://") and not may_use(self.url, checked=self.is_checked):
            raise ValueError("http:// needs a checksum; or use https://")
        if self.bytes is not None and self.bytes > self.max_bytes:
            raise ValueError("bytes is more than max_bytes")
        return self

    @property
    def is_local(self) -> bool:
        """Whether it must be provided by hand."""
        return self.url.startswith("local://")

    @property
    def is_checked(self) -> bool:
        """Whether a checksum is known; without one, any content is accepted."""
        return bool(self.sha256 or self.md5)

    @property
    def limit(self) -> int:
        """The largest size of the download, in bytes."""
        return self.bytes or self.max_bytes

    @property
    def place(self) -> PurePosixPath:
        """Its path relative to a part of the cache, ``host/path``, which never leads out of it."""
        return PurePosixPath(*_local_parts(self.url)) if self.is_local else place_of(self.url)

    def mismatch(self, size: int, sha256: str, md5: str) -> str:
        """What is wrong with a file of this size and these checksums; empty if it is the expected file."""
        if self.bytes not in (None, size):
            return f"it has {size} bytes, not {self.bytes}"
        if self.sha256 not in (None, sha256):
            return f"its SHA-256 is {sha256}, not {self.sha256}"
        if self.md5 not in (None, md5):
            return f"its MD5 is {md5}, not {self.md5}"
        return ""


def may_use(url: str, *, checked: bool) -> bool:
    """Whether a URL may be requested: HTTPS always; HTTP on this machine, or with a checksum."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and (checked or is_loopback(parts.hostname or "")))


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def place_of(url: str) -> PurePosixPath:
    """``host/path`` of an HTTP(S) URL, in characters that are safe in every file system and shell.

    If the URL has anything else, a hash of it goes into the last part, so that no two URLs share a place.
    """
    _, _, rest = url.partition("://")
    path, _, _ = rest.partition("?")
    host, *rest_of_path = path.split("/")
    parts = [_safe(part) for part in (host.lower(), *rest_of_path)]
    if len(parts) == 1:
        parts.append("index")
    if f"https://{'/'.join(parts)}" == url and len(parts) <= MAX_PARTS:
        return PurePosixPath(*parts)
    name = PurePosixPath(parts[-1])
    unique = f"{name.stem}-{hashlib.sha256(url.encode()).hexdigest()[:16]}{name.suffix}"
    return PurePosixPath(*parts[:-1][: MAX_PARTS - 1], unique)


def _safe(part: str) -> str:
    part = re.sub(r"[^A-Za-z0-9._+=@~-]", "_", part)[:MAX_PART]
    part = re.sub(r"^[.~-]|\.$", "_", part)  # hidden files are the cache's own; no part may look like an option
    return part or "_"


def _check_remote(url: str) -> None:
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError("the URL has a character that must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"the URL is damaged: {error}") from error
    if not parts.hostname or port == 0:
        raise ValueError("the URL has no host")
    if "@" in parts.netloc:
        raise ValueError("the URL must not contain a user name or password")
    if parts.fragment:
        raise ValueError("the URL must not have a fragment (#…)")


def _local_parts(url: str) -> list[str]:
    return url.removeprefix("local://").strip("/").split("/")


def _check_local(rest: str) -> None:
    parts = _local_parts(rest)
    if len(parts) > MAX_PARTS:
        raise ValueError(f"the path has more than {MAX_PARTS} parts")
    for part in parts:
        if part in ("", ".", "..") or not part.isprintable() or "\\" in part or len(part.encode()) > 255:
            raise ValueError(f"local:// needs a plain path below the cache's folder; {part!r} cannot be part of it")
