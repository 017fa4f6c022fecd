"""What happens on a host, for the clients that ask: the ends of sessions in order, and the results of small ones."""

from __future__ import annotations

import asyncio
import io
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile_farm.packing import CHUNK, pack_several
from mlperf_mobile_farm.work import NO_ATTEMPT, SessionEnd

SMALL = 256 << 10
"""Bytes. The runs of a session up to this size are sent with its end; larger ones are fetched."""
_MOST_ENDS = 200


@dataclass(frozen=True, slots=True)
class Part:
    """The ends of a job's sessions after a position."""

    ends: list[SessionEnd]
    packed: list[int]
    """The indices of the ends whose runs are in ``data``."""
    data: bytes
    """A tar file of runs."""
    cursor: int
    """The position after these ends."""
    more: bool


class News:
    """The ends of the sessions of a host.

    Args:
        earlier: The ends of a job's sessions that are kept on the disk.
        folder_of: The folder of an attempt, given its session and its name.
    """

    def __init__(self, earlier: Callable[[str], list[SessionEnd]], folder_of: Callable[[str, str], Path]) -> None:
        self.epoch = uuid.uuid4().hex
        """Another one after a restart of the host, when positions begin at 0 again."""
        self._earlier, self._folder_of = earlier, folder_of
        self._ends: dict[str, list[SessionEnd]] = {}
        self._attempts: dict[str, set[tuple[str, str]]] = {}
        """The sessions and attempts of these ends."""
        self._lock = threading.Lock()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def changed(self) -> None:
        """Something happened that clients want to know; for any thread."""
        with suppress(RuntimeError):  # the host is stopping
            self._loop.call_soon_threadsafe(self._changed.set)

    def add(self, job: str, end: SessionEnd) -> None:
        """Add an end, which is on the disk if there was an attempt; for any thread.

        A session that was carried out here before ends as it did then, which is no news: a command that is resumed asks
        for sessions that are still in progress for the one before.
        """
        with self._lock:
            ends, attempt = self._of(job), (end.session, end.attempt)
            if end.attempt == NO_ATTEMPT or attempt not in self._attempts[job]:
                ends.append(end)
                self._attempts[job].add(attempt)
        self.changed()

    async def wait(self, job: str, cursor: int, seconds: float) -> None:
        """Wait until there is an end after a position, or something else changed, or the time is over."""
        if len(self._ends.get(job, ())) > cursor:
            return
        self._changed.clear()  # shared: what wakes one client wakes all
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def after(self, job: str, cursor: int, *, with_runs: bool) -> Part:
        """The ends after a position; reads files."""
        with self._lock:
            known = self._of(job)
            ends, total = known[cursor : cursor + _MOST_ENDS], len(known)
        packed: list[int] = []
        parts: list[tuple[Path, list[str]]] = []
        size = 0
        for index, end in enumerate(ends if with_runs else ()):
            folder = self._folder_of(end.session, end.attempt)
            if not end.runs or (mine := _size(folder, end.runs)) > SMALL:
                continue
            size += mine
            if size > CHUNK:
                break
            packed.append(index)
            parts.append((folder, end.runs))
        buffer = io.BytesIO()
        if parts:
            pack_several(parts, buffer)
        return Part(ends, packed, buffer.getvalue(), cursor + len(ends), cursor + len(ends) < total)

    def _of(self, job: str) -> list[SessionEnd]:
        """The ends of a job's sessions, from the disk at first; the lock is held."""
        if job not in self._ends:
            self._ends[job] = self._earlier(job)
            self._attempts[job] = {(each.session, each.attempt) for each in self._ends[job]}
        return self._ends[job]


def _size(folder: Path, runs: list[str]) -> int:
    return sum(each.stat().st_size for run in runs for each in (folder / run).rglob("*") if each.is_file())
