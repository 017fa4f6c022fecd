"""The clock of a device, compared with this machine's: the journal has the time of one clock, this machine's."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from mlperf_mobile import events
from mlperf_mobile.contracts import Transport
from mlperf_mobile_devices.link import Link

TOLERANCE_S = 2.0
"""A smaller difference is not told from the time that the question takes."""
_DATE = re.compile(rb"(\d{1,12})(?:\.(\d{1,9}))?")


def ahead_s(link: Link[Transport], now: Callable[[], float] = time.time) -> float:
    """Seconds by which a device's clock is ahead; 0 if they are few, or it does not say.

    The error is at most half the time that the question takes, and half a second where ``date`` has whole seconds.
    """
    sent, answer, answered = link.do(lambda t: (now(), t.run(["date", "+%s.%N"]), now()))
    if not (found := _DATE.match(answer.stdout.strip())):
        return 0.0
    there = int(found[1]) + (float(f"0.{found[2].decode()}") if found[2] else 0.5)
    difference = there - (sent + answered) / 2
    return round(difference, 3) if abs(difference) >= TOLERANCE_S + (answered - sent) / 2 else 0.0


def in_time_of_host(event: events.Event, ahead: float) -> events.Event:
    """An event of a device, with the time of this machine's clock."""
    if not ahead:
        return event
    return event.model_copy(update={"time": min(max(event.time - ahead, 0.0), float(events.LATEST))})
