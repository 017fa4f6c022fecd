"""A device's clock may be wrong: durations are its own, dates are this machine's."""

from __future__ import annotations

import pytest

from mlperf_mobile import events
from mlperf_mobile.contracts.transport import Output
from mlperf_mobile_devices import clock
from mlperf_mobile_devices.link import Control, Link
from mlperf_mobile_devices.testing import StandInTransport


def ahead(tmp_path, answer, took_s=0.2):
    device = StandInTransport(str(tmp_path))
    device.faults.append(lambda argv: Output(0, answer, b""))
    times = iter([1000.0, 1000.0 + took_s])
    return clock.ahead_s(Link(device, device.address, 0, Control(None)), lambda: next(times))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"8200.100000000\n", 7200.0), (b"8200\n", 7200.4), (b"500.6", -499.5), (b"1000.9\n", 0.0),
        (b"8200.%N\n", 7200.4),  # busybox knows no %N
        (b"", 0.0), (b"date: not found\n", 0.0), (b"-5\n", 0.0), (b"9" * 40, 999999998999.4),
    ],
)  # fmt: skip
def test_how_much_it_is_ahead(tmp_path, answer, expected):
    assert ahead(tmp_path, answer) == pytest.approx(expected, abs=0.01)


def test_a_slow_answer_is_no_difference(tmp_path):
    assert ahead(tmp_path, b"1000.0\n", took_s=8.0) == 0.0


def test_the_clock_of_a_real_shell(tmp_path):
    device = StandInTransport(str(tmp_path))
    assert clock.ahead_s(Link(device, device.address, 0, Control(None))) == 0.0


def test_the_time_of_events():
    event = events.Ended(time=8200.0)
    assert clock.in_time_of_host(event, 7200.0).time == 1000.0
    assert clock.in_time_of_host(event, 0.0) is event
    assert clock.in_time_of_host(event, 9000.0).time == 0.0
    assert clock.in_time_of_host(event, -1e15).time == events.LATEST
