"""Checks a shared library before the dynamic loader, which explains little and crashes on a truncated file.

Offsets and numbers are those of the System V ABI's ELF header and program header (chapters 4 and 5).
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from mlperf_mobile.errors import BackendError

MACHINES = {3: "x86", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
"""``e_machine``, as in the processors' supplements."""

_LOAD = 1
"""``PT_LOAD``: a part of the file that is mapped into memory."""

_HEADER = 64
"""Bytes of a 64-bit header, the larger of both kinds."""


def check(path: Path) -> None:
    """Check that a file is a complete library for the processor that this Python runs on.

    On systems without ELF files it only checks that the file can be read.

    Raises:
        BackendError: ``library-architecture`` or ``library-broken``; the message names the file.
        FileNotFoundError: The file does not exist.
    """
    hint = "name another file, or copy it again"
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait
            raise BackendError("library-broken", f"{path} cannot be loaded: it is not a file", hint)
        with path.open("rb") as file:
            header, ours = file.read(_HEADER), machine(Path(sys.executable))
            if not ours:
                return
            theirs = _machine(header)
            if not theirs:
                raise BackendError("library-broken", f"{path} cannot be loaded: it is not a shared library (ELF)", hint)
            if theirs != ours:
                summary = f"{path} is for another processor: {theirs}; this Python is {ours}"
                raise BackendError("library-architecture", summary, f"use the {ours} build of the library")
            if _is_cut_short(file, header):
                raise BackendError("library-broken", f"{path} is cut short", "copy it again")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BackendError("library-broken", f"{path} cannot be read: {reason}", hint) from error


def machine(file: Path) -> str:
    """The processor that an ELF file is for, such as ``"aarch64, 64 bit"``; empty for any other file."""
    try:
        with file.open("rb") as opened:
            return _machine(opened.read(_HEADER))
    except (OSError, ValueError):
        return ""


def _machine(header: bytes) -> str:
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return ""
    (number,) = struct.unpack_from(f"{_order(header)}H", header, 18)
    order = "" if header[5] == 1 else ", big-endian"
    return f"{MACHINES.get(number, f'machine {number}')}, {32 * header[4]} bit{order}"


def _order(header: bytes) -> str:
    return "<" if header[5] == 1 else ">"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Offsets in the headers of one word size; ``word`` is the type of an offset."""

    order: str
    word: str
    start: int
    """Place of the program headers' offset; their number follows their size, at ``each``."""
    each: int
    entry: int
    """Bytes of one program header."""
    offset: int
    length: int

    @classmethod
    def of(cls, header: bytes) -> Self:
        if header[4] == 2:
            return cls(_order(header), "Q", start=32, each=54, entry=56, offset=8, length=32)
        return cls(_order(header), "I", start=28, each=42, entry=32, offset=4, length=16)

    def read(self, kind: str, data: bytes, place: int) -> int:
        """The number at a place."""
        (number,) = struct.unpack_from(self.order + kind, data, place)
        return int(number)


def _is_cut_short(file: BinaryIO, header: bytes) -> bool:
    """Whether the file is shorter than its headers say."""
    if len(header) < _HEADER:
        return True
    size = file.seek(0, 2)
    layout = _Layout.of(header)
    start, count = layout.read(layout.word, header, layout.start), layout.read("H", header, layout.each + 2)
    if layout.read("H", header, layout.each) != layout.entry:
        return True
    file.seek(min(start, size))
    table = file.read(layout.entry * count)
    if len(table) < layout.entry * count:
        return True
    return any(
        layout.read(layout.word, table, place + layout.offset) + layout.read(layout.word, table, place + layout.length)
        > size
        for place in range(0, len(table), layout.entry)
        if layout.read("I", table, place) == _LOAD
    )
