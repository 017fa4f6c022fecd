"""The rest between runs ends at its time, or when all observers find the device as it was before."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from mlperf_mobile.campaigns import cooldown
from mlperf_mobile.campaigns.cooldown import look, rest
from mlperf_mobile.terms import Cooldown


@dataclass(frozen=True)
class Warmth:
    """An observer's word on the device: back within two degrees."""

    celsius: float
    is_known: bool = True

    def is_back(self, now):
        return now.celsius <= self.celsius + 2


class Broken(Warmth):
    def is_back(self, now):
        raise ZeroDivisionError


COOL = {"thermometer": Warmth(35.0)}


class Device:
    """Cools down by a degree a second, on a clock of its own."""

    def __init__(self, celsius=45.0, others=None):
        self.now, self.celsius, self.others, self.ticks = 0.0, celsius, others or {}, []

    def sleep(self, seconds):
        self.now += seconds
        self.celsius -= seconds

    def look(self):
        return {"thermometer": Warmth(self.celsius)} | self.others

    def rest(self, kind, limit_s, baseline):
        return rest(
            kind, limit_s, baseline, lambda *told: self.ticks.append(told), self.look, self.sleep, lambda: self.now
        )


def test_a_fixed_time():
    device = Device()
    rested = device.rest(Cooldown.FIXED, 5.5, COOL)
    assert (rested.seconds, rested.reason) == (5.5, "fixed")
    assert device.ticks == [(n, 5.5) for n in (0, 1, 2, 3, 4, 5)]


def test_until_it_is_as_cool_as_before():
    """45 °C fall to 37 °C, which is within 2 °C of 35."""
    rested = Device().rest(Cooldown.BASELINE, 300, COOL)
    assert (rested.seconds, rested.reason) == (8.0, "baseline")


def test_no_longer_than_the_limit():
    rested = Device().rest(Cooldown.BASELINE, 5, COOL)
    assert (rested.seconds, rested.reason) == (5.0, "limit")


@pytest.mark.parametrize("other", [Warmth(20.0), Broken(99.0)])
def test_every_observer_has_a_say(other):
    """One that says that the device is warmer than before, or fails, does not let it end early."""
    device = Device(celsius=30, others={"camera": Warmth(90.0)})
    rested = device.rest(Cooldown.BASELINE, 20, COOL | {"camera": other})
    assert rested.reason == "limit"


def test_an_observer_that_hangs_does_not_block_the_rest(monkeypatch):
    release = threading.Event()

    class Hanging(Warmth):
        def is_back(self, now):
            release.wait()
            return True

    monkeypatch.setattr(cooldown, "LOOK_S", 0.01)
    try:
        rested = Device(celsius=30).rest(Cooldown.BASELINE, 3, {"thermometer": Hanging(35.0)})
    finally:
        release.set()
    assert (rested.seconds, rested.reason) == (3.0, "limit")


def test_an_observer_that_has_fallen_silent_does_not_count():
    rested = Device(celsius=30).rest(Cooldown.BASELINE, 20, COOL | {"camera": Warmth(20.0)})
    assert (rested.seconds, rested.reason) == (0.0, "baseline")


def test_when_all_have_fallen_silent_it_is_the_limit():
    rested = Device(celsius=30).rest(Cooldown.BASELINE, 3, {"camera": Warmth(20.0)})
    assert rested.reason == "limit"


def test_where_nothing_can_be_read_it_is_the_limit():
    rested = Device().rest(Cooldown.BASELINE, 3, {})
    assert (rested.seconds, rested.reason) == (3.0, "unknown")


def test_no_rest_at_all():
    rested = Device().rest(Cooldown.FIXED, 0, COOL)
    assert rested.seconds == 0


def registry(**baselines):
    """Observers by name, each with what its baseline's reference loads."""
    offers = {
        name: SimpleNamespace(info=SimpleNamespace(baseline=load and SimpleNamespace(load=load)))
        for name, load in baselines.items()
    }
    return SimpleNamespace(observers=offers)


def test_the_baselines_of_observers_that_have_one_are_read(monkeypatch):
    """Not those without a baseline, and none that fails, hangs, ends its thread, or knows nothing."""
    monkeypatch.setattr(cooldown, "LOOK_S", 0.1)
    release = threading.Event()

    def leave():
        raise SystemExit

    found = look(registry(
        good=lambda: lambda: Warmth(31.0), without=None, missing=lambda: 1 / 0, failing=lambda: lambda: 1 / 0,
        nothing=lambda: lambda: Warmth(0.0, is_known=False), wrong=lambda: lambda: "warm",
        hanging=lambda: release.wait, leaving=lambda: leave,
    ))  # fmt: skip
    release.set()
    assert found == {"good": Warmth(31.0)}


def test_only_observers_of_the_first_look_are_read_again():
    both = registry(a=lambda: lambda: Warmth(31.0), b=lambda: lambda: Warmth(32.0))
    assert look(both, {"b": Warmth(30.0)}) == {"b": Warmth(32.0)}


@pytest.mark.parametrize(
    ("now", "back"),
    [((31.9, 0), True), ((32.1, 0), False), ((30.0, 1), False), ((None, 0), True), ((25.0, None), True)],
)
def test_a_device_has_cooled_down(now, back):
    """At most two degrees above its first temperature, and not at a higher thermal status."""
    assert cooldown.DeviceBaseline(30.0, 0).is_back(cooldown.DeviceBaseline(*now)) is back


def test_a_device_that_reports_no_heat():
    assert not cooldown.DeviceBaseline(None, None).is_known
    assert cooldown.DeviceBaseline(None, 0).is_known
