"""Serves a host until it is stopped: its scheduler if it has a new one, its devices, and reconnecting."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from distributed.security import Security

from mlperf_mobile.errors import MobileError
from mlperf_mobile_farm.answers import Answers
from mlperf_mobile_farm.connection import gone, probe, unreachable
from mlperf_mobile_farm.host import Host
from mlperf_mobile_farm.scheduler import FarmScheduler

RETRY_S = 3.0
"""Seconds between two tries to reach a scheduler that is gone."""


@dataclass(frozen=True, slots=True)
class NewScheduler:
    """A scheduler to start: where it listens."""

    host: str
    port: int
    protocol: str


async def serve(
    host_of: Callable[[str], Host],
    scheduler: str | NewScheduler,
    security: Security | None,
    every_s: float,
    log: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        host_of: Makes the host, given the scheduler's address.
        scheduler: The scheduler's address, or a scheduler to start.
        security: TLS, or None.
        every_s: Seconds between two looks for devices.
        log: Called with lines about what changes.

    Raises:
        MobileError: The scheduler cannot be started, or not be reached at the start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    own = None
    if isinstance(scheduler, NewScheduler):
        own, address = await _started(scheduler, security)
    else:
        address = scheduler
        await probe(address, security)
    try:
        await _serve_host(partial(host_of, address), address, stop, every_s, log)
    finally:
        if own:
            await own.close()


async def _started(new: NewScheduler, security: Security | None) -> tuple[FarmScheduler, str]:
    try:
        own = FarmScheduler(host=new.host, port=new.port, protocol=new.protocol, dashboard=False, security=security)
        await own
    except OSError as error:
        summary = f"no scheduler can listen on {new.host}:{new.port}: {error.strerror or error}"
        raise MobileError("farm-address", summary, "choose another --port, or join the farm that is there") from error
    return own, str(own.address)


async def _serve_host(
    make: Callable[[], Host], address: str, stop: asyncio.Event, every_s: float, log: Callable[[str], None]
) -> None:
    host = await asyncio.to_thread(make)
    host.answer = Answers(host).answer
    joined = False
    while not stop.is_set():
        try:
            async with asyncio.timeout(20):
                await host.start()
        except (OSError, TimeoutError, RuntimeError) as error:
            if not joined:
                raise unreachable(address, error) from error
            await _sleep(stop, RETRY_S)
            continue
        log(f"{host.name} serves {address}" if not joined else f"{host.name} is back at {address}")
        joined = True
        while not stop.is_set() and host.is_connected:
            await host.look()
            for _ in range(max(1, round(every_s / 0.5))):
                await _sleep(stop, min(0.5, every_s))
                if stop.is_set() or not host.is_connected:
                    break
        if not stop.is_set():
            log(f"{gone(address).summary}; sessions in progress go on, and {host.name} joins it again when it returns")
            for device in host.devices.values():
                device.worker = None
    await host.close()


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
