"""Digests of the files in a run's folder, which the result is composed from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results.store import RESULT, SIGNATURE, WORK, WORKER_LOG

_NOT_DIGESTED = (RESULT, SIGNATURE, WORKER_LOG)


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files that a result is composed from, by their paths in the run's folder.

    These are all regular files except the result, its signature and the worker's log; links are not followed, because
    what they point to is not part of the folder.
    """
    all_files = {name: file_digest(folder / name) for name in members(folder) if not (folder / name).is_symlink()}
    return {name: sha256 for name, sha256 in all_files.items() if sha256}


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file; None if it cannot be read, or is not a regular file."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def members(folder: Path) -> list[str]:
    """Paths of all files and links in a run's folder except the result, sorted."""
    found, start = [], len(str(folder)) + 1
    for place, folders, files in os.walk(folder):
        if place == str(folder):
            folders[:] = [name for name in folders if name != WORK]
            names = [name for name in files if name not in _NOT_DIGESTED and not name.startswith(".")]
            found += names
        else:
            found += [f"{place[start:]}/{name}" for name in files]
        links = [f"{place}/{name}"[start:] for name in folders if Path(place, name).is_symlink()]
        found += links
    return sorted(found)
