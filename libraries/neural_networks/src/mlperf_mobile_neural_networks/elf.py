"""Opens a shared library, and says what is wrong with one that cannot be opened."""

from __future__ import annotations

import ctypes
import struct
import sys
from pathlib import Path

from mlperf_mobile.errors import BackendError

MACHINES = {3: "x86", 40: "arm", 62: "x86-64", 183: "aarch64", 243: "riscv"}
"""e_machine of an ELF header (System V ABI, chapter 4)."""


def load(library: str, title: str, missing: str) -> ctypes.CDLL:
    """Open ``library``, a path or a name that the dynamic loader finds.

    Args:
        library: What to open.
        title: What it should be, for messages.
        missing: What to do when it is not there.

    Raises:
        BackendError: ``library-missing``, ``library-architecture`` or ``library-broken``.
    """
    try:
        return ctypes.CDLL(library)
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL in it
        reason = " ".join(str(error).split())
        is_file = "/" in library and Path(library).is_file()
        theirs, ours = machine(Path(library)) if is_file else "", machine(Path(sys.executable))
        if (theirs and theirs != ours) or "wrong ELF class" in reason:
            summary = f"{library} is for another processor: {theirs or reason}; this Python is {ours}"
            raise BackendError("library-architecture", summary, f"use the {ours} build of the library") from error
        if is_file or "No such file" not in reason:
            summary = f"{library} cannot be loaded: {reason}"
            raise BackendError("library-broken", summary, "install what it needs, or copy it again") from error
        raise BackendError("library-missing", f"{title}: there is no library {library}", missing) from error


def machine(file: Path) -> str:
    """Which processor an ELF file is for, as ``"aarch64, 64 bit"``; empty for a file of another kind."""
    try:
        with file.open("rb") as opened:
            head = opened.read(20)
    except (OSError, ValueError):
        return ""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    (number,) = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)
    return f"{MACHINES.get(number, f'machine {number}')}, {32 * head[4]} bit"
