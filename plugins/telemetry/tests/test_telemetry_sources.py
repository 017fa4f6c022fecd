"""What is read of devices, from trees of files as their kernels show them."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlperf_mobile_telemetry import sources
from mlperf_mobile_telemetry.files import Gauges
from mlperf_mobile_telemetry.power import Rapl
from mlperf_mobile_telemetry.process import Process

CPU, THERMAL, POWER, POWERCAP, HWMON = (
    "sys/devices/system/cpu", "sys/class/thermal", "sys/class/power_supply", "sys/class/powercap", "sys/class/hwmon",
)  # fmt: skip


def policy(number, now, cap, most):
    folder = f"{CPU}/cpufreq/policy{number}"
    return {f"{folder}/scaling_cur_freq": now, f"{folder}/scaling_max_freq": cap, f"{folder}/cpuinfo_max_freq": most}


def zone(number, kind, temperature):
    return {f"{THERMAL}/thermal_zone{number}/type": kind, f"{THERMAL}/thermal_zone{number}/temp": temperature}


def cooler(number, kind, state):
    folder = f"{THERMAL}/cooling_device{number}"
    return {f"{folder}/type": kind, f"{folder}/cur_state": state, f"{folder}/max_state": 20}


def supply(name, **files):
    return {f"{POWER}/{name}/{file}": value for file, value in files.items()}


# Names and units as on a phone with a Snapdragon 8 Gen 2; current_now is negative while the battery discharges.
SNAPDRAGON = {
    **policy(0, 1113600, 2016000, 2016000), **policy(3, 2803200, 2803200, 2803200),
    **policy(7, 3187200, 3187200, 3187200),
    "sys/class/kgsl/kgsl-3d0/gpuclk": 680000000,
    "sys/class/devfreq/soc:qcom,cpu-llcc-ddr-bw/cur_freq": 547000000,
    **zone(0, "aoss-0", 39400), **zone(1, "cpu-1-0", 47300), **zone(2, "cpu-1-1", 46900),
    **zone(30, "skin-msm-therm", 36500),
    **zone(70, "pm8550b-vbat-lvl0", 4123), **zone(71, "pm8550b-ibat-lvl0", 5200), **zone(72, "soc", 83),
    **zone(73, "socd", 0), **zone(74, "xo-therm", -273000),
    **cooler(0, "thermal-cpufreq-0", 0), **cooler(7, "thermal-cpufreq-7", 3), **cooler(20, "panel0-backlight", 5),
    **supply("battery", type="Battery", status="Discharging", capacity=83, current_now=-1250000, voltage_now=4012000,
             temp=331, charge_full=4890000),
    **supply("usb", type="USB_PD", online=0), **supply("bms", type="BMS", capacity=82),
    "proc/self/statm": "52341 20480 9000 3 0 30000 0",
    "proc/meminfo": "MemTotal:       11466060 kB\nMemFree:          312345 kB\nMemAvailable:    5242880 kB\n",
    "proc/loadavg": "3.25 2.80 2.11 2/4567 12345",
    "proc/pressure/cpu": "some avg10=1.20 avg60=0.50 avg300=0.10 total=123456789\n"
                         "full avg10=0.00 avg60=0.00 avg300=0.00 total=0",
}  # fmt: skip

# A Raspberry Pi 4 with Raspberry Pi OS: no battery; the thermal zone is shown a second time under hwmon.
PI = {
    **policy(0, 1800000, 1800000, 1800000), **zone(0, "cpu-thermal", 52095), **cooler(0, "Fan", 1),
    f"{HWMON}/hwmon0/name": "cpu_thermal", f"{HWMON}/hwmon0/temp1_input": 52095,
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50004",
}  # fmt: skip

# A laptop with two batteries on its charger, as root.
LAPTOP = {
    **policy(0, 3400000, 4700000, 4700000), **policy(1, 800000, 4700000, 4700000),
    f"{CPU}/cpu0/thermal_throttle/core_throttle_count": 3, f"{CPU}/cpu0/thermal_throttle/package_throttle_count": 17,
    "sys/class/drm/card0/gt_act_freq_mhz": 350,
    **zone(0, "acpitz", 45000), **zone(1, "acpitz", 20000), **zone(9, "x86_pkg_temp", 61000),
    f"{HWMON}/hwmon4/name": "coretemp", f"{HWMON}/hwmon4/temp1_input": 61000,
    f"{HWMON}/hwmon4/temp1_label": "Package id 0",
    f"{HWMON}/hwmon4/temp2_input": 59000, f"{HWMON}/hwmon4/temp2_label": "Core 0",
    f"{HWMON}/hwmon5/name": "nvme", f"{HWMON}/hwmon5/temp1_input": 38850,
    **cooler(0, "Processor", 0), **cooler(8, "intel_powerclamp", -1),
    **supply("AC", type="Mains", online=1),
    **supply("BAT0", type="Battery", scope="System", status="Not charging",
             capacity=97, power_now=0, voltage_now=12900000),
    **supply("BAT1", type="Battery", status="Unknown", capacity=79, power_now=0, voltage_now=12100000),
    **supply("hidpp_battery_0", type="Battery", scope="Device", status="Discharging", capacity=5),
    f"{POWERCAP}/intel-rapl/enabled": 1,
    f"{POWERCAP}/intel-rapl:0/name": "package-0", f"{POWERCAP}/intel-rapl:0/energy_uj": 262143328000,
    f"{POWERCAP}/intel-rapl:0/max_energy_range_uj": 262143328850,
    f"{POWERCAP}/intel-rapl:0:0/name": "core", f"{POWERCAP}/intel-rapl:0:0/energy_uj": 5000000,
    f"{POWERCAP}/intel-rapl:0:0/max_energy_range_uj": 262143328850,
    f"{POWERCAP}/intel-rapl:1/name": "psys", f"{POWERCAP}/intel-rapl:1/energy_uj": 7,
    f"{POWERCAP}/intel-rapl:1/max_energy_range_uj": 262143328850,
    f"{POWERCAP}/intel-rapl-mmio:0/name": "package-0", f"{POWERCAP}/intel-rapl-mmio:0/energy_uj": 1,
    f"{POWERCAP}/intel-rapl-mmio:0/max_energy_range_uj": 262143328850,
}  # fmt: skip


def write(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else f"{content}\n".encode()
        (root / path).write_bytes(data)
    return root


def read_all(root):
    """Every value that all sources tell."""
    found = {}
    for source in sources.open_all(root):
        with closing(source):
            found |= source.values()
    return found


class TestSnapdragon:
    @pytest.fixture
    def root(self, tmp_path):
        return write(tmp_path, SNAPDRAGON)

    def test_temperatures_leave_out_invalid_readings(self, root):
        """Battery voltage and current, its level, a sensor that is off and one that is not there."""
        expected = {"aoss-0": 39.4, "cpu-1-0": 47.3, "cpu-1-1": 46.9, "skin-msm-therm": 36.5}
        assert sources.temperatures(root) == pytest.approx(expected)

    def test_frequencies(self, root):
        assert sources.frequencies(root) == pytest.approx({
            "policy0": 1113.6, "policy3": 2803.2, "policy7": 3187.2, "kgsl-3d0": 680.0,
            "soc:qcom,cpu-llcc-ddr-bw": 547.0,
        })  # fmt: skip

    def test_battery(self, root):
        assert sources.on_external_power(root) is False
        assert sources.battery_level(root) == 83.0
        found = read_all(root)
        assert found["battery.battery_amperes"] == -1.25
        assert found["battery.battery_volts"] == 4.012
        assert found["battery.battery_celsius"] == pytest.approx(33.1)
        assert found["battery.battery_full_ampere_hours"] == pytest.approx(4.89)
        assert (found["battery.discharging_flag"], found["power.external_flag"]) == (1.0, 0.0)

    def test_system(self, root):
        found = read_all(root)
        assert found["memory.process_bytes"] == 20480 * os.sysconf("SC_PAGE_SIZE")
        assert found["memory.available_bytes"] == 5 * 2**30
        assert found["load.minute_processes"] == 3.25
        assert found["pressure.cpu_seconds"] == pytest.approx(123.456789)

    def test_what_may_slow_it_down(self, root):
        found = read_all(root)
        assert (found["cooling.thermal-cpufreq-0_state"], found["cooling.thermal-cpufreq-7_state"]) == (0.0, 3.0)
        assert (found["cap.policy7_mhz"], found["hardware.policy7_mhz"]) == (pytest.approx(3187.2),) * 2

    def test_a_charger_is_plugged_in(self, root):
        """It decides, even where it is too weak and the battery goes on discharging."""
        write(root, {f"{POWER}/usb/online": 1})
        assert sources.on_external_power(root) is True


class TestPi:
    @pytest.fixture
    def root(self, tmp_path):
        return write(tmp_path, PI)

    def test_a_zone_is_not_shown_twice(self, root):
        assert sources.temperatures(root) == {"cpu-thermal": pytest.approx(52.095)}

    def test_firmware(self, root):
        """0x50004: throttled now; capped low voltage and throttling at some time before."""
        found = read_all(root)
        flags = {name: value for name, value in found.items() if name.startswith("firmware.")}
        assert flags == {
            "firmware.low_voltage_flag": 0.0, "firmware.frequency_capped_flag": 0.0, "firmware.throttled_flag": 1.0,
            "firmware.soft_limit_flag": 0.0,
        }  # fmt: skip

    def test_no_battery(self, root):
        assert sources.on_external_power(root) is None
        assert sources.battery_level(root) is None


class TestLaptop:
    @pytest.fixture
    def root(self, tmp_path):
        return write(tmp_path, LAPTOP)

    def test_temperatures(self, root):
        assert sources.temperatures(root) == pytest.approx({
            "acpitz": 45.0, "acpitz.2": 20.0, "x86_pkg_temp": 61.0, "coretemp.Package id 0": 61.0,
            "coretemp.Core 0": 59.0, "nvme.temp1": 38.85,
        })  # fmt: skip

    def test_the_mouse_does_not_count(self, root):
        assert sources.on_external_power(root) is True
        assert sources.battery_level(root) == 79.0

    def test_without_the_mains(self, root):
        """Neither battery says that it discharges, and the one that does not charge says that it is plugged in."""
        write(root, {f"{POWER}/AC/online": 0})
        assert sources.on_external_power(root) is True
        write(root, {f"{POWER}/BAT0/status": "Unknown"})
        assert sources.on_external_power(root) is None
        write(root, {f"{POWER}/BAT1/status": "Discharging"})
        assert sources.on_external_power(root) is False

    def test_counters(self, root):
        found = read_all(root)
        assert (found["throttle.cpu0.core_count"], found["throttle.cpu0.package_count"]) == (3.0, 17.0)
        assert found["cooling.intel_powerclamp_state"] == -1.0
        assert found["frequency.card0_mhz"] == 350.0

    def test_energy_counts_on_when_the_counter_is_full(self, root):
        """1.5 J pass in two steps, over the end of the counter."""
        with closing(Rapl(root)) as rapl:
            assert rapl.values() == {
                "energy.rapl.package-0_joules": 0.0, "energy.rapl.package-0.core_joules": 0.0,
                "energy.rapl.psys_joules": 0.0,
            }  # fmt: skip
            write(root, {f"{POWERCAP}/intel-rapl:0/energy_uj": 1000000 - 850 - 1})
            assert rapl.values()["energy.rapl.package-0_joules"] == pytest.approx(1.0)
            write(root, {f"{POWERCAP}/intel-rapl:0/energy_uj": 1500000 - 850 - 1})
            assert rapl.values()["energy.rapl.package-0_joules"] == pytest.approx(1.5)

    def test_a_counter_out_of_its_range_is_no_energy(self, root):
        with closing(Rapl(root)) as rapl:
            write(
                root, {f"{POWERCAP}/intel-rapl:0/energy_uj": 262143328851, f"{POWERCAP}/intel-rapl:0:0/energy_uj": -5}
            )
            assert set(rapl.values()) == {"energy.rapl.psys_joules"}

    def test_the_other_way_to_the_same_package(self, root):
        for folder in (root / POWERCAP).glob("intel-rapl*"):
            if "mmio" not in folder.name:
                shutil.rmtree(folder)
        with closing(Rapl(root)) as rapl:
            assert set(rapl.values()) == {"energy.rapl.package-0_joules"}


def test_old_kernels_have_no_policies(tmp_path):
    write(tmp_path, {f"{CPU}/cpu{n}/cpufreq/cpuinfo_cur_freq": 1000000 + n for n in (0, 1, 10)})
    assert list(sources.frequencies(tmp_path)) == ["cpu0", "cpu1", "cpu10"]


def test_nothing_at_all(tmp_path):
    assert sources.temperatures(tmp_path) == {}
    assert sources.frequencies(tmp_path) == {}
    assert sources.on_external_power(tmp_path) is None
    assert sources.battery_level(tmp_path) is None
    assert set(read_all(tmp_path)) <= {"switches.voluntary_count", "switches.involuntary_count"}


def test_what_disappears_and_comes_back(tmp_path):
    """A processor goes offline: its file is there, and holds nothing."""
    write(tmp_path, PI)
    with closing(Gauges()) as gauges:
        path = tmp_path / CPU / "cpufreq/policy0/scaling_cur_freq"
        assert gauges.add("f", "mhz", path, 1e-3, high=20_000) == 1800.0
        for content, told in (
            (b"", {}),
            (b"<unsupported>\n", {}),
            (b"-5\n", {}),
            (b"9" * 18, {}),
            (b"600000\n", {"f_mhz": 600.0}),
        ):
            path.write_bytes(content)
            assert gauges.values() == told


def test_not_readable(tmp_path, permissions_bind):
    """A folder where a file should be, a pipe that nobody writes into, and a file without permission."""
    write(tmp_path, {**zone(2, "fine", 40000), **zone(3, "secret", 40000)})
    (tmp_path / THERMAL / "thermal_zone0/temp").mkdir(parents=True)
    (tmp_path / THERMAL / "thermal_zone1").mkdir()
    os.mkfifo(tmp_path / THERMAL / "thermal_zone1/temp")
    (tmp_path / THERMAL / "thermal_zone3/temp").chmod(0)
    assert set(sources.temperatures(tmp_path)) == {"fine"}


@pytest.mark.slow
def test_many_zones_are_too_many(tmp_path):
    for number in range(400):
        write(tmp_path, zone(number, f"zone{number}", 40000))
    assert len(sources.temperatures(tmp_path)) == 256


HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([
        b"", b"\0" * 100, b"-1", b"9" * 5000, b"nan", b"inf", b"1e400", b"0x7f", b"-9223372036854775808",
        b"18446744073709551615",
        b"\xff\xfe1\0", b"some avg10=x total=99999999999999999999999", b"MemAvailable: -3 kB", b"../../etc", b"a\nb\nc",
    ]),
)  # fmt: skip


LIMITS = {
    "bytes": (0, 2**52), "celsius": (-40, 200), "count": (0, 2**53), "flag": (0, 1), "hours": (0, 1000),
    "joules": (0, 2**32 * 10), "mhz": (0, 20_000), "percent": (0, 100), "processes": (0, 2**22),
    "seconds": (0, 3.2e9), "state": (-1, 1e6), "volts": (0.5, 100), "amperes": (-100, 100), "watts": (-1000, 1000),
}  # fmt: skip
"""What can be true, by the last word of a series' name."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Everything that the three devices show."""
    return write(tmp_path_factory.mktemp("devices"), SNAPDRAGON | PI | LAPTOP)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(sorted(SNAPDRAGON | PI | LAPTOP)), HOSTILE, max_size=30))
@example({"proc/loadavg": b"10000000000000000000"})
@example({"proc/loadavg": b"10000000000000000000.00 0.00 0.00 1/1 1"})
@example({"proc/loadavg": b"1e18 0.00 0.00 1/1 1"})
@example({"proc/meminfo": b"MemAvailable: 999999999999999999 kB"})
@example({"proc/self/statm": b"1 999999999999999999 1 1 0 1 0"})
@example({"proc/pressure/cpu": b"some avg10=0.00 avg60=0.00 avg300=0.00 total=999999999999999999"})
@example({f"{CPU}/cpu0/thermal_throttle/core_throttle_count": b"9" * 18})
@example({f"{POWERCAP}/intel-rapl:0/energy_uj": b"9" * 18, f"{POWERCAP}/intel-rapl:0/max_energy_range_uj": b"9" * 18})
def test_whatever_the_files_hold(tree, bad):
    """Nothing is raised, and every value can be true of its unit: of sources opened before, and after."""
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(source)) for source in sources.open_all(tree)]
        try:
            write(tree, bad)
            found = [read_all(tree), *(source.values() for source in opened)]
            assert sources.on_external_power(tree) in (True, False, None)
        finally:
            write(tree, {path: (SNAPDRAGON | PI | LAPTOP)[path] for path in bad})
        found += [source.values() for source in opened]
    for values in found:
        for name, value in values.items():
            low, high = LIMITS[name.rpartition("_")[2]]
            assert low <= value <= high, name
            assert name.isprintable(), name


@pytest.mark.parametrize(
    ("path", "content", "series"),
    [
        ("proc/loadavg", "nan 0.00 0.00 1/1 1", "load.minute_processes"),
        ("proc/loadavg", "4194304.01 0.00 0.00 1/1 1", "load.minute_processes"),
        ("proc/loadavg", "1_0.00 0.00 0.00 1/1 1", "load.minute_processes"),
        ("proc/meminfo", "MemAvailable: 4398046511105 kB", "memory.available_bytes"),
        ("proc/meminfo", "MemAvailable: 5 MB", "memory.available_bytes"),
        ("proc/self/statm", "1 999999999999999 1 1 0 1 0", "memory.process_bytes"),
        ("proc/self/statm", "20480", "memory.process_bytes"),
        ("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=9999999999999999", "pressure.cpu_seconds"),
        ("proc/pressure/cpu", "full avg10=0.00 avg60=0.00 avg300=0.00 total=5", "pressure.cpu_seconds"),
        (f"{POWER}/battery/status", "charged?", "battery.discharging_flag"),
        (f"{POWER}/battery/capacity", 101, "battery.battery_percent"),
        (f"{POWER}/battery/charge_full", 10**18 - 1, "battery.battery_full_ampere_hours"),
    ],
)
def test_what_cannot_be_true_is_left_out(tmp_path, path, content, series):
    """Bounds by hand: 2**22 processes, 2**52 bytes, a century of waiting."""
    assert series in read_all(write(tmp_path, SNAPDRAGON))
    assert series not in read_all(write(tmp_path, {path: content}))


@pytest.mark.parametrize(
    ("path", "content", "series", "value"),
    [
        ("proc/loadavg", "4194304.00 0.00 0.00 1/1 1", "load.minute_processes", 2.0**22),
        ("proc/meminfo", "MemTotal: 1 kB\nMemAvailable: 4398046511104 kB\n", "memory.available_bytes", 2.0**52),
        ("proc/pressure/cpu", "some avg10=1 avg60=1 avg300=1 total=3000000000000000", "pressure.cpu_seconds", 3e9),
    ],
)
def test_the_largest_that_can_be_true(tmp_path, path, content, series, value):
    assert read_all(write(tmp_path, {path: content}))[series] == pytest.approx(value)


def test_this_process(tmp_path):
    """On Linux: memory within what the system has, and switches that grow when one sleeps."""
    with closing(Process(Path("/"))) as process:
        before = process.values()
        for _ in range(5):
            time.sleep(0.001)
        after = process.values()
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 1e6 < after["memory.process_bytes"] < total
    assert 0 < after["memory.available_bytes"] < total
    assert after["switches.voluntary_count"] >= before["switches.voluntary_count"] + 5
