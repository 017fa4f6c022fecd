"""Paths that users give, in settings, options and arguments: without ``~``, and what is there."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import UsageError


def expand(path: Path, source: str) -> Path:
    """The path without ``~``.

    Args:
        path: As the user gave it.
        source: Where, for the error: ``"--output"``.

    Raises:
        UsageError: ``bad-value``: it names a user who does not exist, or is not UTF-8, as plans and results are.
    """
    try:
        return expanded(path)
    except ValueError as error:
        hint = "rename it" if isinstance(error.__cause__, UnicodeError) else "write the path in full"
        raise UsageError("bad-value", f"{source}: {error}", hint) from error


def expanded(path: Path) -> Path:
    """As :func:`expand`, for validators: what is wrong is a ``ValueError``."""
    try:
        found = path.expanduser()
        str(found.absolute()).encode()
    except RuntimeError as error:
        raise ValueError(f"{path}: the user does not exist") from error
    except UnicodeError as error:
        raise ValueError(f"{str(path)!a} is not in UTF-8") from error
    return found


def absolute_path(value: object) -> Path | None:
    """The path that an option's value is; None for other values, also for a relative path, which may be a name."""
    if isinstance(value, (str, Path)) and str(value).startswith("/") and "\0" not in str(value):
        return Path(value)
    return None


def kind_of(path: Path) -> str:
    """``"file"`` or ``"folder"``; empty if neither is there, or the path cannot be read."""
    try:
        return "file" if path.is_file() else "folder" if path.is_dir() else ""
    except OSError:  # the name is too long, or a folder cannot be entered
        return ""
