"""A run that is followed: the device is left alone from its warm-up to the end of the timed run's minimum."""

from __future__ import annotations

import json

import pytest

from mlperf_mobile_devices.follow import CODE, EVENTS, Follower
from mlperf_mobile_devices.link import Link

WARM_UP_S, TIMED_S = 2.0, 60.0


class Device:
    """A stand-in for a device whose events appear by a clock, and that counts when it is asked."""

    root = "/root"

    def __init__(self, events, code_at):
        self.now, self.events, self.code_at, self.asked = 0.0, events, code_at, []

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        pass

    def read(self, path, offset, limit=1 << 20):
        self.asked.append(self.now)
        self.now += 0.01
        if path.endswith(EVENTS):
            lines = [
                json.dumps({"event": "phase", "name": name, "time": 0}) for at, name in self.events if at <= self.now
            ]
            return "".join(f"{line}\n" for line in lines).encode()[offset : offset + limit]
        return b"0\n" if path.endswith(CODE) and self.now >= self.code_at else b""

    def signal(self, folder, name):
        self.asked.append(self.now)
        return True


class Waiting:
    """Waits by the device's clock."""

    def __init__(self, device):
        self.device = device

    def wait(self, seconds):
        self.device.now += seconds

    def check(self):
        pass


@pytest.mark.parametrize("begins", [0.0, 0.3, 0.49])
@pytest.mark.parametrize("between", ["", "encode"])
def test_a_device_is_left_alone_while_it_measures(begins, between):
    warm_up = 5 + begins
    timed = warm_up + WARM_UP_S + 0.1
    phases = [
        (0, "load"),
        (warm_up, "warm-up"),
        *([(timed - 0.05, between)] if between else []),
        (timed, "performance"),
    ]
    device = Device([*phases, (timed + TIMED_S + 1, "accuracy")], timed + TIMED_S + 10)
    taken = []
    follower = Follower(
        Link(device, "it", 0, Waiting(device)), "runs/it", taken.append, Waiting(device), TIMED_S,
        clock=lambda: device.now, warm_up_s=WARM_UP_S,
    )  # fmt: skip
    assert follower.until_ended() == 0
    assert [event.name for event in taken] == [name for _, name in [*phases, (0, "accuracy")]]
    assert [at for at in device.asked if timed <= at < warm_up + WARM_UP_S + TIMED_S] == []
    assert [at for at in device.asked if at < warm_up]  # it was looked at before
