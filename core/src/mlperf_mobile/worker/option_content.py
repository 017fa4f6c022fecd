"""A backend's options as a compiled model depends on them: of a file or folder, what is in it counts, not its path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile.resources.identity import stamps
from mlperf_mobile.user_paths import absolute_path

LARGEST = 4 << 30
"""Of a file with more bytes, the size and the time of the last change count instead of the content.

So do those of the files in a folder: it may be an SDK of gigabytes, which each run would have to read.
"""


def content_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with a digest in the place of each absolute path that leads to something."""
    return {name: _of(value) for name, value in options.items()}


def _of(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _of(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_of(inner) for inner in value]
    if path := absolute_path(value):
        return _digest(path) or value
    return value


def _digest(path: Path) -> str:
    """``file:SHA-256`` or ``folder:SHA-256``; empty if nothing is there, or it cannot be read."""
    try:
        if path.is_dir():
            found = sorted((file.relative_to(path).as_posix(), file) for file in stamps(path))
            lines = "".join(f"{_content(file, hashed=False)}  {name}\n" for name, file in found)
            return f"folder:{hashlib.sha256(os.fsencode(lines)).hexdigest()}"
        return f"file:{_content(path, hashed=path.stat().st_size <= LARGEST)}" if path.is_file() else ""
    except OSError:
        return ""


def _content(file: Path, *, hashed: bool) -> str:
    if not hashed:
        found = file.stat()
        return f"{found.st_size} {found.st_mtime_ns}"
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
