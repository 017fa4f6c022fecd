"""A connection that comes back: work on a device is repeated until it is reached again, or given up after a while."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile.registry import installed_plugins

T = TypeVar("T")
TransportT = TypeVar("TransportT", bound=Transport)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
BEAT_S = 1.0
"""Between two signs of life, while the host waits on purpose."""
Beat = Callable[[], None]


class Cancelled(Exception):
    """The launcher cancelled the run, or ended."""


class Control:
    """The control channel of a driver: its standard input after the plan."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def wait(self, seconds: float, beat: Beat | None = None) -> None:
        """Sleep.

        Args:
            seconds: How long.
            beat: Called now and then, to say that this is no hang.

        Raises:
            Cancelled: ``cancel`` arrived.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if beat and left > BEAT_S:
                left = BEAT_S
                beat()
            if self._fd is None:
                time.sleep(left)
            elif select.select([self._fd], [], [], left)[0]:
                self._hear()

    def check(self) -> None:
        """Raises: Cancelled: ``cancel`` has arrived."""
        if self._fd is not None and select.select([self._fd], [], [], 0)[0]:
            self._hear()

    def _hear(self) -> None:
        assert self._fd is not None
        message = os.read(self._fd, 4096)
        if not message:
            self._fd = None  # the launcher closed its end
        elif b"cancel" in message:
            self._fd = None  # it is obeyed once
            raise Cancelled


def open_transport(address: str) -> Transport:
    """The transport to a device, not yet connected.

    Raises:
        DeviceError: Its kind is not installed any more.
        UsageError: The target is not one.
    """
    kind, _, target = address.partition(":")
    offer = installed_plugins().transports.get(kind)
    if offer is None:
        raise DeviceError("device-unusable", f"{address}: no {kind} transport is installed", "reinstall its plugin")
    return offer.info.transport.load()(target)


class Link(Generic[TransportT]):
    """A transport that reconnects.

    Args:
        transport: The transport, whose context is not entered yet.
        address: Its address.
        limit_s: How long the device may be out of reach.
        control: Waits, and is cancelled.
        lost: Called before each new attempt with the seconds since the device was lost.
        found: Called when it is reached again.
        beat: Called now and then while it is out of reach.
    """

    def __init__(
        self,
        transport: TransportT,
        address: str,
        limit_s: float,
        control: Control,
        lost: Callable[[float], None] = lambda seconds: None,
        found: Callable[[], None] = lambda: None,
        beat: Beat = lambda: None,
    ) -> None:
        self.address, self.control = address, control
        self._transport, self.limit_s = transport, limit_s
        self._lost, self._found, self._beat = lost, found, beat
        self._entered = False
        self._reached = False
        """Whether the device was reached at all; one that never was is not waited for."""

    def do(self, work: Callable[[TransportT], T]) -> T:
        """The result of ``work``, which is repeated as long as it raises :class:`DeviceLost`.

        A device that was reached, and now refuses, is out of reach as well: a phone asks its user again whether to
        allow this computer, and the run goes on meanwhile.

        Raises:
            DeviceLost: The device was out of reach for too long, or from the beginning.
            DeviceError: ``device-unusable`` from the beginning; or what ``work`` raises.
            Cancelled: The launcher cancelled the run meanwhile.
        """
        since, pause = None, FIRST_PAUSE_S
        while True:
            try:
                if not self._entered:
                    self._transport.__enter__()
                    self._entered = True
                result = work(self._transport)
            except DeviceError as error:
                if not isinstance(error, DeviceLost) and not (self._reached and error.code == "device-unusable"):
                    raise
                self.close()
                now = time.monotonic()
                since = since if since is not None else now
                if not self._reached:
                    raise
                if now - since + pause > self.limit_s:
                    raise self._given_up(error) from error
                self._lost(now - since)
                self.control.wait(pause, self._beat)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                continue
            self._reached = True
            if since is not None:
                self._found()
            return result

    def close(self) -> None:
        """Leave the transport's context; what is wrong with it then does not matter."""
        if self._entered:
            self._entered = False
            with suppress(DeviceError):
                self._transport.__exit__(None, None, None)

    def _given_up(self, error: DeviceError) -> DeviceLost:
        summary = f"{self.address} could not be reached again for {self.limit_s:g} s: {error.summary}"
        return DeviceLost(summary, "its run may still be there: mlperf-mobile attach follows it again")
