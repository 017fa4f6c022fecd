"""The folder of everything fetched: the place and state of each resource, and whether it has changed.

::

    downloads/<host>/<path>    files as downloaded, including archives; ``.<name>.json`` beside each has size, checksums
    unpacked/<host>/<path>/    the content of archives; ``.<name>.sha256`` beside each is for ``sha256sum -c``
    local/<path>               files and folders provided by hand

It may be moved or copied as a whole, even to a machine without network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from mlperf_mobile.errors import DataError
from mlperf_mobile.resources import tree
from mlperf_mobile.resources.files import Files, file_errors, size_of
from mlperf_mobile.resources.record import Record, Source, Tick, digest
from mlperf_mobile.resources.resource import Resource

FETCH = "mlperf-mobile fetch"


class State(StrEnum):
    """The state of a resource; only one that is ``present`` can be used."""

    PRESENT = "present"
    MISSING = "missing"
    PARTIAL = "partial"
    """The beginning has been downloaded; fetching resumes."""
    PACKED = "packed"
    """The archive has been downloaded, but not unpacked."""
    UNCHECKED = "unchecked"
    """A file without a record, copied there by hand; fetching checks it."""
    OUTDATED = "outdated"
    """Another version than the requested one."""
    DAMAGED = "damaged"
    """It has changed since it was fetched."""


class Need(NamedTuple):
    """The work of fetching one resource."""

    resource: Resource
    state: State
    bytes: int | None
    """Bytes to download; None if only the server knows."""


class Cache:
    """The cache in one folder; nothing here needs the network, or writes anything but marks of damage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def location(self, resource: Resource) -> Path:
        """Where the resource is, or will be: a file, or the folder of an archive's content."""
        if resource.is_local:
            return self.folder / "local" / resource.place
        files = self.files(resource)
        return files.tree if resource.unpack else files.file

    def files(self, resource: Resource) -> Files:
        """The paths of a download."""
        return Files(self.folder, resource.place)

    def has(self, resource: Resource) -> bool:
        """Whether it can be used, judged by names and sizes without reading data."""
        return self.state(resource) is State.PRESENT

    def path(self, resource: Resource) -> Path:
        """The resource's path.

        Raises:
            DataError: It is missing or damaged; the hint says what to do.
        """
        if not self.has(resource):
            raise missing_resources([resource], self.folder)
        return self.location(resource)

    def sha256(self, resource: Resource) -> str | None:
        """The download's SHA-256, as computed when it arrived; None if it is missing or was provided by hand."""
        if resource.is_local or not self.has(resource):
            return None
        files = self.files(resource)
        record = Record.read(files.tree_record if resource.unpack else files.record)
        return record.sha256 if record else None

    def state(self, resource: Resource) -> State:
        """The resource's state, judged by names and sizes.

        Raises:
            DataError: The cache cannot be read.
        """
        with file_errors(self.folder, "read"):
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
        """The work of fetching, with each resource once.

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
        """Read all of it and compare its checksums; if it has changed, it is marked as damaged.

        Returns:
            True if the resource has a checksum of its own; False if only the record of its download was compared.

        Raises:
            DataError: It is missing or has changed.
        """
        self.path(resource)
        with file_errors(self.folder, "read"):
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
            wrong = f"its SHA-256 is {found.sha256}, but was {record.sha256} when it was downloaded"
        if wrong:
            raise _damaged(resource, files.file, wrong, record, files.record)

    def _verify_tree(self, resource: Resource, files: Files, tick: Tick) -> None:
        wrong = tree.difference(files.tree, files.tree_sums, tick)
        if wrong:
            raise _damaged(resource, files.tree, wrong, Record.read(files.tree_record), files.tree_record)


def missing_resources(resources: Sequence[Resource], folder: Path) -> DataError:
    """An error that lists what is missing from a cache and how to get it."""
    cache = Cache(folder)
    names = ", ".join(f"{each.url} ({cache.state(each)})" for each in resources)
    hints = []
    if any(not each.is_local for each in resources):
        hints.append(f"run '{FETCH}' with the same arguments")
    hints += [_by_hand(each, cache.location(each)) for each in resources if each.is_local]
    return DataError("resource-missing", f"not in the cache {folder}: {names}", "; ".join(hints))


def _by_hand(resource: Resource, location: Path) -> str:
    return f"put {resource.about or f'the content of {resource.url}'} at {location}"


def check_local(resource: Resource, location: Path, tick: Tick) -> bool:
    """Compare a resource provided by hand with its checksums, if it has any.

    Raises:
        DataError: It is a different file.
        OSError: It cannot be read.
    """
    if not resource.is_checked:
        return False
    wrong = "it is a folder, but a file was expected" if location.is_dir() else ""
    if wrong := wrong or resource.mismatch(*digest(location, tick)):
        raise DataError(
            "resource-damaged", f"{location} is not the expected file: {wrong}", _by_hand(resource, location)
        )
    return True


def _damaged(resource: Resource, path: Path, wrong: str, record: Record | None, place: Path) -> DataError:
    if record:
        with suppress(OSError):  # a read-only cache can be verified as well
            record.model_copy(update={"damaged": True}).write(place)
    summary = f"{path} ({resource.url}) is damaged: {wrong}"
    return DataError("resource-damaged", summary, f"run '{FETCH}' with the same arguments to get it again")


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
