"""Downloads one file into a partial file, over as many connections as needed, within its limits."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from urllib3.response import BaseHTTPResponse

from mlperf_mobile.errors import DataError
from mlperf_mobile.resources.files import Files, disk_full, file_errors, size_of
from mlperf_mobile.resources.record import Source
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile_fetch.web import AGAIN, Client, TransientError, connection_errors, refusal

CHUNK = 1 << 18
PROGRESS = 1 << 20
"""Bytes to gain before the count of tries starts again."""
RESERVE = 64 << 20
"""Bytes that a download leaves free."""


class Control(Protocol):
    """The owner of a transfer; each of its methods may raise to stop it."""

    def check(self) -> None:
        """Called before anything is written."""

    def advance(self, done: int, total: int | None) -> None:
        """Called with the progress of the file, in bytes."""

    def pause(self, seconds: float) -> None:
        """Wait before another try."""

    def reading(self, response: BaseHTTPResponse | None) -> None:
        """Called with the response being read, so that it can be shut down; None at its end."""


class _Restart(Exception):
    """The partial file is useless; start again immediately."""


class Download(NamedTuple):
    """A partial file that is now complete."""

    source: Source
    resumed: bool
    """Whether a part came over an earlier connection; the server may have changed the file since."""
    encoding: str
    """The Content-Encoding that the server sent against the request."""


@dataclass(slots=True)
class Transfer:
    """The download of one resource; its lock is held."""

    client: Client
    resource: Resource
    files: Files
    control: Control
    _resumed: bool = False
    _encoding: str = ""

    def run(self) -> Download:
        """Download, or resume, until the file is complete.

        Raises:
            DataError: It cannot be downloaded; what has arrived so far is kept.
        """
        limits = self.client.limits
        best, failed = self._there(), 0
        while True:
            try:
                return self._attempt()
            except _Restart:
                self.discard()
            except TransientError as transient:
                there = self._there()
                failed = 1 if there >= best + PROGRESS else failed + 1
                best = max(best, there)
                if failed >= limits.tries:
                    raise transient.error from transient
                backoff = min(limits.backoff_s * 2 ** (failed - 1), limits.backoff_max_s)
                self.control.pause(backoff if transient.after_s is None else transient.after_s)

    def discard(self) -> None:
        """Delete what has been downloaded so far."""
        with file_errors(self.files.root):
            self.files.part.unlink(missing_ok=True)
            self.files.source.unlink(missing_ok=True)

    def _there(self) -> int:
        return size_of(self.files.part)

    def _attempt(self) -> Download:
        source, offset = self._resumable()
        if source and offset and offset == source.total:
            return Download(source, True, "")
        headers = {}
        if source and offset:
            headers["Range"] = f"bytes={offset}-"
            if source.validator:
                headers["If-Range"] = source.validator
        response = self.client.get(self.resource.url, headers, checked=self.resource.is_checked)
        self.control.reading(response)
        try:
            return self._take(response, source, offset)
        finally:
            self.control.reading(None)
            response.close()

    def _resumable(self) -> tuple[Source | None, int]:
        """The source and offset to resume from, if the server or a checksum can confirm that the file is unchanged."""
        source, offset = Source.read(self.files.source), self._there()
        fits = source is not None and source.url == self.resource.url and offset <= self.resource.limit
        if not (fits and source and (source.validator or self.resource.is_checked)):
            return None, 0
        return source, offset

    def _take(self, response: BaseHTTPResponse, source: Source | None, offset: int) -> Download:
        if response.status == 206 and source and offset:
            source, start = self._continued(response, source, offset), offset
        elif response.status == 200:
            source, start = self._begun(response), 0
        elif response.status == 416 and source and offset:
            if _total_of(response) == offset and self.resource.is_checked:
                return Download(source, True, "")
            raise _Restart
        elif response.status < 300:
            raise DataError("bad-answer", f"{self.resource.url} is answered with HTTP {response.status}", "try later")
        else:
            raise refusal(self.resource.url, response, self.client.limits)
        self._check(response, source.total, start)
        self._receive(response, source, start)
        return Download(source, self._resumed, self._encoding)

    def _continued(self, response: BaseHTTPResponse, source: Source, offset: int) -> Source:
        """The source of a 206 response, if its Content-Range and ETag match the partial file."""
        found = re.fullmatch(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", response.headers.get("Content-Range", ""))
        etag = response.headers.get("ETag", source.etag)
        if not found or int(found[1]) != offset or etag != source.etag:
            raise _Restart
        total = source.total if found[3] == "*" else int(found[3])
        if source.total not in (None, total) or (total is not None and int(found[2]) >= total):
            raise _Restart
        self._resumed = True
        return source.model_copy(update={"total": total})

    def _begun(self, response: BaseHTTPResponse) -> Source:
        self._resumed = False
        length = response.headers.get("Content-Length", "")
        known = re.fullmatch("[0-9]{1,19}", length) and "Transfer-Encoding" not in response.headers
        return Source(
            url=self.resource.url,
            etag=response.headers.get("ETag", "")[:1000],
            last_modified=response.headers.get("Last-Modified", "")[:100],
            total=int(length) if known else None,
        )

    def _check(self, response: BaseHTTPResponse, total: int | None, start: int) -> None:
        """Check everything that is known before the body arrives."""
        url, encoding = self.resource.url, response.headers.get("Content-Encoding", "identity").strip().lower()
        self._encoding = "" if encoding in ("", "identity") else encoding
        if self._encoding and not self.resource.is_checked:
            hint = "add a checksum of the file as it is sent, or download it by hand"
            raise DataError("bad-answer", f"{url} is sent with an unrequested Content-Encoding, {encoding!a}", hint)
        if total is None:
            return
        if self.resource.bytes not in (None, total):
            raise self._wrong_size(f"has {total} bytes")
        if total > self.resource.limit:
            raise self._too_large(f"has {total} bytes")
        with file_errors(self.files.root):
            free = shutil.disk_usage(self.files.part.parent).free
        if free < total - start + RESERVE:
            raise disk_full(f"{url} needs {total - start} bytes, but only {free} are free at {self.files.part.parent}")

    def _receive(self, response: BaseHTTPResponse, source: Source, start: int) -> None:
        with file_errors(self.files.root):
            self.files.part.open("ab" if start else "wb").close()  # emptied before its source is written
            source.write(self.files.source)
        self.control.advance(start, source.total)
        done, pace = start, _Pace(self.client.limits.slow_s, self.client.limits.slow_bytes)
        with file_errors(self.files.root), self.files.part.open("ab", buffering=0) as file:
            while True:
                with connection_errors(self.resource.url):
                    data = response.read1(CHUNK)
                self.control.check()
                if not data:
                    break
                done += len(data)
                if done > (source.total or self.resource.limit):
                    raise self._too_large("has more bytes than expected")
                _write(file.write, data)
                self.control.advance(done, source.total)
                if pace.is_slow(len(data)):
                    raise TransientError(self._stalled())
        expected = self.resource.bytes if source.total is None else source.total
        if expected is not None and done < expected:
            raise TransientError(
                DataError("connection-dropped", f"the connection broke during {self.resource.url}", AGAIN)
            )

    def _stalled(self) -> DataError:
        limits = self.client.limits
        summary = f"{self.resource.url} sent less than {limits.slow_bytes} bytes in {limits.slow_s:g} s"
        return DataError("server-timeout", summary, AGAIN)

    def _wrong_size(self, what: str) -> DataError:
        hint = "the file was replaced on the server; update mlperf-mobile and its plugins"
        return DataError("size-mismatch", f"{self.resource.url} {what}; {self.resource.bytes} were expected", hint)

    def _too_large(self, what: str) -> DataError:
        self.discard()
        if self.resource.bytes is not None:
            return self._wrong_size(what)
        hint = "raise max_bytes if the file is really that large"
        return DataError("too-large", f"{self.resource.url} {what}; the limit is {self.resource.max_bytes}", hint)


class _Pace:
    """Detects a connection that has almost stopped."""

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds, self._least = seconds, least
        self._since, self._bytes = time.monotonic(), 0

    def is_slow(self, gained: int) -> bool:
        self._bytes += gained
        now = time.monotonic()
        if now - self._since < self._seconds:
            return False
        slow = self._bytes < self._least
        self._since, self._bytes = now, 0
        return slow


def _write(write: Callable[[memoryview], int | None], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[write(left) or 0 :]


def _total_of(response: BaseHTTPResponse) -> int | None:
    found = re.fullmatch(r"bytes \*/(\d{1,19})", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
