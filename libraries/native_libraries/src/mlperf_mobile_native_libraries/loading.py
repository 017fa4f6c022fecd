"""Opens a shared library, or reports what is wrong with it."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

from mlperf_mobile.errors import BackendError
from mlperf_mobile_native_libraries import elf

HINT = (
    "install the libraries it needs, or put their folder on LD_LIBRARY_PATH; a library built for Android loads on "
    "Android only"
)

_FOREIGN = ("wrong ELF class", "unexpected e_machine", "-bit instead of")
"""How glibc and Android's linker report a library for another processor."""


def load(library: str, title: str, missing: str) -> ctypes.CDLL:
    """Open ``library``, a path or a name that the dynamic loader finds.

    Args:
        library: The path or name.
        title: Its name in messages.
        missing: The hint if it is missing.

    Raises:
        BackendError: ``library-missing``, ``library-architecture`` or ``library-broken``.
    """
    absent = BackendError("library-missing", f"{title}: library {library} not found", missing)
    if "/" in library:
        try:
            elf.check(Path(library))
        except FileNotFoundError as error:
            raise absent from error
    try:
        return ctypes.CDLL(library)
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL in it
        reason = " ".join(str(error).split())
        if "/" not in library and _is_missing(library, reason):
            raise absent from error
        if any(words in reason for words in _FOREIGN):
            ours = elf.machine(Path(sys.executable))
            summary = f"{library} is for another processor: {reason}; this Python is {ours}"
            raise BackendError("library-architecture", summary, f"use the {ours} build of the library") from error
        raise BackendError("library-broken", f"{library} cannot be loaded: {reason}", HINT) from error


def _is_missing(library: str, reason: str) -> bool:
    """Whether the library itself is missing, not a dependency, in the messages of glibc, musl and Android's linker."""
    name = re.escape(library)
    return bool(re.search(rf'{name}: (cannot open shared object file: )?No such file|"{name}" not found', reason))
