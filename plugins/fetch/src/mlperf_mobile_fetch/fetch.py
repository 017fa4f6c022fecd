"""Fetches resources into the cache: in parallel, resumable, each checked before it is put in place."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from urllib3.response import BaseHTTPResponse

from mlperf_mobile.errors import DataError
from mlperf_mobile.resources import lock, tree
from mlperf_mobile.resources.cache import Cache, State, check_local
from mlperf_mobile.resources.files import Files, file_errors
from mlperf_mobile.resources.record import Digests, Record, Source, digest
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile_fetch import archive
from mlperf_mobile_fetch.transfer import Download, Transfer
from mlperf_mobile_fetch.web import Client, Limits

WORKERS = 4
STOP_S = 2.0
"""How long an interrupted fetch waits for its threads; the files are consistent at any moment."""


class Phase(StrEnum):
    """The current work on one resource."""

    WAITING = "waiting"
    """Another process is fetching it."""
    DOWNLOADING = "downloading"
    RETRYING = "retrying"
    CHECKING = "checking"
    UNPACKING = "unpacking"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of one resource."""

    resource: Resource
    phase: Phase
    done: int = 0
    """Bytes processed in this phase."""
    total: int | None = None
    """Bytes to process, if known."""


Listen = Callable[[Step], None]
"""Called with every step, by one thread at a time."""


class FetchError(DataError):
    """Several resources could not be fetched, each for its own reason."""

    def __init__(self, failures: tuple[DataError, ...], count: int) -> None:
        first = failures[0]
        summary = f"{len(failures)} of {count} resources could not be fetched; the first: {first.code}: {first.summary}"
        super().__init__("fetch-failed", summary, first.hint)
        self.failures = failures


def fetch(
    resources: Iterable[Resource],
    cache: Cache,
    *,
    listen: Listen = lambda step: None,
    workers: int = WORKERS,
    limits: Limits | None = None,
) -> dict[Resource, Path]:
    """Fetch everything that is not in the cache yet; a failure does not stop the others.

    Args:
        resources: Each is fetched once.
        cache: Its folder is created if missing.
        listen: Called with the progress.
        workers: The number of parallel downloads, 1 to 16.
        limits: Timeouts and tries.

    Returns:
        The path of each resource.

    Raises:
        DataError: One resource could not be fetched; a FetchError if several could not.
        KeyboardInterrupt: The user interrupted; downloads resume when fetched again.
    """
    unique = list(dict.fromkeys(resources))
    crew = _Crew(cache, listen, Client(limits or Limits()), unique)
    crew.work(max(1, min(workers, 16, len(unique))))
    if crew.defect:
        raise crew.defect
    failures = tuple(crew.failures[each] for each in unique if each in crew.failures)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise FetchError(failures, len(unique))
    return {each: cache.location(each) for each in unique}


class _FetchStopped(Exception):
    """The user interrupted, or another thread hit a defect."""


@dataclass(slots=True)
class _Crew:
    """The downloading threads, and their shared state."""

    cache: Cache
    listen: Listen
    client: Client
    resources: list[Resource]
    failures: dict[Resource, DataError] = field(default_factory=dict)
    defect: BaseException | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    reading: dict[Resource, BaseHTTPResponse] = field(default_factory=dict)
    _queue: queue.SimpleQueue[Resource] = field(default_factory=queue.SimpleQueue)
    _reporting: threading.Lock = field(default_factory=threading.Lock)

    def work(self, workers: int) -> None:
        """Fetch with this many threads until every resource has been fetched or has failed."""
        for resource in self.resources:
            self._queue.put(resource)
        threads = [threading.Thread(target=self._run, daemon=True) for _ in range(workers if self.resources else 0)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            self._cut_off()
            deadline = time.monotonic() + STOP_S
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            raise

    def check(self) -> None:
        """Raise if the work was stopped; called between any two steps."""
        if self.stop.is_set():
            raise _FetchStopped

    def tell(self, step: Step) -> None:
        with self._reporting:
            self.check()
            try:
                self.listen(step)
            except Exception as defect:
                self.defect = self.defect or defect
                self._cut_off()
                raise _FetchStopped from defect

    def _cut_off(self) -> None:
        self.stop.set()
        for response in list(self.reading.values()):
            with suppress(OSError, ValueError, RuntimeError):  # it has just ended
                response.shutdown()

    def _run(self) -> None:
        while not self.stop.is_set():
            try:
                resource = self._queue.get_nowait()
            except queue.Empty:
                return
            try:
                _Job(self, resource).run()
            except _FetchStopped:
                return
            except DataError as error:
                self.failures[resource] = error
                with suppress(_FetchStopped):
                    self.tell(Step(resource, Phase.FAILED))
            except BaseException as defect:  # noqa: BLE001  raised by the thread that started the work
                self.defect = defect
                self._cut_off()
                return


@dataclass(slots=True)
class _Job:
    """The fetching of one resource, in one thread; also the :class:`transfer.Control` of its download."""

    crew: _Crew
    resource: Resource

    def run(self) -> None:
        crew, resource = self.crew, self.resource
        if resource.is_local:
            path = crew.cache.path(resource)
            with file_errors(crew.cache.folder, "read"):
                check_local(resource, path, self._tick(Phase.CHECKING))
        elif not crew.cache.has(resource):
            files = crew.cache.files(resource)
            with file_errors(crew.cache.folder):
                files.file.parent.mkdir(parents=True, exist_ok=True)
                with lock.held(files.lock, lambda: self._tell(Phase.WAITING)):
                    self._obtain(files)
        self._tell(Phase.DONE)

    def _obtain(self, files: Files) -> None:
        """Do whatever is still missing; the lock is held."""
        state = self.crew.cache.state(self.resource)
        if state is State.UNCHECKED:  # if it is not this URL's file, the checksum in its record shows it
            Record.of(Source(url=self.resource.url), self._digest(files.file)).write(files.record)
            state = self.crew.cache.state(self.resource)
        if state not in (State.PRESENT, State.PACKED):
            self._download(files)
        if self.resource.unpack and not self.crew.cache.has(self.resource):
            self._unpack(files)

    def _download(self, files: Files) -> None:
        transfer = Transfer(self.crew.client, self.resource, files, self)
        download = transfer.run()
        found = self._digest(files.part)
        if download.resumed and self.resource.mismatch(*found):  # its beginning may belong to another version
            transfer.discard()
            download = transfer.run()
            found = self._digest(files.part)
        if wrong := self.resource.mismatch(*found):
            transfer.discard()
            raise _unexpected_file(self.resource, wrong, download)
        files.record.unlink(missing_ok=True)  # a record must never describe another file
        files.part.replace(files.file)
        Record.of(download.source, found).write(files.record)
        files.source.unlink(missing_ok=True)

    def _unpack(self, files: Files) -> None:
        record = Record.read(files.record)
        assert record is not None
        limits = archive.Limits(total_bytes=self.resource.unpacked_max_bytes)
        files.tree.parent.mkdir(parents=True, exist_ok=True)
        files.tree_record.unlink(missing_ok=True)
        try:
            sums = archive.unpack(files.file, files.tree, limits, self._tick(Phase.UNPACKING))
        except DataError as error:
            if not self.resource.is_checked:  # it may have arrived damaged: the next fetch downloads it again
                record.model_copy(update={"damaged": True}).write(files.record)
            raise DataError(error.code, f"{self.resource.url}: {error.summary}", error.hint) from error
        tree.write_sums(files.tree_sums, files.tree, sums)
        record.write(files.tree_record)

    def _digest(self, path: Path) -> Digests:
        size = path.stat().st_size
        return digest(path, lambda done: self._tell(Phase.CHECKING, done, size))

    def _tick(self, phase: Phase) -> Callable[[int], None]:
        return lambda done: self._tell(phase, done)

    def _tell(self, phase: Phase, done: int = 0, total: int | None = None) -> None:
        self.crew.tell(Step(self.resource, phase, done, total))

    def check(self) -> None:
        self.crew.check()

    def advance(self, done: int, total: int | None) -> None:
        self._tell(Phase.DOWNLOADING, done, total)

    def pause(self, seconds: float) -> None:
        self._tell(Phase.RETRYING)
        if self.crew.stop.wait(seconds):
            raise _FetchStopped

    def reading(self, response: BaseHTTPResponse | None) -> None:
        if response is None:
            self.crew.reading.pop(self.resource, None)
        else:
            self.crew.reading[self.resource] = response


def _unexpected_file(resource: Resource, wrong: str, download: Download) -> DataError:
    encoded = f" (sent with Content-Encoding {download.encoding!a}, unrequested)" if download.encoding else ""
    code = "size-mismatch" if resource.bytes is not None and wrong.endswith("bytes") else "checksum-mismatch"
    hint = "the file was replaced on the server, or changed in transit; update mlperf-mobile and its plugins"
    return DataError(code, f"{resource.url} is not the expected file: {wrong}{encoded}", hint)
