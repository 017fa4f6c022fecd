"""Simulated devices: the same from the same seed, with the heat, charge and losses of a device."""

from __future__ import annotations

import math

import pytest

from mlperf_mobile.contracts import DeviceError, DeviceLost
from mlperf_mobile.errors import UsageError
from mlperf_mobile_farm.simulated.physics import Physics
from mlperf_mobile_farm.simulated.target import parse
from mlperf_mobile_farm.simulated.transport import Simulated


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def device(clock, tmp_path):
    return Physics(parse("a?ambient=25&absent=30&percent=50"), clock, tmp_path)


def test_a_run_heats_and_a_rest_cools(device, clock):
    """Newton's law: after one time constant, 1 - 1/e of the way."""
    device.begin()
    clock.now += 240
    assert device.facts().temperature_c == pytest.approx(25 + 22 * (1 - math.exp(-1)), abs=0.01)
    hot = device.end().temperature_c
    clock.now += 420
    assert device.facts().temperature_c == pytest.approx(25 + (hot - 25) * math.exp(-1), abs=0.01)
    assert device.facts().thermal_status == 0


def test_a_long_run_throttles(device, clock):
    device.begin()
    clock.now += 3600
    assert device.facts().thermal_status == 3
    assert device.facts().temperature_c == pytest.approx(47, abs=0.01)


def test_a_run_drains_the_battery_and_a_rest_charges_it(device, clock):
    device.begin()
    clock.now += 3600
    assert device.facts().battery_percent == pytest.approx(38)
    device.end()
    clock.now += 2 * 3600
    assert device.facts().battery_percent == pytest.approx(88)
    clock.now += 24 * 3600
    assert device.facts().battery_percent == 100


def test_a_lost_device_returns(device, clock):
    device.begin()
    device.lose()
    with pytest.raises(DeviceLost):
        device.facts()
    clock.now += 30
    assert device.facts().address == "simulated:a"


def test_some_losses_are_boots(clock, tmp_path):
    device = Physics(parse("a?absent=0"), clock, tmp_path)
    seen = set()
    for _ in range(20):
        device.begin()
        device.lose()
        seen.add(device.facts().boot_id)
    assert 1 < len(seen) < 20


def test_the_state_is_kept_for_other_processes(device, clock, tmp_path):
    device.begin()
    clock.now += 240
    device.end()
    assert Physics(device.target, clock, tmp_path).now() == device.now()
    next(tmp_path.iterdir()).write_text("{")
    assert device.now().temperature_c == 25


def test_a_seed_gives_the_same_device(tmp_path):
    one, other = (Physics(parse(text), Clock(), tmp_path).facts() for text in ("a?seed=1", "a?seed=1"))
    assert one == other
    assert Physics(parse("a?seed=2"), Clock(), tmp_path).facts().serial != one.serial


@pytest.mark.parametrize(
    "target",
    ["", "?soc=a", "a b", "../a", "a?soc", "a?soc=", "a?sco=x", "a?loss=2", "a?lasts=-1", "a?lasts=nan", "a?seed=x",
     "a?soc=\x1b", "a?soc=" + "x" * 65, "a?" + "&".join(["seed=1"] * 30)],
)  # fmt: skip
def test_what_is_no_address(target):
    with pytest.raises(UsageError) as caught:
        Simulated(target)
    assert caught.value.code == "bad-device"


def test_nothing_runs_on_it_and_nothing_is_found_unless_named():
    assert list(Simulated.discover()) == []
    with Simulated("a") as device, pytest.raises(DeviceError, match="simulated"):
        device.run(["true"])
