"""Checks a .dlc file, a ZIP archive, before the SDK reads it."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlperf_mobile.errors import ModelError

HINT = "fetch or convert the model again"
NETWORK = "model"
METADATA = "dlc.metadata"
MOST_RECORDS = 4096
MOST_BYTES = 2**40
MOST_METADATA = 2**16
_MAGIC = b"\xd5\x0a"
_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Dlc:
    """The description in a .dlc file."""

    records: tuple[str, ...]
    """The names of the archive's members."""
    version: int | None
    """Version of the network format: 3 in SNPE 1, 4 in SNPE 2; None for a network without one."""
    converter: str
    """Version of the converter that wrote it; empty if unknown."""

    def facts(self) -> dict[str, object]:
        """As plain JSON data."""
        return {"records": len(self.records), "format_version": self.version, "converter": self.converter}


def check(path: Path, *, content: bool = False) -> Dlc:
    """Check the archive and read its description; nothing is unpacked to disk.

    The names ``model``, ``model.params`` and ``dlc.metadata`` and the network's head are as Netron (dlc.js) reads them;
    what is inside the network is left to SNPE.

    Args:
        path: The file.
        content: Read all of it, and compare its checksums.

    Raises:
        ModelError: ``model-missing``, ``model-not-dlc``, ``model-damaged``.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            try:
                with zipfile.ZipFile(file) as archive:
                    return _Archive(archive, path, size).check(content=content)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
                file.seek(0)
                if size and not file.read(4).startswith(b"PK"):
                    summary = f"{path} is not a .dlc model, which is a ZIP archive"
                    raise ModelError(
                        "model-not-dlc", summary, "convert it with snpe-onnx-to-dlc or qairt-converter"
                    ) from error
                raise ModelError(
                    "model-damaged", f"{path} is damaged: {error or 'its end is missing'}", HINT
                ) from error
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise ModelError("model-missing", f"cannot read {path}: {reason}", "check the path of the model") from error


@dataclass(frozen=True, slots=True)
class _Archive:
    archive: zipfile.ZipFile
    path: Path
    size: int
    """Size of the file in bytes."""
    members: Mapping[str, zipfile.ZipInfo] = field(default_factory=dict)

    def check(self, *, content: bool) -> Dlc:
        members = self.archive.infolist()
        names = tuple(member.filename for member in members)
        if len(names) > MOST_RECORDS or len(set(names)) < len(names):
            raise zipfile.BadZipFile(f"it has {len(names)} records, or two of one name")
        for member in members:
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile(f"record {member.filename!r} is encrypted or packed in an unknown way")
            if member.header_offset + member.compress_size > self.size or member.file_size > MOST_BYTES:
                raise zipfile.BadZipFile(f"record {member.filename!r} does not fit into the file")
        if NETWORK not in names:
            raise ModelError("model-not-dlc", f"{self.path} has no record {NETWORK!r}, which holds the network", HINT)
        if content:
            for member in members:
                with self.archive.open(member) as record:
                    while record.read(_CHUNK):
                        pass
        head = self._start(NETWORK, 4)
        version = int.from_bytes(head[2:4], "little") if head.startswith(_MAGIC) else None
        metadata = self._start(METADATA, MOST_METADATA) if METADATA in names else b""
        return Dlc(names, version, _converter(metadata))

    def _start(self, name: str, count: int) -> bytes:
        with self.archive.open(name) as record:
            return record.read(count)


def _converter(metadata: bytes) -> str:
    """``converter-version`` of lines ``key=value``, as something that can be printed."""
    for line in metadata.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        if key == "converter-version":
            return "".join(letter for letter in value[:80] if letter.isprintable())
    return ""
