"""What Android prints is read, in the formats that phones are documented to use; anything else gives nothing.

The outputs are those of AOSP's sources (BatteryService, ThermalManagerService, DeviceIdleController, toybox) and of
phones, as published in issues and articles.
"""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile_device_adb import listing, probes, readings
from mlperf_mobile_device_adb.settings import SETTINGS, Changed
from mlperf_mobile_device_adb.testing import services
from mlperf_mobile_device_adb.testing.profile import Body, Profile

SAMSUNG = """Current Battery Service state:
  mBootCompleted: true
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 0
  status: 2
  health: 2
  present: true
  level: 84
  scale: 100
  voltage: 4063
  temperature: 326
  technology: Li-ion
  batterySWSelfDischarging: false
  mSecPlugTypeSummary: 2
  LED Charging: true
  current now: 321
  charge counter: 0
  BatteryInfoBackUp
  mSavedBatteryMaxTemp: 490
"""
UNPLUGGED = """Current Battery Service state:
  (UPDATES STOPPED -- use 'reset' to restart)
  AC powered: false
  USB powered: false
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5024000
  Charge counter: 4
  status: 5
  health: 2
  present: true
  level: 100
  scale: 100
  voltage: 4364
  temperature: 290
  technology: Li-poly
"""
BOX = """Current Battery Service state:
  AC powered: true
  USB powered: false
  Wireless powered: false
  status: 2
  present: false
  level: 90
  scale: 100
  voltage: 13
  temperature: 26
"""
PIXEL = """IsStatusOverride: false
ThermalEventListeners:
	callbacks: 2
	killed: false
	broadcasts count: -1
ThermalStatusListeners:
	callbacks: 1
Thermal Status: 1
Cached temperatures:
	Temperature{mValue=65.0, mType=0, mName=MID, mStatus=0}
HAL Ready: true
HAL connection:
	ThermalHAL AIDL 1  connected: yes
Current temperatures from HAL:
	Temperature{mValue=23.793081, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
	Temperature{mValue=39.5, mType=3, mName=VIRTUAL-SKIN-HINT, mStatus=1}
	Temperature{mValue=22.373001, mType=4, mName=VIRTUAL-USB-UI, mStatus=0}
	Temperature{mValue=62.500004, mType=0, mName=CPU0, mStatus=0}
	Temperature{mValue=61.000004, mType=1, mName=GPU, mStatus=0}
	Temperature{mValue=30.0, mType=10, mName=TPU, mStatus=0}
	Temperature{mValue=4200.0, mType=6, mName=voltage, mStatus=0}
	Temperature{mValue=-5700.0, mType=-1, mName=virtual, mStatus=0}
	Temperature{mValue=0.0, mType=2, mName=battery2, mStatus=0}
Current cooling devices from HAL:
	CoolingDevice{mValue=0, mType=5, mName=tpu_cooling}
	Temperature{mValue=88.0, mType=0, mName=wrong, mStatus=3}
"""


class TestBattery:
    def test_a_phone_on_a_cable(self):
        found = readings.battery(SAMSUNG)
        assert (found.percent, found.temperature_c, found.voltage_mv) == (84.0, 32.6, 4063)
        assert (found.status, found.charger, found.present, found.is_supplied) == ("charging", "usb", True, True)

    def test_a_faked_state_is_no_evidence(self):
        """``dumpsys battery unplug`` changes what is reported, not what supplies the phone."""
        found = readings.battery(UNPLUGGED)
        assert (found.faked, found.charger, found.is_supplied) == (True, "none", None)

    def test_a_box_without_a_battery(self):
        """It reports volts where phones report millivolts."""
        found = readings.battery(BOX)
        assert (found.present, found.charger, found.voltage_mv) == (False, "ac", None)

    def test_on_battery(self):
        off = SAMSUNG.replace("USB powered: true", "USB powered: false").replace("status: 2", "status: 3")
        found = readings.battery(off)
        assert (found.charger, found.is_supplied, found.status) == ("none", False, "discharging")

    @pytest.mark.parametrize(
        "line", ["level: 101", "level: -1", "level: 8.4", "level: ٨", "level: 99999999999999999999"]
    )
    def test_an_impossible_level(self, line):
        assert readings.battery(SAMSUNG.replace("level: 84", line)).percent is None

    @pytest.mark.parametrize(
        "output", ["", "Can't find service: battery", "Permission Denial: can't dump BatteryService"]
    )
    def test_a_refusal(self, output):
        assert readings.battery(output) == readings.Battery()

    @given(st.floats(0, 100), st.floats(0, 60), st.sampled_from(["usb", "ac", "wireless", "none"]), st.booleans())
    def test_the_stand_in_is_read_as_what_it_is(self, percent, warmth, charger, is_faked):
        body = Body(Profile(battery_percent=percent, charger=charger))
        body.warmth_c = warmth
        found = readings.battery(services.battery(body, is_faked))
        assert found.percent == int(percent)
        assert found.temperature_c == pytest.approx(body.battery_c, abs=0.051)
        assert found.is_supplied is (None if is_faked else charger != "none")


class TestThermal:
    def test_current_temperatures_of_the_hal(self):
        found = readings.thermal(PIXEL)
        assert found.status == 1
        assert set(found.temperatures) == {
            "VIRTUAL-SKIN", "VIRTUAL-SKIN-HINT", "VIRTUAL-USB-UI", "CPU0", "GPU", "TPU"
        }  # fmt: skip
        assert found.hottest("skin") == 39.5
        assert found.hottest("cpu") == 62.500004
        assert found.hottest("npu") is None

    def test_cached_temperatures_when_there_are_no_others(self):
        cached = PIXEL.partition("HAL Ready")[0]
        assert readings.thermal(cached).temperatures == {"MID": ("cpu", 65.0)}

    @pytest.mark.parametrize(
        "output", ["", "Can't find service: thermalservice", "Thermal Status: 9", "Thermal Status: x"]
    )
    def test_android_before_10(self, output):
        assert readings.thermal(output) == readings.Thermal()

    def test_zones(self):
        told = "battery 31000\ncpu-0-0 54321\nskin 33\nbroken \nnone 0\nfar 900000\n cpu-0-0 1\n/no/such: x y\n"
        assert readings.zones(told) == {"battery": 31.0, "cpu-0-0": 54.321, "skin": 33.0}

    def test_cores(self):
        told = "cpu0|schedutil|1804800|1804800|2000000\ncpu7|walt|||3200000\ncpu8||||\nrubbish\ncpux|a|1|2|3\n"
        assert readings.cores(told) == {
            "cpu0": readings.Core("schedutil", 1804.8, 1804.8, 2000.0),
            "cpu7": readings.Core("walt", None, None, 3200.0),
        }  # fmt: skip


class TestOthers:
    def test_properties(self):
        told = "[ro.product.model]: [Pixel 9]\n[ro.soc.model]: []\n[a b]: [c]\n[m]: [line\nmore]\n[x]: [a]b]\r\n"
        assert readings.properties(told) == {"ro.product.model": "Pixel 9", "ro.soc.model": "", "x": "a]b"}

    @pytest.mark.parametrize(
        ("told", "word"),
        [("  mWakefulness=Awake\n", "awake"), ("  mWakefulness=Dozing", "dozing"), ("mWakefulness=Elsewhere", ""),
         ("  mWakefulnessChanging=false\n  mWakefulness=Asleep\n", "asleep"), ("", "")],
    )  # fmt: skip
    def test_wakefulness(self, told, word):
        assert readings.wakefulness(told) == word

    def test_doze(self):
        assert readings.doze("  mLightEnabled=true  mDeepEnabled=false\n  mState=IDLE mLightState=OVERRIDE\n") == (
            readings.Doze(light=True, deep=False, state="idle")
        )
        assert readings.doze("") == readings.Doze()

    @pytest.mark.parametrize(
        ("told", "free"),
        [
            ("Filesystem      1K-blocks     Used Available Use% Mounted on\n"
             "/dev/block/dm-5 114129896 37562328  76436496  33% /data/user/0\n", 76436496 * 1024),
            ("Filesystem           1K-blocks    Used Available Use% Mounted on\n"
             "/dev/block/by-name/a_long_name\n                      25585400 9000000  16585400  36% /data\n",
             16585400 * 1024),
            ("Filesystem   Size   Used   Free   Blksize\n/data  12.0G     1.0G    11.0G   4096\n", None),
            ("df: /data/local/tmp: Permission denied\n", None),
            ("", None),
        ],
    )  # fmt: skip
    def test_free_storage(self, told, free):
        assert readings.free_bytes(told) == free

    def test_mount_options_of_the_nearest_mount(self):
        told = (
            "/dev/root / ext4 ro,seclabel 0 0\n/dev/block/dm-5 /data f2fs rw,nosuid,nodev 0 0\n"
            "/dev/fuse /storage/emulated fuse rw,noexec 0 0\nbroken\n"
        )
        assert readings.mount_options(told, "/data/local/tmp/x") == {"rw", "nosuid", "nodev"}
        assert "noexec" in readings.mount_options(told, "/storage/emulated/0")
        assert readings.mount_options(told, "/database") == {"ro", "seclabel"}
        assert readings.mount_options("", "/data") == frozenset()

    def test_boot_id(self):
        right = "920bb0c0-ef62-4c92-aa29-e6887450bcf4"
        assert readings.boot_id(f"{right}\n") == right
        assert readings.boot_id(f"{right} x") == readings.boot_id("no such file") == ""

    def test_memory(self):
        assert readings.memory_bytes("MemTotal:        7654321 kB\nMemFree: 1 kB\n") == 7654321 * 1024
        assert readings.memory_bytes("MemTotal: lots") is None


LISTING = """* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
R5CT10ABCDE            device usb:1-4.2 product:o1s model:SM_G991B device:o1s transport_id:3
192.168.1.5:5555       offline
emulator-5554          unauthorized transport_id:7
009d1cd696d5194a       no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com/tools/device.html] usb:1-2 transport_id:1
8144d0f2               no permissions; see [http://developer.android.com/tools/device.html] usb:1-3
adb-39211FDJG0-x._adb-tls-connect._tcp. device product:husky model:Pixel_8_Pro device:husky transport_id:9
TWIN                   device usb:2-1 product:a model:A device:a transport_id:4
TWIN                   device usb:2-2 product:a model:A device:a transport_id:5
(no serial number)     device usb:3-1 transport_id:11
something else entirely

"""  # noqa: E501


class TestListing:
    def test_devices_and_their_states(self):
        found = listing.parse(LISTING)
        assert [(each.serial, each.state) for each in found] == [
            ("R5CT10ABCDE", "device"), ("192.168.1.5:5555", "offline"), ("emulator-5554", "unauthorized"),
            ("009d1cd696d5194a", "no permissions"), ("8144d0f2", "no permissions"),
            ("adb-39211FDJG0-x._adb-tls-connect._tcp.", "device"), ("TWIN", "device"), ("TWIN", "device"),
            ("(no serial number)", "device"),
        ]  # fmt: skip
        assert (found[0].model, found[0].usb) == ("SM_G991B", "1-4.2")
        assert found[3].usb == "1-2"

    def test_every_other_state_has_a_reason_and_a_remedy(self):
        for each in listing.parse(LISTING):
            assert (each.trouble is None) == (each.state == "device")
            assert each.trouble is None or all(each.trouble)

    def test_a_serial_that_two_devices_have_and_their_ports(self):
        found = listing.parse(LISTING)
        assert len(listing.matching(found, "TWIN")) == 2
        assert [each.usb for each in listing.matching(found, "usb:2-2")] == ["2-2"]
        assert listing.matching(found, "R5CT") == []

    @pytest.mark.parametrize(
        ("serial", "is_network"),
        [("192.168.1.5:5555", True), ("phone.lab:5555", True), ("[fe80::1]:5555", True), ("R5CT", False),
         ("usb:1-4", False), ("usb:1", False), ("host:", False), (":5555", False), ("host:99999", False)],
    )  # fmt: skip
    def test_addresses(self, serial, is_network):
        assert listing.is_network(serial) is is_network

    @pytest.mark.parametrize(
        "text", ["", "List of devices attached\n", "error: cannot connect to daemon", "device device"]
    )
    def test_no_devices(self, text):
        assert listing.parse(text) == []


READERS = [
    readings.properties, readings.battery, readings.thermal, readings.zones, readings.cores, readings.wakefulness,
    readings.doze, readings.free_bytes, readings.memory_bytes, readings.boot_id, listing.parse,
    lambda text: readings.mount_options(text, "/data/local/tmp"), lambda text: probes.split(text.encode(), "abc"),
    lambda text: [setting.previous(dict.fromkeys(probes.PROBES, text)) for setting in SETTINGS.values()],
]  # fmt: skip
REAL = [SAMSUNG, UNPLUGGED, PIXEL, LISTING]


ODD = ("", "\0", "\n", "\x1b", "9" * 30, "}", "{", "\u202e")


def damaged(draw):
    """A real output with some of its characters replaced, removed or repeated."""
    text = draw(st.sampled_from(REAL))
    chance = random.Random(draw(st.integers(0, 2**32)))
    pieces = list(text)
    for _ in range(chance.randrange(1, 60)):
        place = chance.randrange(len(pieces))
        pieces[place] = chance.choice(
            ["", "\0", "\n", "\x1b", "9" * 30, "}", "{", "\u202e", pieces[place] * 3, *string.printable]
        )
    return "".join(pieces)


@given(st.one_of(st.text(), st.composite(damaged)()))
def test_no_reader_fails_or_passes_on_control_characters(text):
    for reader in READERS:
        shown = repr(reader(text))
        assert not any(sign in shown for sign in ("\\x1b", "\\x00", "\\u202e")) or reader in READERS[-2:]


LINES = (
    "[a]: [b]\n", "  a: b\n", "Temperature{mValue=1.0, mType=0, mName=x, mStatus=0}\n", " 0 0\n", "cpu0|a|1|1|1\n",
 "S device\n", "a b c d\n", "\n", " ", "0",
)  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_megabytes_are_read_in_linear_time(line):
    """A device may print anything: no reader takes a time that grows faster than the text."""
    text = "List of devices attached\nCurrent temperatures from HAL:\n" + line * (200_000 // len(line))
    for reader in READERS:
        reader(text)


WORDS = st.fixed_dictionaries(
    {}, optional={name: st.from_regex(setting.words, fullmatch=True) for name, setting in SETTINGS.items()}
)


KEYS = st.sampled_from(["schema", "host", "pid", "started", "previous", *SETTINGS])
RECORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(KEYS, inner), max_leaves=6
)
RESTORING = (
    "settings put global stay_on_while_plugged_in ", "settings delete global stay_on_while_plugged_in",
    "dumpsys deviceidle enable ", "cmd connectivity airplane-mode disable", "input keyevent KEYCODE_SLEEP",
)  # fmt: skip


class TestRecords:
    @given(WORDS, st.text(max_size=20), st.integers(1, 10**6))
    def test_a_record_is_read_as_it_was_written(self, previous, host, pid):
        changed = Changed(readings.text(host), pid, 1e9, previous)
        assert Changed.of(changed.record()) == changed

    @given(RECORDS)
    def test_a_foreign_record_restores_nothing_unexpected(self, record):
        changed = Changed.of(record)
        commands = changed.commands() if changed else ""
        assert all(line.startswith(RESTORING) for line in commands.splitlines())

    def test_a_word_with_a_command_in_it_is_left_out(self):
        record = {
            "schema": 1,
            "host": "h",
            "pid": 1,
            "started": 0,
            "previous": {"stay-awake": "0; reboot", "screen": "asleep"},
        }
        assert Changed.of(record).commands() == "input keyevent KEYCODE_SLEEP"

    def test_settings_are_restored_in_the_reverse_order(self):
        previous = {"airplane": "0", "doze": "light+deep", "stay-awake": "null", "screen": "dozing"}
        assert Changed("h", 1, 0, previous).commands().splitlines() == [
            "input keyevent KEYCODE_SLEEP", "settings delete global stay_on_while_plugged_in",
            "dumpsys deviceidle enable light", "dumpsys deviceidle enable deep",
            "cmd connectivity airplane-mode disable",
        ]  # fmt: skip
