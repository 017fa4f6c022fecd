"""How a host answers clients: about its devices and sessions, with files and results, and to requests."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import DeviceError
from mlperf_mobile.errors import MobileError, UsageError, described
from mlperf_mobile.names import checked
from mlperf_mobile_farm.host import Device, Host
from mlperf_mobile_farm.packing import CHUNK, pack

_PACKED = "attempt.tar"
_LONGEST_S = 10.0
"""Seconds that a client can wait for news."""


class Answers:
    """The answers of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "look": self._look, "news": self._news, "cancel": self._cancel, "drain": self._drain, "put": self._put,
            "read": self._read, "has": self._has,
        }  # fmt: skip

    async def answer(self, what: str, given: str, data: bytes = b"") -> dict[str, Any]:
        """Answer a client: an object, or ``{"error": ...}``.

        Args:
            what: The question: the name of a method of this class.
            given: Its arguments as a JSON object.
            data: Further bytes.
        """
        try:
            if what not in self._known:
                name = self._host.name
                raise UsageError("farm-version", f"the host {name} does not know {what[:20]!r}", "update it")
            return await self._known[what](data, **json.loads(given))
        except MobileError as error:
            return {"error": error.record()}
        except Exception as error:  # noqa: BLE001  a client's mistake does not end the host
            return {"error": MobileError("internal", f"host {self._host.name}: {described(error)}").record()}

    async def _look(self, data: bytes) -> dict[str, Any]:
        """Everything, for the status."""
        host = self._host
        running = {each.device: each.to_json() for each in list(host.sessions.running.values())}
        devices = [self._device(each, running) | {"session": running.get(each.address)} for each in host.known()]
        return {"host": host.name, "devices": devices, "drained": host.name in host.drained}

    def _device(self, device: Device, running: Mapping[str, Any]) -> dict[str, Any]:
        state = "busy" if device.address in running else self._host.state(device)
        return {
            "address": device.address, "labels": device.labels, "reason": device.reason, "fix": device.fix,
            "state": state, "usable": device.worker is not None and not self._host.is_drained(device.address),
        }  # fmt: skip

    async def _news(
        self, data: bytes, job: str, epoch: str, cursor: int, version: int, wait_s: float, runs: bool
    ) -> dict[str, Any]:
        """What happened to the sessions of a job since the client's last question, when something did.

        Args:
            data: Unused.
            job: The job.
            epoch: That of the client's last answer; with another one it starts again.
            cursor: The position of the last answer.
            version: The version of the devices in the last answer, which are left out if they are the same.
            wait_s: How long to wait until something happens.
            runs: Whether to send the runs of small sessions along.
        """
        host, news = self._host, self._host.news
        if epoch != news.epoch:
            cursor, version = 0, -1
        elif version == host.version:
            await news.wait(checked(job), cursor, min(wait_s, _LONGEST_S))
        part = await asyncio.to_thread(partial(news.after, checked(job), cursor, with_runs=runs))
        sessions = [each.to_json() for each in list(host.sessions.running.values()) if each.order.job == job]
        answer: dict[str, Any] = {
            "epoch": news.epoch, "cursor": part.cursor, "more": part.more, "packed": part.packed, "data": part.data,
            "ends": [end.model_dump_json() for end in part.ends], "running": json.dumps(sessions),
            "version": host.version,
        }  # fmt: skip
        if version != host.version:
            answer["devices"] = json.dumps([self._device(each, {}) for each in host.known()])
        return answer

    async def _cancel(self, data: bytes, sessions: list[str]) -> dict[str, Any]:
        return {"cancelled": self._host.sessions.cancel(sessions)}

    async def _drain(self, data: bytes, name: str, undo: bool) -> dict[str, Any]:
        return {"known": await self._host.drain(name, undo=undo)}

    async def _has(self, data: bytes, digests: list[str]) -> dict[str, Any]:
        store = self._host.sessions.store
        return {"missing": [each for each in digests if not (store.has(checked(each)) or store.job(checked(each)))]}

    async def _put(self, data: bytes, sha256: str, kind: str, offset: int = 0, last: bool = True) -> dict[str, Any]:
        store = self._host.sessions.store
        if kind == "job":
            await asyncio.to_thread(store.put_job, checked(sha256), data)
        else:
            await asyncio.to_thread(partial(store.put, checked(sha256), offset, data, last=last))
        return {}

    async def _read(self, data: bytes, session: str, attempt: str, runs: list[str], offset: int) -> dict[str, Any]:
        """A part of the runs of an attempt as a tar file."""
        folder = self._host.sessions.attempt(checked(session), checked(attempt))
        return await asyncio.to_thread(_part, folder, [checked(run) for run in runs], offset)


def _part(folder: Path, runs: list[str], offset: int) -> dict[str, Any]:
    """``CHUNK`` bytes of the packed runs from an offset, and their whole size."""
    path = folder / _PACKED
    if offset == 0:
        if not all((folder / run).is_dir() for run in runs):
            raise DeviceError("farm-transfer", f"{folder} has no such runs", "try again")
        buffer = io.BytesIO()
        size = sum(each.stat().st_size for run in runs for each in (folder / run).rglob("*") if each.is_file())
        if size <= CHUNK // 2:
            pack(folder, runs, buffer)
            return {"size": buffer.tell(), "data": buffer.getvalue()}
        with path.open("wb") as file:
            pack(folder, runs, file)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(offset)
        part = file.read(CHUNK)
    if offset + len(part) >= size:
        path.unlink()
    return {"size": size, "data": part}
