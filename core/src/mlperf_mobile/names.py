"""Names of runs, benchmarks and devices that are used as file names: a name is never a path."""

from __future__ import annotations

import re

__all__ = ["as_file_name"]

MOST = 150
"""Maximum characters of a name; file systems allow 255 bytes, and suffixes follow."""
RULE = f"letters, digits, '.', '_', '+' and '-', at most {MOST} characters, and no leading '.' or '-', as in ACME_Corp"
NO_DOT = "a dot separates the parts of a setting"
"""Why a name that is part of settings, such as a task's, may have none."""
_PLAIN = re.compile(rf"[A-Za-z0-9_+][A-Za-z0-9._+-]{{0,{MOST - 1}}}")
_OTHER = re.compile(r"[^A-Za-z0-9._+-]")


def is_file_name(name: str) -> bool:
    """Whether a name is valid for a file or folder, in any folder and on any system."""
    return _PLAIN.fullmatch(name) is not None


def as_file_name(name: str) -> str:
    """A file name for ``name``; different names give different file names.

    A valid file name stays as it is; a digest of the name is appended to any other.
    """
    if is_file_name(name):
        return name
    import hashlib  # listings of plugins do without

    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_OTHER.sub('_', name).strip('.-')[: MOST - 9] or '_'}-{digest}"


def checked(name: str) -> str:
    """The name, checked; for fields of models that are read from files.

    Raises:
        ValueError: It is not a valid file name.
    """
    if not is_file_name(name):
        raise ValueError(f"{name[:80]!r} cannot be a file name: {RULE}")
    return name


def checked_below(path: str) -> str:
    """A path with ``/`` between its parts that stays below the folder it is joined to; empty for the folder itself.

    Raises:
        ValueError: It is absolute, or leads outside.
    """
    from pathlib import PurePosixPath

    if path.startswith("/") or "\0" in path or "\\" in path or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path[:80]!r} is not a path below a folder")
    return path
