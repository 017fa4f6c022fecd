"""The folder of everything fetched: where each resource is, in which state, and whether it is still what it was.

::

    downloads/<host>/<path>    files as they came, archives too; ``.<name>.json`` beside each notes size and checksums
    unpacked/<host>/<path>/    the content of archives; ``.<name>.sha256`` beside each is what ``sha256sum -c`` reads
    local/<path>               what was provided by hand

It may be moved or copied as a whole, also to a machine without network.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile.resources import tree
from mlperf_mobile.resources.files import Files, size_of, telling
from mlperf_mobile.resources.record import Record, Source, Tick, digest
from mlperf_mobile.resources.resource import Resource

FETCH = "mlperf-mobile fetch"


class State(StrEnum):
    """How far a resource is; only what is ``present`` can be used."""

    PRESENT = "present"
    MISSING = "missing"
    PARTIAL = "partial"
    """The beginning is there; fetching resumes."""
    PACKED = "packed"
    """The archive is there, its content is not."""
    UNCHECKED = "unchecked"
    """A file without a record, copied there by hand; fetching checks it."""
    OUTDATED = "outdated"
    """Another version than the requested one."""
    DAMAGED = "damaged"
    """Not what it was when it was fetched."""


class Need(NamedTuple):
    """What fetching one resource would do."""

    resource: Resource
    state: State
    bytes: int | None
    """To be downloaded; None if only the server knows."""


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/mlperf-mobile``, by default ``~/.cache/mlperf-mobile`` (XDG Base Directory 0.8).

    Raises:
        UsageError: The user has no home directory.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification says to ignore it
        try:
            base = Path.home() / ".cache"
        except RuntimeError as error:
            raise UsageError("no-cache", "this user has no home directory", "name a folder for the cache") from error
    return base / "mlperf-mobile"


class Cache:
    """The cache in one folder; nothing here needs the network or writes more than a mark of damage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def location(self, resource: Resource) -> Path:
        """Where the resource is, or will be: a file, or the folder of an archive's content."""
        if resource.is_local:
            return self.folder / "local" / resource.place
        files = self.files(resource)
        return files.tree if resource.unpack else files.file

    def files(self, resource: Resource) -> Files:
        """Everything that belongs to a download."""
        return Files(self.folder, resource.place)

    def has(self, resource: Resource) -> bool:
        """Whether it can be used; looks at names and sizes, reads no data."""
        return self.state(resource) is State.PRESENT

    def path(self, resource: Resource) -> Path:
        """Where it is.

        Raises:
            DataError: It is not there, or damaged; the hint says what to do.
        """
        if not self.has(resource):
            raise missing_resources([resource], self.folder)
        return self.location(resource)

    def sha256(self, resource: Resource) -> str | None:
        """Of the download, as it was computed when it came; None when it is not there, or provided by hand."""
        if resource.is_local or not self.has(resource):
            return None
        files = self.files(resource)
        record = Record.read(files.tree_record if resource.unpack else files.record)
        return record.sha256 if record else None

    def state(self, resource: Resource) -> State:
        """How far it is, by names and sizes.

        Raises:
            DataError: The cache cannot be read.
        """
        with telling(self.folder, "read"):
            if resource.is_local:
                return _local_state(resource, self.location(resource))
            files = self.files(resource)
            state = _download_state(resource, files)
            if not resource.unpack:
                return state
            if files.tree.is_dir() and _record_state(resource, Record.read(files.tree_record)) is State.PRESENT:
                return State.PRESENT
            return State.PACKED if state is State.PRESENT else state

    def plan(self, resources: Iterable[Resource]) -> list[Need]:
        """What fetching would do, each resource once.

        Raises:
            DataError: The cache cannot be read.
        """
        return [Need(each, state := self.state(each), self._left(each, state)) for each in dict.fromkeys(resources)]

    def _left(self, resource: Resource, state: State) -> int | None:
        if resource.is_local or state in (State.PRESENT, State.PACKED, State.UNCHECKED):
            return 0
        files = self.files(resource)
        source = Source.read(files.source)
        total = resource.bytes or (source.total if source else None)
        done = size_of(files.part) if state is State.PARTIAL else 0
        return None if total is None else max(0, total - done)

    def verify(self, resource: Resource, tick: Tick = lambda done: None) -> bool:
        """Read it through, and compare it with its checksums; what has changed is marked as damaged.

        Returns:
            Whether a checksum of the resource itself has been checked; False: only against the record of its coming.

        Raises:
            DataError: It is not there, or is not what it was.
        """
        self.path(resource)
        with telling(self.folder, "read"):
            if resource.is_local:
                return check_local(resource, self.location(resource), tick)
            files = self.files(resource)
            if files.file.exists():
                self._verify_file(resource, files, tick)
            if resource.unpack:
                self._verify_tree(resource, files, tick)
        return resource.is_checked

    def _verify_file(self, resource: Resource, files: Files, tick: Tick) -> None:
        record = Record.read(files.record)
        found = digest(files.file, tick)
        wrong = resource.mismatch(*found)
        if record and not wrong and found.sha256 != record.sha256:
            wrong = f"its SHA-256 is {found.sha256}, and was {record.sha256} when it came"
        if wrong:
            raise _damaged(resource, files.file, wrong, record, files.record)

    def _verify_tree(self, resource: Resource, files: Files, tick: Tick) -> None:
        wrong = tree.difference(files.tree, files.tree_sums, tick)
        if wrong:
            raise _damaged(resource, files.tree, wrong, Record.read(files.tree_record), files.tree_record)


def missing_resources(resources: Sequence[Resource], folder: Path) -> DataError:
    """The error that says what is missing from a cache and how to get it there."""
    cache = Cache(folder)
    names = ", ".join(f"{each.url} ({cache.state(each)})" for each in resources)
    hints = []
    if any(not each.is_local for each in resources):
        hints.append(f"run '{FETCH}' with the same arguments")
    hints += [_by_hand(each, cache.location(each)) for each in resources if each.is_local]
    return DataError("resource-missing", f"not in the cache {folder}: {names}", "; ".join(hints))


def _by_hand(resource: Resource, location: Path) -> str:
    return f"put {resource.about or f'what {resource.url} stands for'} at {location}"


def check_local(resource: Resource, location: Path, tick: Tick) -> bool:
    """Check what was provided by hand against its checksums, where it has any.

    Raises:
        DataError: It is another file.
        OSError: It cannot be read.
    """
    if not resource.is_checked:
        return False
    wrong = "it is a folder, and a file was expected" if location.is_dir() else ""
    if wrong := wrong or resource.mismatch(*digest(location, tick)):
        raise DataError("resource-damaged", f"{location} is not the file meant: {wrong}", _by_hand(resource, location))
    return True


def _damaged(resource: Resource, path: Path, wrong: str, record: Record | None, place: Path) -> DataError:
    if record:
        with suppress(OSError):  # a cache that cannot be written can be verified, too
            record.model_copy(update={"damaged": True}).write(place)
    summary = f"{path} ({resource.url}) is damaged: {wrong}"
    return DataError("resource-damaged", summary, f"run '{FETCH}' with the same arguments to get it anew")


def _record_state(resource: Resource, record: Record | None) -> State:
    if record is None or record.url != resource.url:
        return State.UNCHECKED
    if record.damaged:
        return State.DAMAGED
    return State.OUTDATED if resource.mismatch(record.bytes, record.sha256, record.md5) else State.PRESENT


def _download_state(resource: Resource, files: Files) -> State:
    if not files.file.is_file():
        return State.PARTIAL if size_of(files.part) else State.MISSING
    record = Record.read(files.record)
    state = _record_state(resource, record)
    if state is State.PRESENT and record and record.bytes != size_of(files.file):
        return State.DAMAGED
    return state


def _local_state(resource: Resource, location: Path) -> State:
    if location.is_dir():
        return State.PRESENT if any(location.iterdir()) else State.MISSING
    if not location.is_file():
        return State.MISSING
    return State.DAMAGED if resource.bytes not in (None, size_of(location)) else State.PRESENT
