"""Packaged folders of data, checked before use."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.errors import DataError


def packaged_folder(package: str, name: str, sha256: str) -> Path:
    """The folder ``name`` of an installed package.

    Args:
        package: The package's import name.
        name: The folder's path in the package.
        sha256: The expected :func:`folder_digest`.

    Raises:
        DataError: The folder was changed.
    """
    folder = Path(str(files(package).joinpath(name)))
    if folder_digest(folder) != sha256:
        reason = f"{folder} differs from the packaged folder (sha256)"
        raise DataError("data-damaged", reason, "reinstall the package")
    return folder


def folder_digest(folder: Path) -> str:
    """SHA-256 of the lines ``sha256  path`` of all files in a folder, sorted by path relative to it.

    The same as ``find * ! -type d | LC_ALL=C sort | xargs sha256sum | sha256sum``.

    Raises:
        DataError: A file cannot be read.
    """
    try:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
        lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    except OSError as error:
        raise DataError("data-damaged", f"cannot read {folder}: {error.strerror}", "reinstall the package") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()
