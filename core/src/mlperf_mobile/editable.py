"""The code of editable installations, which changes without a change of version: the digest of its files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlperf_mobile.installed import Distribution

MOST_FILES = 20_000
MOST_BYTES = 8 << 20
"""A larger file counts by its size and the time of its last change."""


def project_folder(distribution: Distribution) -> Path | None:
    """The folder that an editable installation refers to (PEP 610); None for any other installation."""
    text = distribution.read("direct_url.json")
    try:
        record = json.loads(text) if text else {}
        url = urlsplit(record["url"]) if record.get("dir_info", {}).get("editable") is True else None
    except (ValueError, KeyError, AttributeError):
        return None
    return Path(unquote(url.path)) if url and url.scheme == "file" else None


def code_digest(folder: Path, modules: Iterable[str] = ()) -> str:
    """The SHA-256 of all files in the packages that were imported from a folder; empty if there are none.

    Args:
        folder: The folder of a project.
        modules: The modules to look at; all that are imported by default.
    """
    digest, count, root = hashlib.sha256(), 0, f"{folder}{os.sep}"
    for package in _packages(root, modules or tuple(sys.modules)):
        for file in _files(package):
            count += 1
            if count > MOST_FILES:
                break
            digest.update(f"{file.removeprefix(root)}\0".encode("utf-8", "surrogateescape"))
            digest.update(_content(Path(file)))
    return digest.hexdigest() if count else ""


def _packages(root: str, modules: Iterable[str]) -> list[str]:
    """The folders of imported top-level packages, and single-file modules, below a folder."""
    found = set()
    for name in {name.partition(".")[0] for name in modules}:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and file.startswith(root):
            found.add(file.removesuffix(f"{os.sep}__init__.py"))
    return sorted(found)


def _files(place: str) -> Iterator[str]:
    try:
        with os.scandir(place) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except NotADirectoryError:
        yield place
        return
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name == "__pycache__" or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.is_file():
            yield entry.path


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        status = os.fstat(opened.fileno())
        if status.st_size > MOST_BYTES:
            return f"{status.st_size} {status.st_mtime_ns}\0".encode()
        return hashlib.file_digest(opened, "sha256").digest()
