"""The rest between runs ends at its time, or when the device is what it was before."""

from __future__ import annotations

import pytest

from mlperf_mobile.sessions.cooldown import Baseline, look, rest
from mlperf_mobile.telemetry import sources
from mlperf_mobile.terms import Cooldown

COOL = Baseline({"cpu": 35.0, "skin": 30.0}, {"policy0": 600.0})


class Device:
    """Cools down by a degree a second, on a clock of its own."""

    def __init__(self, degrees=45.0, mhz=600.0):
        self.now, self.degrees, self.mhz, self.ticks = 0.0, degrees, mhz, []

    def sleep(self, seconds):
        self.now += seconds
        self.degrees -= seconds

    def look(self):
        return Baseline({"cpu": self.degrees, "skin": 30.0}, {"policy0": self.mhz})

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


def test_a_frequency_that_stays_elsewhere():
    rested = Device(degrees=30, mhz=1800).rest(Cooldown.BASELINE, 20, COOL)
    assert rested.reason == "limit"


@pytest.mark.parametrize("baseline", [None, Baseline({}, {})])
def test_where_nothing_can_be_read_it_is_the_limit(baseline):
    rested = Device().rest(Cooldown.BASELINE, 3, baseline)
    assert (rested.seconds, rested.reason) == (3.0, "unknown")


def test_no_rest_at_all():
    rested = Device().rest(Cooldown.FIXED, 0, COOL)
    assert rested.seconds == 0


@pytest.mark.parametrize(
    ("now", "back"),
    [
        (Baseline({"cpu": 37.0, "skin": 32.0}, {"policy0": 660.0}), True),
        (Baseline({"cpu": 37.1, "skin": 30.0}, {"policy0": 600.0}), False),
        (Baseline({"cpu": 20.0, "skin": 20.0}, {"policy0": 540.0}), True),
        (Baseline({"cpu": 35.0, "skin": 30.0}, {"policy0": 539.0}), False),
        (Baseline({}, {}), True),  # what cannot be read any more does not count
        (Baseline({"cpu": 35.0, "skin": 30.0, "new": 90.0}, {"policy0": 600.0}), True),
    ],
)
def test_what_counts_as_back(now, back):
    assert COOL.is_back(now) is back


def test_the_median_of_a_few_looks_at_a_frequency(monkeypatch):
    seen = iter([{"policy0": 600.0}, {"policy0": 2400.0}, {"policy0": 700.0}])
    monkeypatch.setattr(sources, "frequencies", lambda: next(seen))
    monkeypatch.setattr(sources, "temperatures", lambda: {"cpu": 41.0})
    assert look(lambda seconds: None) == Baseline({"cpu": 41.0}, {"policy0": 700.0})
