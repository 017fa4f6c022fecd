"""What a device reports before and after a run becomes telemetry, and telemetry's rules judge it."""

from __future__ import annotations

import json

import pytest

from mlperf_mobile.contracts import DeviceFacts
from mlperf_mobile_devices.telemetry import FILE, KEPT, Recording, series
from mlperf_mobile_telemetry.part import Telemetry

COOL = {
    "cpu0.mhz": 1804.8, "cpu0.cap_mhz": 2000.0, "cpu0.max_mhz": 2000.0, "thermal.skin_c": 30.5, "zone.cpu-0-0_c": 48.0,
    "cpu0.governor": "schedutil", "su": False, "clock.ahead_s": 1,
}  # fmt: skip


def facts(*, charging=False, status=0, more=COOL):
    return DeviceFacts(
        address="x:1", temperature_c=29.0, thermal_status=status, battery_percent=80.0, charging=charging, more=more
    )


def recorded(folder, before, after):
    times = iter([10.5, 70.5])
    recording = Recording(folder, lambda: next(times))
    recording.add(0, before)
    Recording(folder, lambda: next(times)).add(1024, after)  # of a command that took the run up
    assert recording.finish()
    assert not (folder / KEPT).exists()
    return Telemetry.of(folder)


def test_the_series():
    assert series(facts()) == {
        "frequency.cpu0_mhz": 1804.8, "cap.cpu0_mhz": 2000.0, "hardware.cpu0_mhz": 2000.0,
        "temperature.skin_celsius": 30.5, "temperature.cpu-0-0_celsius": 48.0, "battery.device_celsius": 29.0,
        "battery.device_percent": 80.0, "power.external_flag": 0.0, "battery.discharging_flag": 1.0,
        "firmware.thermal_status_flag": 0.0,
    }  # fmt: skip
    assert series(DeviceFacts(address="x:1")) == {}
    assert series(DeviceFacts(address="x:1", temperature_c=40.0)) == {"temperature.device_celsius": 40.0}


def test_the_file_has_the_documented_form(tmp_path):
    recorded(tmp_path, facts(), facts())
    head, *rows = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert head == {"telemetry": 1, "interval_s": 0, "energy_includes": {}}
    assert [(row["t_s"], row["samples"]) for row in rows] == [(0.0, 0), (60.0, 1024)]


def test_a_phone_that_stays_cool_on_its_battery(tmp_path):
    part = recorded(tmp_path, facts(), facts())
    assert (part.external_power, part.throttled, part.evidence, part.rows) == (False, False, [], 2)
    assert (part.temperature.sensor, part.temperature.max_celsius) == ("cpu-0-0", 48.0)


@pytest.mark.parametrize("when", [0, 1])
def test_a_charger_before_or_after(tmp_path, when):
    assert recorded(tmp_path, *(facts(charging=n == when) for n in (0, 1))).external_power is True


def test_an_unknown_charger(tmp_path):
    assert recorded(tmp_path, facts(charging=None), facts(charging=None)).external_power is None


def test_a_thermal_status_is_throttling(tmp_path):
    part = recorded(tmp_path, facts(), facts(status=1))
    assert (part.throttled, part.evidence) == (True, ["the firmware says: thermal status"])


def test_a_lower_cap_is_throttling(tmp_path):
    part = recorded(tmp_path, facts(), facts(more=COOL | {"cpu0.cap_mhz": 1500.0}))
    assert part.evidence == ["the highest frequency of cpu0 was lowered from 2000 to 1500 MHz"]


def test_a_device_that_reports_nothing(tmp_path):
    nothing = DeviceFacts(address="x:1")
    part = recorded(tmp_path, nothing, nothing)
    assert (part.external_power, part.throttled, part.temperature) == (None, None, None)


def test_nothing_was_recorded(tmp_path):
    assert not Recording(tmp_path).finish()
    assert list(tmp_path.iterdir()) == []


WORKERS = [
    {"telemetry": 1, "interval_s": 1.0, "energy_includes": {}},
    {"t_s": 0.0, "samples": 0, "temperature.soc_celsius": 50.0},
    {"t_s": 1.0, "samples": 0, "temperature.soc_celsius": 51.0},
    {"t_s": 2.0, "samples": 500, "temperature.soc_celsius": 55.0},
    {"t_s": 3.0, "samples": 1000, "temperature.soc_celsius": 56.0},
    {"t_s": 9.0, "samples": 1000, "temperature.soc_celsius": 70.0},
]


def test_the_workers_recording_gets_what_it_lacks(tmp_path):
    """Each sensor as it is, and charger, battery and thermal status as only the device's services know them."""
    (tmp_path / FILE).write_text("".join(json.dumps(row) + "\n" for row in WORKERS))
    part = recorded(tmp_path, facts(charging=True), facts(status=2))
    assert (part.external_power, part.throttled, part.rows) == (True, True, 3)
    assert part.temperature.max_celsius == 56.0
    rows = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert [row.get("power.external_flag") for row in rows[1:]] == [None, 1.0, None, 0.0, None]
    assert [row["temperature.soc_celsius"] for row in rows[1:]] == [50.0, 51.0, 55.0, 56.0, 70.0]


def test_a_recording_that_is_no_json(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff[[[\n" + b"[" * 100_000)
    assert recorded(tmp_path, facts(), facts()).rows == 0
