"""Compiles C for tests: libraries and programs that stand in for a vendor's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["compile_c"]

FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-pthread")


def compiler() -> str:
    """The system's C compiler; the test is skipped without one."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        pytest.skip("there is no C compiler")
    return found


def compile_c(library: Path, source: Path | str, *flags: str) -> Path:
    """Compile a shared library, and return its path.

    Args:
        library: The path of the library.
        source: A file, or the C text itself.
        flags: Further compiler flags: ``"-DWITH_BUFFERS"``, ``"-lm"``.
    """
    tool = compiler()
    if isinstance(source, str):
        text, source = source, library.with_suffix(".c")
        source.write_text(text, encoding="utf-8")
    subprocess.run([tool, *FLAGS, "-o", str(library), str(source), *flags], check=True)
    return library
