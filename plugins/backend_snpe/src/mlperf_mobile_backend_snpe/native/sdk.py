"""Finds the library and the programs of an installed SDK."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

ROOTS = ("QAIRT_SDK_ROOT", "QNN_SDK_ROOT", "SNPE_ROOT")
"""Environment variables that the SDK's ``envsetup.sh`` sets."""

LIBRARY = "libSNPE.so"

HINT = "install Qualcomm's AI Runtime SDK and set QAIRT_SDK_ROOT, or name libSNPE.so in the option library"


def library(name: str = LIBRARY) -> str:
    """The SDK's library for this machine, or its file name for the dynamic loader."""
    return next((str(path) for path in _files("lib", name)), name)


def program(name: str) -> str | None:
    """A program on ``PATH``, or the SDK's program for this machine."""
    return shutil.which(name) or next((str(path) for path in _files("bin", name) if os.access(path, os.X_OK)), None)


def _files(folder: str, name: str) -> Iterator[Path]:
    """The SDK's paths of ``name`` for this processor; Android's build comes first on Android, last elsewhere."""
    on_android = "ANDROID_ROOT" in os.environ
    for variable in ROOTS:
        if root := os.environ.get(variable):
            found = Path(root, folder).glob(f"{platform.machine()}-*/{name}")
            yield from sorted(filter(Path.is_file, found), key=lambda path: ("android" in str(path)) != on_android)
