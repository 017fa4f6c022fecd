"""What a recorder writes, what is read back of it, and what is concluded: energy, throttling, numbers."""

from __future__ import annotations

import json
import math
import os
import struct
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.contracts import ObservedRun
from mlperf_mobile.testing.observing import watched
from mlperf_mobile_telemetry import recorder, summary, timeline
from mlperf_mobile_telemetry.part import Telemetry
from mlperf_mobile_telemetry.recorder import Recorder
from mlperf_mobile_telemetry.sources import ROOT

HEAD = {"telemetry": 1, "interval_s": 1.0, "energy_includes": {}}

BATTERY = {
    "battery__battery_percent": lambda t: 80.0,
    "battery__battery_volts": lambda t: 4.0,
    "battery__battery_amperes": lambda t: -1.5,
    "battery__discharging_flag": lambda t: 1.0,
    "power__external_flag": lambda t: 0.0,
}

SLOWER = {
    "speed": lambda t: 100 if t < 30 else 80,
    "frequency__policy0_mhz": lambda t: 2000.0 if t < 30 else 1500.0,
    "temperature__cpu_celsius": lambda t: 40.0 + t / 2,
}


@pytest.fixture
def conclude(tmp_path):
    """The summary of a recording with a row each second; samples are answered between second 0 and the last but two.

    Series, and the samples answered in a second, are functions of the second; ``__`` stands for a dot.
    """

    def of(head=HEAD, seconds=60, speed=lambda t: 100, **series):
        count, rows = 0, []
        for t in range(seconds + 3):
            count += speed(t) if 1 <= t <= seconds else 0
            values = {name.replace("__", "."): told(t) for name, told in series.items()}
            rows.append({"t_s": float(t), "samples": count} | {k: v for k, v in values.items() if v is not None})
        path = tmp_path / timeline.FILE
        path.write_text("".join(json.dumps(row) + "\n" for row in (head, *rows)))
        return summary.of(timeline.read(path))

    return of


def throttling(told):
    """Whether it was, on what evidence, and what was watched."""
    return told["throttled"], told["evidence"], told["throttling"]["watched"]


def the_only(told):
    """Kind, series and moment of the only evidence, and its words."""
    assert told["throttled"] is True
    (event,), (text,) = told["throttling"]["events"], told["evidence"]
    return event["kind"], event["series"], event["at_s"], text


class TestNumbers:
    def test_by_hand(self, conclude):
        """The clock runs from second 0, the last row with nothing answered, to 4, the first with everything."""
        told = conclude(seconds=4, frequency__policy0_mhz=lambda t: 1000.0 + 100 * t)
        assert told["series"]["frequency.policy0_mhz"] == {
            "min": 1000.0, "mean": 1200.0, "max": 1400.0, "first": 1000.0, "last": 1400.0,
        }  # fmt: skip
        assert (told["rows"], told["duration_s"], told["interval_s"]) == (5, 4.0, 1.0)

    def test_preparations_do_not_count(self, conclude):
        """It was 90 °C while samples were encoded; none was answered before second 4."""
        told = conclude(
            seconds=10,
            speed=lambda t: 50 if t > 3 else 0,
            temperature__cpu_celsius=lambda t: 90.0 if t < 3 else 40.0 + t,
        )
        assert told["temperature"] == {
            "sensor": "cpu",
            "first_celsius": 43.0,
            "max_celsius": 50.0,
            "last_celsius": 50.0,
        }

    def test_rows_further_apart_count_for_more(self, conclude):
        """0 for nine seconds, and 100 reached within the tenth: a mean of 5, although half of the values are 100."""
        told = conclude(seconds=10, x_mhz={0: 0.0, 9: 0.0, 10: 100.0}.get)
        assert told["series"]["x_mhz"]["mean"] == pytest.approx(5.0)

    @pytest.mark.parametrize(
        ("flag", "told"),
        [(lambda t: 1.0, True), (lambda t: 0.0, False), (lambda t: float(t == 30), True), (lambda t: None, None)],
    )
    def test_external_power(self, conclude, flag, told):
        assert conclude(power__external_flag=flag)["external_power"] is told

    def test_battery_drop(self, conclude):
        told = conclude(
            battery__BAT0_percent=lambda t: 90.0, battery__BAT1_percent=lambda t: 50.0 - (t >= 20) - (t >= 40),
            battery__BAT1_celsius=lambda t: 30.0,
        )  # fmt: skip
        assert told["battery_drop_percent"] == 2.0
        assert told["temperature"]["sensor"] == "BAT1"

    def test_nothing_known(self, conclude):
        told = conclude()
        assert (told["energy"], told["temperature"], told["battery_drop_percent"]) == ([], None, None)
        assert throttling(told) == (None, [], [])


class TestEnergy:
    def test_packages_and_memory(self, conclude):
        """10 W and 20 W, 100 inferences a second: 0.3 J each; memory 2 W, and cores are a part of the packages."""
        told = conclude(**{
            "energy__rapl__package-0_joules": lambda t: 10.0 * t, "energy__rapl__package-1_joules": lambda t: 20.0 * t,
            "energy__rapl__package-0__core_joules": lambda t: 7.0 * t,
            "energy__rapl__package-0__dram_joules": lambda t: 2.0 * t,
        })["energy"]  # fmt: skip
        assert [(one["source"], one["joules_per_inference"], one["watts"]) for one in told] == [
            ("RAPL", pytest.approx(0.3), pytest.approx(30.0)), ("RAPL", pytest.approx(0.02), pytest.approx(2.0)),
        ]  # fmt: skip
        assert "package-0, package-1" in told[0]["includes"]
        assert told[1]["includes"] == "memory of package-0"
        assert told[0]["joules"] == pytest.approx(30.0 * told[0]["seconds"])
        assert told[0]["inferences"] == 100 * told[0]["seconds"]

    def test_only_while_the_clock_runs(self, conclude):
        """1000 W before and after it: still 10 W."""
        told = conclude(energy__rapl__psys_joules=lambda t: 1000.0 * (t if t < 1 else 1 if t < 61 else 2) + 10.0 * t)
        assert told["energy"][0]["watts"] == pytest.approx(10.0)

    def test_of_a_plugin(self, conclude):
        head = HEAD | {"energy_includes": {"npu": "the NPU alone"}}
        told = conclude(head, energy__plugin__npu_joules=lambda t: 0.5 * t)["energy"]
        assert (told[0]["source"], told[0]["includes"]) == ("plugin npu", "the NPU alone")
        assert told[0]["joules_per_inference"] == pytest.approx(0.005)

    def test_battery(self, conclude):
        """4 V and 1.5 A, whatever the sign."""
        told = conclude(**BATTERY)["energy"]
        assert (told[0]["source"], told[0]["watts"]) == ("battery", pytest.approx(6.0))
        assert told[0]["joules_per_inference"] == pytest.approx(0.06)
        assert "whole device" in told[0]["includes"]

    def test_of_a_token(self, conclude, tmp_path):
        """6 W from second 1 to 59, in which the answers 100 to 5900 ended; the first 3000 have 3 tokens, others 5."""
        without = conclude(**BATTERY)["energy"][0]
        assert "tokens" not in without
        answers = [(20, 3 if number < 3000 else 5, 1, 0) for number in range(6000)]
        (tmp_path / "tokens.bin").write_bytes(struct.pack("<24000q", *(each for one in answers for each in one)))
        told = Telemetry.of(tmp_path)
        (found,) = told.energy
        assert found.tokens == 2900 * 3 + 2900 * 5
        assert found.joules_per_token == pytest.approx(6 * 58 / found.tokens)
        assert found.joules_per_inference == without["joules_per_inference"]
        (line,) = [line.text for line in told.lines() if line.label == "energy"]
        assert line.startswith("60 mJ per inference, 15 mJ per token, 6 W by battery")
        assert told.values()["joules_per_token"] == found.joules_per_token
        assert any("J per token of an answer" in line.text for line in told.facts())

    @pytest.mark.parametrize("data", [b"", b"\0" * 31, struct.pack("<4q", 1, -5, 1, 0) * 9000, b"\x01" * 64])
    def test_no_tokens_no_energy_of_one(self, conclude, tmp_path, data):
        """An empty file, as a token sweep leaves it, a cut one, impossible numbers, and fewer answers than samples."""
        conclude(**BATTERY)
        (tmp_path / "tokens.bin").write_bytes(data)
        (found,) = Telemetry.of(tmp_path).model_dump(mode="json")["energy"]
        assert not {"tokens", "joules_per_token"} & found.keys()

    def test_a_load_that_changes(self, conclude):
        """Power rises evenly from 0: the mean is that of both ends of the window, seconds 1 and 59."""
        told = conclude(**BATTERY | {"battery__battery_amperes": lambda t: t / 10})["energy"]
        assert told[0]["watts"] == pytest.approx(4.0 * (0.1 + 5.9) / 2)

    def test_parts_of_the_battery_are_not_counted_twice(self, conclude):
        gauge = {
            f"battery__maxfg_{unit}": BATTERY[f"battery__battery_{unit}"] for unit in ("percent", "volts", "amperes")
        }
        assert conclude(**BATTERY, **gauge)["energy"][0]["watts"] == pytest.approx(6.0)

    def test_two_batteries_of_a_laptop(self, conclude):
        told = conclude(
            battery__BAT0_percent=lambda t: 80.0, battery__BAT1_percent=lambda t: 80.0,
            battery__BAT0_watts=lambda t: 5.0, battery__BAT1_watts=lambda t: -7.0,
            battery__discharging_flag=lambda t: 1.0,
        )  # fmt: skip
        assert told["energy"][0]["watts"] == pytest.approx(12.0)

    @pytest.mark.parametrize(
        "changed",
        [
            {"battery__discharging_flag": lambda t: float(t != 30)},
            {"power__external_flag": lambda t: float(t == 30)},
            {"battery__battery_amperes": lambda t: -0.0015},  # told in mA
            {"battery__battery_volts": lambda t: None},
            {"battery__discharging_flag": lambda t: None},
        ],
    )
    def test_a_battery_that_says_nothing_about_the_run(self, conclude, changed):
        assert conclude(**BATTERY | changed)["energy"] == []

    def test_a_run_too_short(self, conclude):
        assert conclude(seconds=2, **BATTERY)["energy"] == []


class TestThrottling:
    def test_a_counter_rose(self, conclude):
        told = conclude(throttle__cpu0__core_count=lambda t: 3.0 + (t >= 20), throttle__cpu1__core_count=lambda t: 8.0)
        text = "core throttle counter of cpu0 rose from 3 to 4"
        assert the_only(told) == ("throttle-counter", "throttle.cpu0.core_count", 20.0, text)

    def test_it_did_not(self, conclude):
        told = conclude(throttle__cpu0__core_count=lambda t: 3.0)
        assert throttling(told) == (False, [], ["throttle-counter"])

    def test_before_the_run_is_not_during_it(self, conclude):
        """The counter rose while samples were encoded."""
        told = conclude(speed=lambda t: 100 if t > 10 else 0, throttle__cpu0__core_count=lambda t: float(t >= 5))
        assert told["throttled"] is False

    @pytest.mark.parametrize(
        "kind", ["thermal-cpufreq-7", "Processor", "cpufreq-cpu0", "thermal-devfreq-0", "tpu_cooling"]
    )
    def test_a_cooling_device_that_slows_down(self, conclude, kind):
        told = conclude(**{f"cooling__{kind}_state": lambda t: 1.0 + 2 * (t == 33)})
        series, text = f"cooling.{kind}_state", f"cooling device {kind} rose from 1 to 3"
        assert the_only(told) == ("cooling-device", series, 33.0, text)

    @pytest.mark.parametrize("kind", ["Fan", "pwm-fan", "panel0-backlight", "iwlwifi", "modem_pa"])
    def test_a_cooling_device_that_does_not(self, conclude, kind):
        assert conclude(**{f"cooling__{kind}_state": float})["throttled"] is None

    def test_a_cap_that_was_lowered(self, conclude):
        told = conclude(cap__policy4_mhz=lambda t: 2400.0 if t < 40 else 1800.0, hardware__policy4_mhz=lambda t: 2400.0)
        text = "the highest frequency of policy4 was lowered from 2400 to 1800 MHz"
        assert the_only(told) == ("frequency-cap", "cap.policy4_mhz", 40.0, text)

    @pytest.mark.parametrize(
        "cap",
        [
            lambda t: 1800.0,  # the user's own choice
            lambda t: 1800.0 if t < 20 else 2400.0,
            lambda t: 3000.0 if t < 20 else 2400.0,  # never below what the hardware can
            lambda t: 2400.0 - (t > 20),
        ],
    )
    def test_a_cap_that_was_not(self, conclude, cap):
        told = conclude(cap__policy4_mhz=cap, hardware__policy4_mhz=lambda t: 2400.0)
        assert throttling(told) == (False, [], ["frequency-cap"])

    def test_firmware(self, conclude):
        told = conclude(firmware__throttled_flag=lambda t: float(t == 12), firmware__low_voltage_flag=lambda t: 0.0)
        assert the_only(told) == ("firmware", "firmware.throttled_flag", 12.0, "the firmware says: throttled")

    def test_frequency_fell_while_heat_and_latency_rose(self, conclude):
        told = conclude(**SLOWER, frequency__policy4_mhz=lambda t: 1000.0)
        kind, series, _, text = the_only(told)
        assert (kind, series) == ("slowdown", "frequency.policy0_mhz")
        assert "policy0 fell from 2000 to 1500 MHz" in text
        assert "cpu rose by" in text
        assert "from 100 to 80 inferences/s" in text

    @pytest.mark.parametrize(
        "missing",
        [
            {"speed": lambda t: 100},
            {"frequency__policy0_mhz": lambda t: 2000.0 - (t > 30)},
            {"temperature__cpu_celsius": lambda t: 60.0 - t / 2},
        ],
    )
    def test_two_of_three_are_no_evidence(self, conclude, missing):
        told = conclude(**SLOWER | missing)
        assert throttling(told) == (False, [], ["slowdown"])

    def test_frequency_and_temperature_alone_in_a_short_run(self, conclude):
        assert conclude(**SLOWER, seconds=8)["throttled"] is None


class TestReading:
    def test_torn_and_strange_lines(self, tmp_path):
        """What makes sense is kept; no number that cannot be calculated with gets through."""
        rows = [
            json.dumps(HEAD), '{"t_s": 0, "samples": 0, "a": 1}', "\0\0\0", "[1, 2]",
            '{"t_s": 1, "samples": 5, "a": NaN}',
            '{"t_s": 2, "samples": 6, "a": 1e999, "b": true, "c": "x", "d": [1], "e": 7}',
            '{"t_s": 1.5, "samples": 7, "e": 9}',
            '{"t_s": -1, "samples": 7}', "[" * 60000, '{"samples": 3}', '{"t_s": 3, "samples": 8, "a": 2.5}',
            '{"t_s": 4, "sam',
        ]  # fmt: skip
        path = tmp_path / timeline.FILE
        path.write_bytes("\n".join(rows).encode() + b"\xff\xfe")
        told = timeline.read(path)
        assert [*told.answered.times] == [0.0, 1.0, 2.0, 3.0]
        assert {name: [*zip(one.times, one.values, strict=True)] for name, one in told.series.items()} == {
            "a": [(0.0, 1.0), (3.0, 2.5)], "e": [(2.0, 7.0)],
        }  # fmt: skip

    @pytest.mark.parametrize("content", [None, b"", b"\0" * 4096, b"{", json.dumps(HEAD).encode()])
    def test_nothing_in_it(self, tmp_path, content):
        path = tmp_path / timeline.FILE
        if content is not None:
            path.write_bytes(content)
        told = summary.of(timeline.read(path))
        assert (told["rows"], told["series"], told["energy"]) == (0, {}, [])

    def test_a_folder(self, tmp_path):
        assert len(timeline.read(tmp_path).answered) == 0

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_whatever_a_file_holds(self, tmp_path_factory, data):
        """Nothing is raised, and the summary can be written as JSON without NaN."""
        names = st.sampled_from([
            "t_s", "samples", "frequency.policy0_mhz", "temperature.cpu_celsius", "cap.p_mhz", "hardware.p_mhz",
            "telemetry", "throttle.cpu0.core_count", "cooling.cpu_state", "firmware.x_flag", "battery.battery_percent",
            "battery.battery_volts", "battery.battery_amperes", "battery.discharging_flag", "power.external_flag",
            "energy.rapl.package-0_joules", "energy.rapl.package-1_joules", "energy.plugin.npu_joules",
            "energy_includes",
        ])  # fmt: skip
        value = st.one_of(
            st.integers(-3, 40), st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=3)
        )
        rows = data.draw(st.lists(st.dictionaries(names, value, max_size=12), max_size=30))
        for number, row in enumerate(rows):
            if data.draw(st.booleans()):
                row |= {"t_s": number, "samples": number}
        path = tmp_path_factory.mktemp("t") / timeline.FILE
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        json.dumps(summary.of(timeline.read(path)), allow_nan=False)

    @pytest.mark.slow
    def test_a_file_without_end(self, tmp_path, monkeypatch):
        """More than may be read, without a line break and with: not all of it is kept."""
        assert timeline._MOST_BYTES == 64 << 20
        monkeypatch.setattr(timeline, "_MOST_BYTES", 8 << 20)
        path = tmp_path / timeline.FILE
        with path.open("wb") as file:
            file.truncate(40 << 20)
        assert len(timeline.read(path).answered) == 0
        values = json.dumps({f"s{n}": 1 for n in range(100)})[1:]
        with path.open("w") as file:
            file.writelines(f'{{"t_s": {number}, "samples": {number}, {values}\n' for number in range(12_000))
        told = timeline.read(path)
        line = path.stat().st_size / 12_000
        assert len(told.answered) == pytest.approx((8 << 20) / line, abs=200)


class Counter:
    """A plugin's energy counter of 1 J a reading, which can be broken in several ways."""

    energy_includes = "a stand-in"

    def __init__(self, broken=None):
        self.joules, self.broken = 100.0, broken

    def energy_joules(self):
        self.joules += 1.0
        return self.broken(self.joules) if self.broken else self.joules


def rows_in(folder):
    return len((folder / timeline.FILE).read_text().splitlines()) - 1


def until_rows(folder, count):
    """Wait until so many rows are written, however busy the machine is."""
    deadline = time.monotonic() + 200
    while rows_in(folder) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def summed(folder):
    return summary.of(timeline.read(folder / timeline.FILE))


@contextmanager
def recording(folder, interval, answered=lambda: 0, counters=None, root=ROOT, limit_s=60.0):
    """A recorder at work, in a thread of its own as in a run; what keeps it."""
    run = ObservedRun(SimpleNamespace(telemetry_interval_s=interval), folder, answered, counters or {})
    with watched(Recorder(root=root), run, limit_s=limit_s) as kept:
        yield kept


class TestRecorder:
    @pytest.fixture
    def root(self, tmp_path):
        """A device with one clock and one sensor."""
        for path, value in (
            ("cpufreq/policy0/scaling_cur_freq", 1500000),
            ("../../../class/thermal/thermal_zone0/temp", 41000),
        ):
            file = (tmp_path / "root/sys/devices/system/cpu" / path).resolve()
            file.parent.mkdir(parents=True)
            file.write_text(f"{value}\n")
        return tmp_path / "root"

    def test_rows_while_it_runs(self, tmp_path, root):
        """At the start, each interval and at the end; a run that is killed keeps those it has."""
        answered, started = [0], time.monotonic()
        with recording(tmp_path, 0.02, lambda: answered[0], root=root) as kept:
            early = (tmp_path / timeline.FILE).read_text().splitlines()
            assert json.loads(early[1])["frequency.policy0_mhz"] == 1500.0
            until_rows(tmp_path, 6)
            answered[0] = 20
        most = (time.monotonic() - started) / 0.02
        told = summed(tmp_path)
        lines = [json.loads(line) for line in (tmp_path / timeline.FILE).read_text().splitlines()]
        assert lines[0] == {"telemetry": 1, "interval_s": 0.02, "energy_includes": {}}
        assert 7 <= len(lines) - 1 <= most + 3
        assert lines[-1]["samples"] == 20
        assert [row["t_s"] for row in lines[1:]] == sorted(row["t_s"] for row in lines[1:])
        assert told["temperature"] == {
            "sensor": "thermal_zone0",
            **dict.fromkeys(("first_celsius", "max_celsius", "last_celsius"), 41.0),
        }
        assert "trouble" not in told
        assert kept.trouble == ""

    def test_off(self, tmp_path):
        with recording(tmp_path, 0):
            time.sleep(0.05)
        assert Telemetry.of(tmp_path) is None
        assert not (tmp_path / timeline.FILE).exists()

    def test_nothing_stays_open(self, tmp_path, root):
        before = set(os.listdir("/proc/self/fd"))
        with recording(tmp_path, 0.01, root=root):
            assert set(os.listdir("/proc/self/fd")) > before
        assert len(os.listdir("/proc/self/fd")) == len(before)
        assert not [t for t in threading.enumerate() if t.name == "observer"]

    def test_the_run_s_own_failure_comes_out(self, tmp_path, root):
        with pytest.raises(ZeroDivisionError), recording(tmp_path, 0.01, root=root):
            raise ZeroDivisionError
        assert len((tmp_path / timeline.FILE).read_text().splitlines()) >= 3

    def test_a_plugin_s_counter(self, tmp_path, root):
        """1 J a row, however many rows there were; four samples in it."""
        answered = [0]
        with recording(tmp_path, 0.01, lambda: answered[0], {"npu": Counter()}, root):
            for _ in range(6):
                answered[0] += 1
                until_rows(tmp_path, rows_in(tmp_path) + 2)  # the next one may have counted before
        (energy,) = summed(tmp_path)["energy"]
        assert (energy["source"], energy["includes"]) == ("plugin npu", "a stand-in")
        rows = timeline.read(tmp_path / timeline.FILE).series["energy.plugin.npu_joules"]
        assert [*rows.values] == [101.0 + n for n in range(len(rows))]

    @pytest.mark.parametrize(
        ("broken", "trouble"),
        [
            (lambda j: 1 / 0, "ZeroDivisionError"),
            (lambda j: "much", "ValueError"),
            (lambda j: math.nan, None),
            (lambda j: None, "TypeError"),
        ],
    )
    def test_a_counter_that_is_broken(self, tmp_path, root, broken, trouble):
        """Its series ends, and it is not asked again when it raises; the others go on."""
        counter = Counter(broken)
        with recording(tmp_path, 0.01, counters={"npu": counter}, root=root):
            until_rows(tmp_path, 20)
        told = summed(tmp_path)
        assert set(told["series"]) >= {"frequency.policy0_mhz"}
        assert "energy.plugin.npu_joules" not in told["series"]
        assert len(timeline.read(tmp_path / timeline.FILE).series["frequency.policy0_mhz"]) > 2
        assert (trouble or "None") in str(told.get("trouble"))
        assert (counter.joules == 101.0) is bool(trouble)

    @pytest.mark.slow
    def test_a_counter_that_never_answers(self, tmp_path, root):
        """The run does not wait for it."""
        release, calls = threading.Event(), []

        def slow(joules):
            calls.append(joules)
            if len(calls) > 1:
                release.wait()
            return joules

        with recording(tmp_path, 0.01, counters={"npu": Counter(slow)}, root=root, limit_s=2.0) as kept:
            while len(calls) < 2:
                assert not kept.trouble
                time.sleep(0.005)
        assert kept.trouble == "end did not return within 2 s"
        release.set()
        kept.join()
        assert rows_in(tmp_path) >= 1

    def test_a_folder_that_cannot_be_written(self, tmp_path, root):
        with recording(tmp_path / "none", 0.01, root=root) as kept:
            pass
        assert "FileNotFoundError" in kept.trouble

    def test_a_disk_that_is_full(self, tmp_path, root):
        """/dev/full stands for it: every write fails."""
        (tmp_path / timeline.FILE).symlink_to("/dev/full")
        with recording(tmp_path, 0.01, root=root) as kept:
            pass
        assert "No space left" in kept.trouble

    def test_a_slow_source_is_read_less_often(self, tmp_path, root):
        """20 ms of work for one reading, at 0.1 % of the time, are read again after 20 s; the others sooner."""

        def costly(joules):
            end = time.thread_time() + 0.02
            while time.thread_time() < end:
                pass
            return joules

        with recording(tmp_path, 0.01, counters={"npu": Counter(costly)}, root=root):
            until_rows(tmp_path, 30)
        told = timeline.read(tmp_path / timeline.FILE).series
        assert len(told["energy.plugin.npu_joules"]) == 2  # at the start and at the end
        assert len(told["frequency.policy0_mhz"]) >= 4

    @pytest.mark.slow
    def test_a_long_run_is_recorded_less_often(self, tmp_path, root, monkeypatch):
        monkeypatch.setattr(recorder, "ROWS_BEFORE_SLOWER", 5)
        with recording(tmp_path, 0.01, root=root):
            until_rows(tmp_path, 10)
            time.sleep(0.6)
        assert rows_in(tmp_path) <= 35  # 70 without it

    def test_a_rate_that_would_disturb(self, tmp_path, root):
        """A row each microsecond was asked for; there are no more than a hundred a second."""
        started = time.monotonic()
        with recording(tmp_path, 1e-6, root=root):
            time.sleep(0.2)
        assert rows_in(tmp_path) <= (time.monotonic() - started) * 100 + 3

    def test_its_thread_steps_back(self, tmp_path, root):
        """Its priority is lower than that of the others."""
        with recording(tmp_path, 0.01, root=root):
            until_rows(tmp_path, 2)
            (thread,) = [t for t in threading.enumerate() if t.name == "observer"]
            own = os.getpriority(os.PRIO_PROCESS, 0)
            assert own < os.getpriority(os.PRIO_PROCESS, thread.native_id) or own == 19
