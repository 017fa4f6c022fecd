"""Opens a shared library, and says what is wrong with one that cannot be opened."""

from __future__ import annotations

import ctypes
import struct
import sys
from pathlib import Path

from mlperf_mobile.errors import BackendError

MACHINES = {3: "x86", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
"""e_machine of an ELF header (System V ABI, chapter 4)."""

LOAD = 1
"""PT_LOAD: a segment that the loader maps (System V ABI, chapter 5)."""


def load(library: str, title: str, missing: str) -> ctypes.CDLL:
    """Open ``library``, a path or a name that the dynamic loader finds.

    Args:
        library: What to open.
        title: What it should be, for messages.
        missing: What to do when it is not there.

    Raises:
        BackendError: ``library-missing``, ``library-architecture`` or ``library-broken``.
    """
    path = Path(library) if "/" in library else None
    if path and is_cut_short(path):  # mapped by the loader, it would end the process
        raise BackendError("library-broken", f"{library} is cut short", "copy it again")
    try:
        return ctypes.CDLL(library)
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL in it
        reason = " ".join(str(error).split())
        theirs, ours = machine(path) if path else "", machine(Path(sys.executable))
        if (theirs and ours and theirs != ours) or "wrong ELF class" in reason:
            summary = f"{library} is for another processor: {theirs or reason}; this Python is {ours}"
            raise BackendError("library-architecture", summary, f"use the {ours} build of the library") from error
        if (path and path.is_file()) or "No such file" not in reason:
            summary = f"{library} cannot be loaded: {reason}"
            raise BackendError("library-broken", summary, "install what it needs, or copy it again") from error
        raise BackendError("library-missing", f"{title}: there is no library {library}", missing) from error


def machine(file: Path) -> str:
    """Which processor an ELF file is for, as ``"aarch64, 64 bit"``; empty for a file of another kind."""
    head = _read(file, 0, 20)
    if not _is_elf(head):
        return ""
    (number,) = struct.unpack_from(f"{_order(head)}H", head, 18)
    return f"{MACHINES.get(number, f'machine {number}')}, {32 * head[4]} bit"


def is_cut_short(file: Path) -> bool:
    """Whether an ELF file for this processor ends before what it says it holds."""
    head = _read(file, 0, 64)
    if not _is_elf(head) or machine(file) != machine(Path(sys.executable)):
        return False
    if len(head) < 64:
        return True
    wide, order = head[4] == 2, _order(head)
    start, each, count = (
        *struct.unpack_from(f"{order}Q" if wide else f"{order}I", head, 32 if wide else 28),
        *struct.unpack_from(f"{order}HH", head, 54 if wide else 42),
    )
    table = _read(file, start, each * count)
    entry = struct.Struct(f"{order}2I6Q" if wide else f"{order}8I")
    if each != entry.size or len(table) < each * count:
        return True
    size = file.stat().st_size
    for position in range(0, each * count, each):
        kind, *rest = entry.unpack_from(table, position)
        offset, length = (rest[1], rest[4]) if wide else (rest[0], rest[3])  # p_offset and p_filesz
        if kind == LOAD and offset + length > size:
            return True
    return False


def _is_elf(head: bytes) -> bool:
    return len(head) >= 20 and head[:4] == b"\x7fELF"


def _order(head: bytes) -> str:
    return "<" if head[5] == 1 else ">"


def _read(file: Path, offset: int, size: int) -> bytes:
    """As many of so many bytes as there are."""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(size)
    except (OSError, ValueError, OverflowError):
        return b""
