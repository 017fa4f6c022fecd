"""Unpacks untrusted zip and tar.gz files: either all of the content ends up in one folder, or none of it."""

from __future__ import annotations

import errno
import gzip
import hashlib
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, cast

from mlperf_mobile.errors import DataError, described
from mlperf_mobile.resources.record import CHUNK, Tick
from mlperf_mobile_fetch import members

RATIO_FLOOR = 64 << 20
"""Below this many bytes, any compression ratio is accepted."""
HEADER_BYTES = 4 * tarfile.BLOCKSIZE
"""Bytes that the headers of one tar member may take, on average."""
MAX_READ = 16 << 20
"""Bytes that a tar header may make us read at once; data are read in smaller pieces."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for the content of an archive."""

    total_bytes: int = 64 << 30
    member_bytes: int = 64 << 30
    members: int = 500_000
    ratio: int = 200
    """Content size over archive size; deflate can reach a thousand, images and models one or two."""


class _Member(NamedTuple):
    name: str
    open: Callable[[], IO[bytes] | None] | None


def unpack(archive: Path, into: Path, limits: Limits, tick: Tick = lambda done: None) -> dict[str, str]:
    """Unpack ``archive`` as the new folder ``into``, whose parent exists.

    Args:
        archive: A zip or tar.gz file, recognised by its first bytes.
        into: Replaced if it exists, but only when everything is unpacked.
        limits: Checked against the bytes actually written.
        tick: Called with the bytes written so far.

    Returns:
        ``{path below into: SHA-256}`` of every file.

    Raises:
        DataError: The archive is damaged, unsafe, encrypted or too large; nothing is left behind.
        OSError: The file system refused.
    """
    working = into.with_name(f".{into.name}.unpacking")
    shutil.rmtree(working, ignore_errors=True)
    try:
        working.mkdir()
        sums = _Writer(archive, working, limits, tick).write()
        replace(working, into)
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise
    return sums


def replace(new: Path, old: Path) -> None:
    """Put the folder ``new`` in the place of ``old``.

    Raises:
        OSError: The file system refused.
    """
    if old.is_dir():
        aside = old.with_name(f".{old.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        old.rename(aside)
        new.rename(old)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        new.rename(old)


@dataclass(slots=True)
class _Writer:
    archive: Path
    folder: Path
    limits: Limits
    tick: Tick
    _names: members.Names = field(default_factory=members.Names)
    _written: int = 0

    def write(self) -> dict[str, str]:
        sums = {}
        try:
            with closing(self._members()) as found:
                for number, member in enumerate(found, 1):
                    if number > self.limits.members:
                        raise self._too_large(f"more than {self.limits.members} members")
                    parts = self._names.add(member.name, is_folder=member.open is None)
                    target = self.folder.joinpath(*parts)
                    if member.open is None:
                        target.mkdir(parents=True, exist_ok=True)
                    else:
                        target.parent.mkdir(parents=True, exist_ok=True)
                        sums["/".join(parts)] = self._copy(member.open, target)
        except members.UnsafeName as error:
            hint = "do not use this archive; the file may have been tampered with"
            raise DataError("archive-unsafe", f"{self.archive}: {error}", hint) from error
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError) as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            if error.errno == errno.EINVAL:  # a position before the beginning
                raise self._damaged("it points outside itself") from error
            raise
        except (ValueError, NotImplementedError, RuntimeError, ArithmeticError, LookupError) as error:
            raise self._damaged(described(error)) from error
        return sums

    def _copy(self, begin: Callable[[], IO[bytes] | None], target: Path) -> str:
        hashed, size, content = hashlib.sha256(), 0, begin()
        assert content is not None
        with content, target.open("xb") as file:
            while data := content.read(CHUNK):
                size += len(data)
                self._written += len(data)
                if size > self.limits.member_bytes or self._written > self.limits.total_bytes:
                    raise self._too_large(f"more than {min(self.limits.member_bytes, self.limits.total_bytes)} bytes")
                if self._written > self._most():
                    raise self._too_large(f"more than {self.limits.ratio} times its own size")
                file.write(data)
                hashed.update(data)
                self.tick(self._written)
        return hashed.hexdigest()

    def _members(self) -> Generator[_Member]:
        with self.archive.open("rb") as file:
            magic = file.read(4)
        if magic in (b"PK\x03\x04", b"PK\x05\x06"):
            return self._zip_members()
        if magic[:2] == b"\x1f\x8b":
            return self._tar_members()
        hint = "remove 'unpack' to keep the file as it is"
        raise DataError("archive-kind", f"{self.archive} is neither a zip nor a tar.gz file", hint)

    def _zip_members(self) -> Generator[_Member]:
        members.check_directory(self.archive, self.limits.members)
        with zipfile.ZipFile(self.archive) as opened:
            for info in opened.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise members.UnsafeName(f"{info.orig_filename!a} is a link or a device")
                if info.flag_bits & 0x1:
                    hint = "unpack it by hand"
                    raise DataError("archive-encrypted", f"{self.archive} needs a password", hint)
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise self._damaged(f"{info.orig_filename!a} is compressed in an unusual way")
                yield _Member(info.orig_filename, None if info.is_dir() else partial(opened.open, info))

    def _tar_members(self) -> Generator[_Member]:
        with (
            gzip.open(self.archive, "rb") as unzipped,
            closing(_BoundedStream(unzipped, self._most() + HEADER_BYTES * self.limits.members)) as bounded,
            tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r:") as opened,
        ):
            while (info := opened.next()) is not None:
                opened.members = []  # type: ignore[attr-defined]  # it would keep them all
                if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or info.issparse():
                    raise members.UnsafeName(f"{info.name!a} is a link or a device")
                yield _Member(info.name, None if info.isdir() else partial(opened.extractfile, info))
            bounded.seek(opened.offset)
            if bounded.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise self._damaged("it contains something other than members")
            while bounded.read(CHUNK):  # to the end, where the checksum is
                pass

    def _most(self) -> int:
        return max(RATIO_FLOOR, self.limits.ratio * self.archive.stat().st_size)

    def _damaged(self, reason: str) -> DataError:
        hint = "fetch it again; if its checksum is right, the archive was damaged when it was made"
        return DataError("archive-damaged", f"{self.archive} cannot be unpacked: {reason}", hint)

    def _too_large(self, what: str) -> DataError:
        hint = "raise unpacked_max_bytes if it is really that large; it may have been made to fill disks"
        return DataError("archive-too-large", f"{self.archive} has {what}", hint)


class _BoundedStream:
    """A decompressed stream with limits on its length and on each read, regardless of its headers."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream, self._most = stream, most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise ValueError("a header is too large")
        self._within(self._stream.tell())
        return self._stream.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        self._within(position)
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()

    def _within(self, position: int) -> None:
        if position > self._most:
            raise ValueError("it is larger than allowed")
