"""Looks at a shared library before the dynamic loader does, which says little of a wrong one and dies of half a one.

Offsets are those of the System V ABI's ELF header and program header.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mlperf_mobile.errors import BackendError

_MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
"""``e_machine``, as the supplements of the processors say."""

_LOAD = 1
"""``PT_LOAD``: a part of the file that is mapped into memory."""

HEADER = 64
"""Bytes, of the larger of both kinds."""


def check(path: Path) -> None:
    """Check that the file is a whole library for the processor that this Python runs on.

    On systems without ELF files it only checks that there is a file.

    Raises:
        BackendError: ``capi-library`` or ``capi-architecture``; names the file.
    """
    try:
        with path.open("rb") as file:
            header, size = file.read(HEADER), path.stat().st_size
            own, machine = _machine(_own_header()), _machine(header)
            if own is None:
                return
            if machine is None:
                raise BackendError("capi-library", f"{path} is no shared library (ELF)", "check the option library")
            if machine != own:
                summary = f"{path} is built for {machine}, and this Python runs on {own}"
                raise BackendError("capi-architecture", summary, "use the vendor's library for this processor")
            layout = _Layout.of(header)
            start, count = layout.table(header)
            file.seek(min(start, size))
            needed = layout.end(file.read(layout.entry * count), count)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BackendError("capi-library", f"cannot read {path}: {reason}", "check the option library") from error
    if needed is None or needed > size:
        raise BackendError("capi-library", f"{path} is cut off at byte {size}", "copy it again")


def _own_header() -> bytes:
    with Path(sys.executable).open("rb") as file:
        return file.read(HEADER)


def _machine(header: bytes) -> str | None:
    """The processor that a header names, with its word size and byte order; None for other files."""
    if len(header) < HEADER or header[:4] != b"\x7fELF":
        return None
    (number,) = struct.unpack_from(f"{_order(header)}H", header, 18)
    bits, order = 32 * header[4], "little" if header[5] == 1 else "big"
    return f"{_MACHINES.get(number, f'machine {number}')} ({bits}-bit, {order}-endian)"


def _order(header: bytes) -> str:
    return "<" if header[5] == 1 else ">"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are in the headers of one word size; ``word`` is the type of an offset."""

    order: str
    word: str
    start: int
    count: int
    entry: int
    """Bytes of one program header."""
    offset: int
    length: int

    @classmethod
    def of(cls, header: bytes) -> Self:
        if header[4] == 2:
            return cls(_order(header), "Q", start=32, count=56, entry=56, offset=8, length=32)
        return cls(_order(header), "I", start=28, count=44, entry=32, offset=4, length=16)

    def table(self, header: bytes) -> tuple[int, int]:
        """Where the program headers start, and how many there are."""
        return self._read(self.word, header, self.start), self._read("H", header, self.count)

    def end(self, table: bytes, count: int) -> int | None:
        """The end of the last part of the file that is loaded; None if the program headers themselves are cut off."""
        if len(table) < self.entry * count:
            return None
        places = [place * self.entry for place in range(count)]
        loaded = [place for place in places if self._read("I", table, place) == _LOAD]
        ends = [sum(self._read(self.word, table, place + at) for at in (self.offset, self.length)) for place in loaded]
        return max(ends, default=0)

    def _read(self, kind: str, data: bytes, place: int) -> int:
        (number,) = struct.unpack_from(self.order + kind, data, place)
        return int(number)
