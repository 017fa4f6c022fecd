"""The simulated phone's heat and battery, against the closed form of the same physics."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile_device_adb.testing.profile import Body, Profile

seconds = st.floats(0.1, 5000)
loads = st.floats(0, 1)


@given(seconds, loads, st.integers(1, 20))
def test_steps_do_not_change_the_temperature(total, load, steps):
    one, many = Body(Profile()), Body(Profile())
    one.advance(total, load)
    for _ in range(steps):
        many.advance(total / steps, load)
    assert many.skin_c == pytest.approx(one.skin_c)
    assert many.battery_percent == pytest.approx(one.battery_percent, abs=1e-6)


@given(seconds)
def test_it_warms_and_cools_exponentially(time):
    body = Body(Profile(ambient_c=20, warming_c=30, time_constant_s=100))
    body.advance(time, 1.0)
    assert body.skin_c == pytest.approx(50 - 30 * math.exp(-time / 100))
    before = body.skin_c
    body.advance(time, 0.0)
    assert body.skin_c == pytest.approx(20 + (before - 20) * math.exp(-time / 100))


def test_a_battery_of_4500_mah_lasts_two_and_a_half_hours_at_1800_ma():
    body = Body(Profile(battery_percent=100, charger="none", battery_mah=4500, busy_ma=1800))
    body.advance(2.5 * 3600 - 1, 1.0)
    assert 0 < body.battery_percent < 0.02
    body.advance(10, 1.0)
    assert body.battery_percent == 0


def test_the_status_follows_the_limits():
    body = Body(Profile(ambient_c=20, limits_c=(30, 40)))
    for warmth, status in ((0, 0), (9.9, 0), (10, 1), (19.9, 1), (20, 2), (60, 2)):
        body.warmth_c = warmth
        assert body.status == status
    assert body.speed < 1


def test_losses_come_at_their_rate():
    body = Body(Profile(losses_per_hour=60), seed=1)
    lost = sum(body.advance(1.0, 0.0) for _ in range(36_000))
    assert 500 < lost < 700  # 600 are expected in ten hours, with a standard deviation of 24
    calm = Body(Profile(), seed=1)
    assert not any(calm.advance(3600, 1.0) for _ in range(1000))
