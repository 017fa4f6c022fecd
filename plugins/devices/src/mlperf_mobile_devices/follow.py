"""Follows a detached run: reads its events from an offset until its process has ended."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from mlperf_mobile import events
from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.errors import ExitCode, MobileError
from mlperf_mobile_devices.link import Beat, Control, Link

EVENTS, WORKER_LOG, CODE, BOOT_ID = "events.jsonl", "worker.log", "rc", "boot_id"
CHUNK = 1 << 20
PAUSE_S = 0.5
"""Between two looks at a run that reports something."""
LOOK_S = 5.0
"""A run without events for this long is checked for being alive."""
TIDY_S = 10.0
"""At least so long apart, the run's log is trimmed."""
TIMED, WARM_UP, ENCODE = "performance", "warm-up", "encode"
"""The phase of the timed run, the one before it, and the one that is part of both: samples are encoded."""
_SHARE = 0.05
"""Looks during the timed run are this share of its duration apart, at least a second."""
_LATE_S = 1.0
"""Allowance for a timed run that ends later than expected: the warm-up also checks outputs, and the last query has to
finish."""
_LONG_S = 4.0
"""If the timed run is expected later than this, the expectation is checked in the meantime."""
_LONGEST_S = 300.0
"""Between two looks, whatever the device says about its times, except for the minimum of the timed run."""
_CODE = re.compile(rb"\s*(\d{1,3})\s*")


class Lines:
    """Whole lines out of pieces; one that is longer than an event can be is skipped, in bounded memory."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skipping = False

    def add(self, data: bytes) -> list[bytes]:
        """The lines that a piece completes, without their ends."""
        *lines, rest = (bytes(self._held) + data).split(b"\n")
        if self._skipping and lines:
            self._skipping = False
            lines = lines[1:]
        self._held = bytearray() if self._skipping else bytearray(rest)
        if len(self._held) > events.MAX_LINE:
            self._held, self._skipping = bytearray(), True
        return [line for line in lines if len(line) <= events.MAX_LINE]


class Follower:
    """Follows one run.

    Args:
        link: The connection.
        folder: The run's folder on the device, below the root: ``runs/<run>``.
        take: Called with every event.
        quiet_s: How long the timed run takes at least; the device is left alone during that time. A look that finds
            the timed run would disturb it, so its beginning is expected from what is known about the phases before.
        other: Called with every line that is not an event of a worker.
        work: Does something between two looks, and returns whether there may be more to do at once.
        tidy: Called now and then while the run goes on.
        warm_up_s: How long the warm-up takes at least.
        beat: Called now and then during a wait for which the last look gave a reason.
    """

    def __init__(
        self,
        link: Link[Transport],
        folder: str,
        take: Callable[[events.Event], None],
        control: Control,
        quiet_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        other: Callable[[bytes], None] = lambda line: None,
        work: Callable[[], bool] = lambda: False,
        tidy: Callable[[], None] = lambda: None,
        warm_up_s: float = 0.0,
        beat: Beat = lambda: None,
    ) -> None:
        self._link, self._folder, self._take, self._control = link, folder, take, control
        self._clock, self._other, self._work, self._tidy, self._beat = clock, other, work, tidy, beat
        self._quiet_s, self._warm_up_s, self._encoding_s = quiet_s, warm_up_s, 0.0
        self._lines, self._offset = Lines(), 0
        self._looked: float | None = None
        self._timed_from: float | None = None
        """When the timed run began, or is expected to begin; None before the warm-up, and after the timed run."""
        self.phase: events.Phase | None = None
        """The phase that began last."""

    def until_ended(self) -> int:
        """Follow the run until its process has ended and all events are read; returns its exit code.

        Raises:
            DeviceLost: The device was out of reach for too long.
            DeviceError: ``device-rebooted``, or the run's folder is gone.
            MobileError: ``worker-died``: its processes are gone without an exit code.
            Cancelled: The launcher cancelled it.
        """
        heard = tidied = self._clock()
        while True:
            if has_news := self._read():
                heard = self._clock()
            if (code := self.code()) is not None:
                self._read()
                return code
            self._control.check()
            if self._clock() - heard >= LOOK_S:
                heard = self._clock()
                if not self.is_alive():
                    self._read()
                    return self._why_gone()
            if self._clock() - tidied >= TIDY_S:
                tidied = self._clock()
                self._tidy()
            self._control.wait(0.0 if self._work() else self._pause(), self._beat if has_news else None)

    def code(self) -> int | None:
        """The exit code of the process; None if it has none yet."""
        found = _CODE.fullmatch(self._text(CODE))
        return min(int(found[1]), 255) if found else None

    def _read(self) -> bool:
        """Take the events that are there; whether there was any."""
        before, looked, self._looked = self._offset, self._looked, self._clock()
        while data := self._piece(EVENTS, self._offset):
            self._offset += len(data)
            found: list[events.Event] = []
            for line in self._lines.add(data):
                try:
                    found.append(events.decode(line))
                except ValueError:
                    self._other(line)
            now = self._clock()
            oldest = now - looked if looked is not None else now
            for event in found:
                # The age by the device's own clock, which may be set meanwhile; the newest event has just been written.
                self._note(event, now - min(max(0.0, found[-1].time - event.time), oldest))
                self._take(event)
            if len(data) < CHUNK:
                break
            self._control.check()
        return self._offset > before

    def _note(self, event: events.Event, at: float) -> None:
        """Update when the timed run is expected, from an event of that time."""
        if isinstance(event, events.Phase):
            self.phase = event
            if event.name == WARM_UP:
                self._timed_from = at + self._warm_up_s + self._encoding_s
            elif event.name == TIMED:
                self._timed_from = at + self._encoding_s
            elif event.name != ENCODE:
                self._timed_from = None
        elif isinstance(event, events.Progress):
            if event.phase == TIMED:
                self._timed_from = at - event.elapsed_s
            elif event.phase == ENCODE and event.left_s is not None:
                self._encoding_s = event.left_s
                if self._timed_from is not None:
                    self._timed_from = at + event.left_s

    def _pause(self) -> float:
        if self._timed_from is None:
            return PAUSE_S
        lasts = self._clock() - self._timed_from
        if lasts < -_LONG_S:
            return min(-lasts / 2, _LONGEST_S)
        return max(2 * PAUSE_S, self._quiet_s + _LATE_S - lasts, min(_SHARE * lasts, _LONGEST_S))

    def is_alive(self) -> bool:
        """Whether its processes are running."""
        return self._link.do(lambda transport: transport.signal(f"{transport.root}/{self._folder}", "0"))

    def _why_gone(self) -> int:
        """The exit code if it was written meanwhile; raises what happened otherwise."""
        if (code := self.code()) is not None:
            return code
        address = self._link.address
        began, now = self._text(BOOT_ID).strip(), self._link.do(lambda transport: transport.facts()).boot_id
        if not began:
            if self._text(EVENTS) or self._text(WORKER_LOG):
                summary = f"the run on {address} ended without an exit code, and its folder lacks {BOOT_ID}"
                raise DeviceError("device-run-gone", summary, "the transport's start() must write pid and boot_id")
            summary = f"the folder of the run on {address} is gone"
            raise DeviceError("device-run-gone", summary, "it was removed, or its storage is not persistent: run again")
        if now and began.decode(errors="replace") != now:
            raise DeviceError("device-rebooted", f"{address} was rebooted during the run", "run it again")
        raise MobileError(
            "worker-died", f"all processes of the run on {address} were killed", "see worker.log; it may lack memory",
            ExitCode.WORKER_DIED,
        )  # fmt: skip

    def _piece(self, name: str, offset: int) -> bytes:
        return self._link.do(lambda t: t.read(f"{t.root}/{self._folder}/{name}", offset, CHUNK))

    def _text(self, name: str) -> bytes:
        return self._link.do(lambda t: t.read(f"{t.root}/{self._folder}/{name}", 0, 200))
