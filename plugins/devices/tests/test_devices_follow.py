"""A run that is followed: the device is left alone during the timed run, and found soon after it."""

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
        self.now, self.events, self.code_at, self.asked, self.waits = 0.0, events, code_at, [], []

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        pass

    def read(self, path, offset, limit=1 << 20):
        self.asked.append(self.now)
        self.now += 0.01
        if path.endswith(EVENTS):
            lines = [json.dumps({"time": 1e9 + at, **event}) for at, event in self.events if at <= self.now]
            return "".join(f"{line}\n" for line in lines).encode()[offset : offset + limit]
        return b"0\n" if path.endswith(CODE) and self.now >= self.code_at else b""

    def signal(self, folder, name):
        self.asked.append(self.now)
        return True


class Waiting:
    """Waits by the device's clock."""

    def __init__(self, device):
        self.device = device

    def wait(self, seconds, beat=None):
        """A long wait with a beat is one in which the launcher is told that the run is well."""
        self.device.waits.append((seconds, beat is not None))
        self.device.now += seconds

    def check(self):
        pass


def phase(name):
    return {"event": "phase", "name": name}


def progress(name, elapsed_s, left_s):
    return {
        "event": "progress", "phase": name, "done": 1, "total": 2, "fraction": 0.5, "elapsed_s": elapsed_s,
        "left_s": left_s,
    }  # fmt: skip


def run_of(begins, expected_s, takes_s):
    """The events of a run: its first moment, and how long encoding was expected to take, and takes.

    Returns:
        The events with their moments, and the first and the last moment of the timed run.
    """
    warm_up = 5 + begins
    over = warm_up + WARM_UP_S + 0.2
    timed = over + takes_s
    encoding = [(over + at, progress("encode", at, takes_s - at)) for at in map(float, range(1, int(takes_s) + 1))]
    timing = [(timed + at, progress("performance", float(at), None)) for at in range(1, int(TIMED_S))]
    ends = timed + TIMED_S + 0.3
    told = [
        (0, phase("load")),
        (warm_up - 0.1, phase("encode")),
        (warm_up - 0.05, progress("encode", 0.05, expected_s)),
        (warm_up, phase("warm-up")),
        (over, phase("performance")),
        (over + 0.01, phase("encode")),
        *encoding,
        *timing,
        (ends, {"event": "measured", "part": "performance", "value": {}}),
        (ends + 0.1, phase("accuracy")),
    ]
    return told, timed, ends


def followed(device, **more):
    taken = []
    follower = Follower(
        Link(device, "it", 0, Waiting(device)), "runs/it", taken.append, Waiting(device), TIMED_S,
        clock=lambda: device.now, warm_up_s=WARM_UP_S, **more,
    )  # fmt: skip
    assert follower.until_ended() == 0
    return taken


@pytest.mark.parametrize("begins", [0.0, 0.3, 0.49])
@pytest.mark.parametrize(
    ("expected_s", "takes_s"), [(0.0, 0.0), (0.001, 0.3), (2.4, 2.6), (2.4, 1.9), (30.0, 34.0), (30.0, 21.0)]
)
def test_a_device_is_left_alone_while_it_measures(begins, expected_s, takes_s):
    events, began, ends = run_of(begins, expected_s, takes_s)
    device = Device(events, ends + 5)
    taken = followed(device)
    assert len(taken) == len(events)
    assert [at for at in device.asked if began <= at < ends] == []
    assert [at for at in device.asked if at < 5 + begins]  # it was looked at before
    assert min(at for at in device.asked if at >= ends) - ends < 5  # and soon after
    assert taken[-1].name == "accuracy"
    assert all(beats for seconds, beats in device.waits if seconds > 10)


def test_a_timed_run_that_begins_earlier_than_expected_is_found_soon_after_its_end():
    """The look in the middle of what was expected finds when the timed run really began."""
    events, began, ends = run_of(0.0, 60.0, 1.0)
    device = Device(events, ends + 5)
    followed(device)
    seen = [at for at in device.asked if began <= at < ends]
    assert len(seen) <= 3  # the commands of one look
    assert min(at for at in device.asked if at >= ends) - ends < 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e308", "-1e308"])
@pytest.mark.parametrize("field", ["elapsed_s", "left_s"])
@pytest.mark.parametrize("name", ["encode", "performance"])
def test_impossible_times_do_not_stop_the_follower(name, field, value):
    events, _, ends = run_of(0.0, 2.0, 1.0)
    wrong = {**progress(name, 1.0, 1.0), field: float(value)}
    device = Device([*events[:4], (6.5, wrong), *events[4:]], ends + 5)
    followed(device)
    assert device.now < ends + 2 * 300 + 60


def test_a_clock_that_jumps_during_the_run_does_not_stop_the_follower():
    """A board without a clock of its own sets it when it finds a network."""
    events, _, ends = run_of(0.0, 2.0, 1.0)
    jumped = [(at, {**event, "time": 1e9 + at - (9e8 if at < 6 else 0)}) for at, event in events]
    device = Device(jumped, ends + 5)
    followed(device)
    assert device.now < ends + 300 + 60


def test_a_run_that_reports_nothing_more_is_not_vouched_for():
    """The launcher's limit on silence has to end it."""
    events, began, _ = run_of(0.0, 0.0, 0.0)
    device = Device([event for event in events if event[0] < began + 10], began + 1000)
    followed(device)
    after = [beats for seconds, beats in device.waits if device.now > began + TIMED_S + 10]
    assert sum(beats for _, beats in device.waits) < 15
    assert after[-5:] == [False] * 5


def test_a_clock_that_is_set_between_two_events_of_one_look():
    """An event is not older than the look before."""
    events, began, ends = run_of(0.0, 0.0, 0.0)
    index = next(number for number, (_, event) in enumerate(events) if event.get("name") == "performance")
    jumped = [(at, {**event, "time": 1e9 + at + (86400 if number >= index - 1 else 0)})
              for number, (at, event) in enumerate(events)]  # fmt: skip
    device = Device(jumped, ends + 5)
    followed(device)
    assert min(at for at in device.asked if at >= ends) - ends < 5
    assert [at for at in device.asked if began <= at < ends] == []
