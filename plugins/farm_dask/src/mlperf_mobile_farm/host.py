"""A lab host: finds its devices, announces each as a Dask worker with its labels, and answers about them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Worker
from distributed.security import Security

from mlperf_mobile import needs
from mlperf_mobile.contracts import DeviceFacts
from mlperf_mobile.errors import MobileError, described
from mlperf_mobile.registry import Registry
from mlperf_mobile_farm import labels
from mlperf_mobile_farm.news import News
from mlperf_mobile_farm.sessions import LOST, Sessions
from mlperf_mobile_farm.task import SERVED
from mlperf_mobile_farm.work import OPERATION, PREFIX, Order, SessionEnd

_AT_A_TIME = 8
_DOUBT_S, _SETTLE_S = 30.0, 0.5

Answer = Callable[..., Awaitable[dict[str, Any]]]


@dataclass
class Device:
    """A device of this host."""

    address: str
    labels: dict[str, str]
    worker: Worker | None = None
    reason: str = ""
    """Why it is not offered; empty if it is."""
    fix: str = ""
    is_doubtful: bool = False
    """Whether a session just lost it, so that it gets no other one before somebody looked at it."""
    settling: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is announced or withdrawn: two looks at once would announce it twice."""


@dataclass
class Host:
    """What this host serves.

    Args:
        name: The name of the host, a valid file name.
        scheduler: The address of the scheduler.
        security: TLS, or None.
        folder: The folder for sessions and files.
        own: Labels that the lab gives to all devices of this host.
        addresses: Devices besides those that transports discover.
        discover: Whether transports are searched for devices.
        log: Called with lines about what changes.
    """

    name: str
    scheduler: str
    security: Security | None
    folder: Path
    own: Mapping[str, str]
    addresses: Iterable[str]
    discover: bool
    log: Callable[[str], None]
    devices: dict[str, Device] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sessions = Sessions(self.name, self.folder)
        self.sessions.recover()
        self._drained_path = self.folder / "drained.json"
        self.drained: set[str] = (
            set(json.loads(self._drained_path.read_text())) if self._drained_path.exists() else set()
        )
        self._own_worker: Worker | None = None
        self.news: News
        self.answer: Answer
        """Answers clients; see :mod:`mlperf_mobile_farm.answers`."""
        self.version = 0
        """Changes with the devices that can be used."""
        self._settling: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Announce the host.

        Raises:
            OSError: The scheduler cannot be reached.
        """
        if self._own_worker is None:
            self.news = News(self.sessions.ends, self.sessions.attempt)
        self._own_worker = worker = self._worker(f"{PREFIX}{self.name}", {})
        worker.handlers[OPERATION] = self.answer
        await worker

    @property
    def is_connected(self) -> bool:
        """Whether the scheduler still knows this host."""
        return self._own_worker is not None and self._own_worker.status.name == "running"

    async def look(self) -> None:
        """Find devices, announce new ones, and withdraw those that are lost or drained and not in use."""
        found = await asyncio.to_thread(self._found)
        limit = asyncio.Semaphore(_AT_A_TIME)

        async def settle(facts: DeviceFacts) -> None:
            async with limit:
                await self._settle(facts)

        await asyncio.gather(*map(settle, found.values()))
        for address in self.devices.keys() - found.keys():
            await self._settle(DeviceFacts(address=address, usable=False, reason="it is no longer connected"))

    async def close(self) -> None:
        """Interrupt sessions, and withdraw everything."""
        self.sessions.stop()
        for _ in range(100):
            if not self.sessions.running:
                break
            await asyncio.sleep(0.1)
        workers = [device.worker for device in self.devices.values() if device.worker] + [self._own_worker]
        for device in self.devices.values():
            device.worker = None
        await asyncio.gather(
            *(worker.close(timeout=2, executor_wait=False, nanny=False) for worker in workers if worker),
            return_exceptions=True,
        )

    def _busy(self) -> set[str]:
        return {each.device for each in list(self.sessions.running.values())}

    def _found(self) -> dict[str, DeviceFacts]:
        """The facts of all devices; those of a device that is in use are not read again, because reading disturbs."""
        found: dict[str, DeviceFacts] = {}
        busy = self._busy()
        for address in self.addresses:
            found[address] = DeviceFacts(address=address) if address in busy else self._facts(address)
        for kind, offer in self.registry.transports.items() if self.discover else ():
            if any(address.startswith(f"{kind}:") for address in busy):
                mine = [each for each in self.devices if each.startswith(f"{kind}:")]
                found |= {address: DeviceFacts(address=address) for address in mine if address not in found}
                continue
            if needs.missing(offer.info.needs):
                continue
            try:
                found |= {facts.address: facts for facts in offer.info.transport.load().discover()}
            except Exception as error:  # noqa: BLE001  a transport's defect leaves the others
                self.log(f"{kind} devices cannot be found: {described(error)}")
        return found

    def _facts(self, address: str) -> DeviceFacts:
        kind, _, target = address.partition(":")
        try:
            with self.registry.transports[kind].info.transport.load()(target) as transport:
                return transport.facts()
        except MobileError as error:
            return DeviceFacts(address=address, usable=False, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a transport's defect leaves the other devices
            return DeviceFacts(address=address, usable=False, reason=described(error), fix="report it to its author")

    async def _settle(self, facts: DeviceFacts) -> None:
        """Announce, keep or withdraw one device."""
        address = facts.address
        device = self.devices.get(address)
        if device is None:
            device = self.devices[address] = Device(address, labels.of(facts, self.name, self.own))
            if not facts.usable:
                self.log(f"{address} cannot be used: {facts.reason}")
        async with device.settling:
            if address not in self._busy():
                await self._offer_or_withdraw(device, facts)

    async def _offer_or_withdraw(self, device: Device, facts: DeviceFacts) -> None:
        address = device.address
        reason = "" if facts.usable else facts.reason or "it cannot be used"
        reason = reason or ("drained" if self.is_drained(address) else "")
        if device.worker and (reason or device.is_doubtful):
            if reason:
                self.log(f"{address} is withdrawn: {reason}")
            worker, device.worker = device.worker, None
            SERVED.pop(str(worker.name), None)
            await worker.close(timeout=2, executor_wait=False, nanny=False)
            self._changed()
        device.is_doubtful = False
        device.reason, device.fix = reason, facts.fix
        if device.worker and device.worker.status.name in ("closed", "failed", "closing"):
            device.worker = None
        if not reason and device.worker is None:
            device.labels = labels.of(facts, self.name, self.own)
            await self._announce(device)

    async def _announce(self, device: Device) -> None:
        resources = {labels.resource(key, value): 1.0 for key, value in device.labels.items()}
        worker = self._worker(f"{self.name}/{device.address}", resources | {labels.DEVICE: 1.0})
        SERVED[str(worker.name)] = partial(self._carry_out, device, asyncio.get_running_loop())
        try:
            await worker
        except (OSError, RuntimeError, TimeoutError, ValueError) as error:  # the scheduler is gone, slow or refuses it
            SERVED.pop(str(worker.name), None)
            self.log(f"{device.address} cannot be offered now, and is tried again: {described(error)}")
            return
        device.worker = worker
        shown = {key: value for key, value in device.labels.items() if key in ("soc", "model", "os", *self.own)}
        self.log(f"{device.address} is offered: {labels.text(shown)}")
        self._changed()

    def _carry_out(self, device: Device, loop: asyncio.AbstractEventLoop, order: Order) -> SessionEnd:
        """Carry out a session, in the thread of a device's worker."""
        self.log(f"{device.address}: session {order.session} begins")
        end = self.sessions.carry_out(order, device.address, self.news.changed)
        if (
            end.error and end.error["code"] in LOST
        ):  # before anybody hears of it, or the device would attract all sessions
            with suppress(RuntimeError, TimeoutError):  # the host is stopping
                asyncio.run_coroutine_threadsafe(self._doubt(device), loop).result(_DOUBT_S)
        self.news.add(order.job, end)
        why = f": {end.error['summary']}" if end.error else ""
        self.log(f"{device.address}: session {order.session} is {end.state}{why}")
        return end

    async def _doubt(self, device: Device) -> None:
        """Give a device no other session before its facts were read again, which happens at once."""
        device.is_doubtful = True
        if device.worker:
            await withhold(device.worker)
        self._changed()

        async def settle() -> None:
            await asyncio.sleep(_SETTLE_S)  # the session ends first, or Dask would think that its worker is lost
            await self._settle(await asyncio.to_thread(self._facts, device.address))

        task = asyncio.create_task(settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _worker(self, name: str, resources: dict[str, float]) -> Worker:
        return Worker(
            self.scheduler, name=name, nthreads=1, resources=resources, memory_limit=0, dashboard=False,
            security=self.security, local_directory=str(self.folder / "dask"), death_timeout=10,
            host="127.0.0.1" if "//127.0.0.1:" in self.scheduler else None,
        )  # fmt: skip

    def known(self) -> list[Device]:
        """All devices, as they are now."""
        return list(self.devices.values())

    def is_drained(self, address: str) -> bool:
        """Whether a device gets no more sessions."""
        return bool(self.drained & {address, self.name})

    def state(self, device: Device) -> str:
        """The state of a device that is not in use."""
        if self.is_drained(device.address):
            return "drained"
        return "free" if device.worker else "lost"

    async def drain(self, name: str, *, undo: bool) -> bool:
        """Give this host or a device of it no more sessions, or sessions again; returns whether it is known."""
        if name != self.name and name not in self.devices:
            return False
        self.drained = self.drained - {name} if undo else self.drained | {name}
        self._drained_path.write_text(json.dumps(sorted(self.drained)))
        self._changed()
        for device in self.known():
            if device.worker and self.is_drained(device.address):  # no more sessions, also while it is busy
                await withhold(device.worker)
        await self.look()
        return True

    def _changed(self) -> None:
        self.version += 1
        self.news.changed()


async def withhold(worker: Worker) -> None:
    """Let Dask give a device no further session; over another connection if the one it kept has just been closed."""
    try:
        await worker.set_resources(**{labels.DEVICE: 0})
    except OSError:
        await worker.set_resources(**{labels.DEVICE: 0})
