"""Compiled models on disk, identified by everything that they are made of; losing one only costs a compilation.

::

    compiled/<key>/entry.json      the ingredients, and facts about the compilation
    compiled/<key>/files/          the output of the backend's compiler
    compiled/<key>/files.sha256    checksums for ``sha256sum -c``
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import BackendError, DataError
from mlperf_mobile.processes import exists
from mlperf_mobile.resources import tree
from mlperf_mobile.resources.identity import Stamps, stamps
from mlperf_mobile.resources.lock import held
from mlperf_mobile.resources.record import JsonFile

FOLDER = "compiled"
_ENTRY, _FILES, _SUMS = "entry.json", "files", "files.sha256"
_KEY = re.compile(r"[0-9a-f]{64}")
_PARTIAL = re.compile(r"\.[0-9a-f]{64}\.(\d+)\.partial")

Ingredients = Mapping[str, Any]
"""Everything that determines a compiler's output, as plain JSON data."""


class Entry(JsonFile):
    """The record of one compiled model."""

    MAX: ClassVar[int] = 1 << 24

    schema_version: Literal[1] = Field(alias="schema")
    made_of: dict[str, Any]
    model: str
    """The model's name."""
    path: str
    """The artifact's path below ``files/``; ``.`` is the folder itself."""
    accelerator: str
    batch: int
    facts: dict[str, Any] = Field(default_factory=dict)
    input_shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    tokens: bool = False
    bytes: int
    compile_s: float
    created: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One compiled model in the store."""

    key: str
    folder: Path
    entry: Entry | None
    """None if it is damaged."""
    used: float
    """When it was compiled or last used, in seconds since the epoch."""
    bytes: int

    def artifact(self) -> Artifact:
        assert self.entry is not None
        entry = self.entry
        path = self.folder / _FILES / entry.path
        return Artifact(path, entry.accelerator, entry.batch, entry.facts, entry.input_shapes, entry.tokens)

    def damage(self) -> str:
        """What is wrong with it; empty if it is whole.

        Raises:
            OSError: It cannot be read.
        """
        entry = self.entry
        if entry is None:
            return f"{_ENTRY} is missing or damaged"
        if key_of(entry.made_of) != self.key:
            return f"{_ENTRY} belongs to another model"
        place = PurePosixPath(entry.path)
        if place.is_absolute() or ".." in place.parts or not (self.folder / _FILES / place).exists():
            return f"{entry.path} is missing"
        return tree.difference(self.folder / _FILES, self.folder / _SUMS)


class Compilation(NamedTuple):
    """A compiled model, and where it came from."""

    artifact: Artifact
    key: str
    cached: bool
    """Whether it was in the store, so that nothing was compiled."""
    kept: bool
    """Whether it is in the store now; an interpreter's artifact is the model itself, and never is."""
    note: str
    """Why it was compiled again, or could not be kept."""
    stamps: Stamps
    """The stamps of the files in its folder, taken before they were checked."""


def key_of(ingredients: Ingredients) -> str:
    """The name of a compiled model: the SHA-256 of its ingredients."""
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


class CompiledStore:
    """A folder of compiled models; safe for several processes.

    Args:
        cache: The cache folder; the store is a part of it.
    """

    def __init__(self, cache: Path) -> None:
        self.folder = cache / FOLDER

    def obtain(
        self,
        ingredients: Ingredients,
        model: str,
        make: Callable[[Path], Artifact],
        otherwise: Path,
        waiting: Callable[[], None] = lambda: None,
        *,
        again: bool = False,
    ) -> Compilation:
        """The compiled model: from the store if it is whole there, otherwise compiled now.

        Args:
            ingredients: What it is made of.
            model: The model's name.
            make: Compiles into an empty folder.
            otherwise: An empty folder to compile into if the store cannot be written.
            waiting: Called repeatedly while another process compiles the same model.
            again: Compile even if it is in the store, and replace it there.
        """
        key = key_of(ingredients)
        lock = self.folder / f".{key}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with held(lock, waiting):
                if again:
                    shutil.rmtree(self.folder / key, ignore_errors=True)
                obtained = self._obtain(key, ingredients, model, make)
                lock.unlink(missing_ok=True)  # a waiting process finds the model, or compiles it as well
        except OSError as error:
            note = f"cannot be kept: {error}"
        except DataError as error:
            if error.code != "cache-lock":
                raise
            note = f"cannot be kept: {error.summary}"
        else:
            return obtained
        return Compilation(make(otherwise), key, cached=False, kept=False, note=note, stamps=stamps(otherwise))

    def _obtain(self, key: str, made_of: Ingredients, model: str, make: Callable[[Path], Artifact]) -> Compilation:
        place, note = self.folder / key, ""
        if place.exists():
            kept, seen = _read(place), _seen(place)
            if not (wrong := kept.damage()):
                with suppress(OSError):  # a read-only cache can be used as well
                    os.utime(place / _ENTRY)
                return Compilation(kept.artifact(), key, cached=True, kept=True, note="", stamps=seen)
            note = f"compiled again, because the stored model is damaged: {wrong}"
            shutil.rmtree(place)
        self.sweep()
        partial = self.folder / f".{key}.{os.getpid()}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        files = partial / _FILES
        files.mkdir(parents=True)
        try:
            started = time.perf_counter()
            artifact = _made(make, files)
            seconds = time.perf_counter() - started
            if not artifact.path.is_relative_to(files):
                shutil.rmtree(partial)
                return Compilation(artifact, key, cached=False, kept=False, note=note, stamps={})
            seen = stamps(files)
            sums, size = _sums(files)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        entry = Entry(
            schema=1,
            made_of=dict(made_of),
            model=model,
            path=artifact.path.relative_to(files).as_posix(),
            accelerator=artifact.accelerator,
            batch=artifact.batch,
            facts=dict(artifact.facts),
            input_shapes=dict(artifact.input_shapes),
            tokens=artifact.tokens,
            bytes=size,
            compile_s=round(seconds, 6),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        try:
            tree.write_sums(partial / _SUMS, files, sums)
            entry.write(partial / _ENTRY)
            partial.rename(place)
        except OSError as error:  # it is used in place, and swept after this process has ended
            return Compilation(artifact, key, cached=False, kept=False, note=f"cannot be kept: {error}", stamps=seen)
        moved = {place / path.relative_to(partial): stamp for path, stamp in seen.items()}
        return Compilation(_read(place).artifact(), key, cached=False, kept=True, note=note, stamps=moved)

    def all(self) -> list[StoredModel]:
        """All compiled models, most recently used first.

        Raises:
            OSError: The folder cannot be read.
        """
        if not self.folder.is_dir():
            return []
        found = [_read(place) for place in self.folder.iterdir() if _KEY.fullmatch(place.name)]
        return sorted(found, key=lambda kept: -kept.used)

    def remove(self, kept: StoredModel) -> None:
        """Raises: OSError: It cannot be removed."""
        shutil.rmtree(kept.folder)

    def sweep(self) -> int:
        """Remove what dead processes left behind; returns the freed bytes."""
        freed = 0
        for place in self.folder.glob(".*.partial"):
            owner = _PARTIAL.fullmatch(place.name)
            if owner and not exists(int(owner[1])):
                freed += tree.size(place)
                shutil.rmtree(place, ignore_errors=True)
        return freed


def _made(make: Callable[[Path], Artifact], files: Path) -> Artifact:
    """The backend's artifact; its OSErrors must not be mistaken for the store's."""
    try:
        return make(files)
    except OSError as error:
        raise BackendError(
            "compile-failed", f"the compiler failed: {error.strerror or error}", "look at worker.log"
        ) from error


def _seen(place: Path) -> Stamps:
    """The stamps of a stored model's files; empty if they cannot be read, which :meth:`StoredModel.damage` reports."""
    try:
        return stamps(place / _FILES)
    except OSError:
        return {}


def _read(place: Path) -> StoredModel:
    try:
        used = (place / _ENTRY).stat().st_mtime
    except OSError:
        used = 0.0
    entry = Entry.read(place / _ENTRY)
    return StoredModel(place.name, place, entry, used, tree.size(place))


def _sums(files: Path) -> tuple[dict[str, str], int]:
    """SHA-256 of every file by path, and their total bytes; links are refused, since they lead out of the store.

    Raises:
        BackendError: The compiler left something other than files and folders.
    """
    sums, size = {}, 0
    for place in sorted(files.rglob("*")):
        if place.is_dir() and not place.is_symlink():
            continue
        if place.is_symlink() or not place.is_file():
            name = place.relative_to(files)
            raise BackendError(
                "compile-failed",
                f"the compiler left {name}, which is not a regular file",
                "report it to the backend's vendor",
            )
        with place.open("rb") as file:
            sums[place.relative_to(files).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
        size += place.stat().st_size
    return sums, size
