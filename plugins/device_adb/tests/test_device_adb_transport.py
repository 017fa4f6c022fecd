"""The transport, with the real adb client, on stand-ins that behave and on stand-ins with faults."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile.errors import UsageError
from mlperf_mobile_device_adb import client, probes
from mlperf_mobile_device_adb.testing import StandIns
from mlperf_mobile_device_adb.transport import Adb

MEGABYTE = 1 << 20


def until(condition, seconds=120):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestCommands:
    @pytest.mark.parametrize(
        "argument", ["a b", "'", '"', "$HOME", "`id`", "a;b", "\\", "*", "ünï", "a\nb", "", "-n", "&& exit 3 #"]
    )
    def test_arguments_arrive_as_they_are(self, shared_device, argument):
        output = shared_device.run(["printf", "<%s>", argument])
        assert (output.returncode, output.stdout.decode(), output.stderr) == (0, f"<{argument}>", b"")

    @pytest.mark.parametrize("code", [0, 1, 77, 255])
    def test_exit_codes_and_streams(self, shared_device, code):
        output = shared_device.run(["sh", "-c", f"printf out; printf err >&2; exit {code}"])
        assert (output.returncode, output.stdout, output.stderr) == (code, b"out", b"err")

    @pytest.mark.parametrize("size", [1, 65537, 3 * MEGABYTE])
    def test_input_and_output_are_binary(self, shared_device, size):
        data = random.Random(size).randbytes(size)
        assert shared_device.run(["cat"], stdin=data).stdout == data

    def test_output_is_bounded(self, shared_device, monkeypatch):
        monkeypatch.setattr(client, "MOST_OUTPUT", MEGABYTE)
        with pytest.raises(DeviceError, match="printed more than"):
            client.shell(shared_device.connection.target, "yes", timeout_s=60, most=MEGABYTE)

    def test_a_command_that_hangs(self, shared_device):
        with pytest.raises(DeviceLost, match=r"did not answer within 0\.5 s"):
            shared_device.run(["sleep", "1000"], timeout_s=0.5)
        assert shared_device.run(["true"]).returncode == 0

    def test_output_that_looks_like_an_end(self, shared_device):
        """A device may print anything, also what the end of another command looked like."""
        text = "\n0123456789abcdef 0\n"
        assert shared_device.run(["printf", "%s", text]).stdout.decode() == text


class TestFacts:
    def test_every_row(self, phones, reached):
        phone = phones(charger="none", battery_percent=55, rooted=True, security="Permissive")
        phone.control("0 heat 46")
        facts = reached(phone).facts()
        assert (facts.usable, facts.reason, facts.address) == (True, "", f"adb:{phone.serials[0]}")
        assert (facts.manufacturer, facts.model, facts.serial) == ("MLPerf Mobile", "Stand-in 1", "STANDIN0001")
        assert (facts.soc, facts.os, facts.abi) == ("SI9999", "Android 15", os.uname().machine)
        assert (facts.thermal_status, facts.charging) == (3, False)
        assert facts.battery_percent == pytest.approx(55, abs=1)
        assert facts.temperature_c == pytest.approx(24 + 0.7 * 22, abs=1)
        assert facts.free_bytes == 16 << 30
        assert len(facts.boot_id) == 36
        more = facts.more
        assert (more["screen"], more["doze.light_enabled"], more["doze.deep_enabled"]) == ("asleep", True, True)
        assert (more["selinux"], more["su"], more["uid"]) == ("permissive", True, 2000)
        assert (more["airplane_mode"], more["battery.charger"], more["android.sdk"]) == (False, "none", 35)
        assert more["cpu3.mhz"] == pytest.approx(3200 * (1 - 3 * 0.15), abs=1)
        assert (more["cpu3.max_mhz"], more["cpu3.governor"], more["memory_bytes"]) == (3200.0, "schedutil", 8 << 30)
        assert abs(more["clock.ahead_s"]) <= 2

    def test_an_older_soc_is_named_by_its_board(self, phones, reached):
        """Before Android 12 there is no ro.soc.model."""
        phone = phones(sdk=29, android="10", soc="OLD1")
        assert reached(phone).facts().soc == "OLD1"  # of /sys/devices/soc0
        phone.control("0 remove /sys/devices/soc0")
        assert reached(phone).facts().soc == "standin"

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("behaviour", ["missing", "denied", "nothing", "garbage", "flood"])
    def test_commands_that_do_not_work(self, phone, device, behaviour):
        """Each may be missing, print garbage or megabytes: the other facts are there."""
        for command in ("dumpsys", "settings", "getenforce", "id", "df", "uname"):
            phone.control(f"0 replace {command} {behaviour}")
        facts = device.facts()
        assert (facts.usable, facts.model, facts.temperature_c) == (True, "Stand-in 1", pytest.approx(42, abs=5))
        assert (facts.thermal_status, facts.battery_percent, facts.charging) == (None, None, None)
        assert facts.free_bytes is None
        assert all(
            not isinstance(value, str) or (len(value) <= 128 and value.isprintable()) for value in facts.more.values()
        )

    def test_properties_that_do_not_work(self, phone, device):
        phone.control("0 replace getprop garbage")
        facts = device.facts()
        assert (facts.usable, facts.model, facts.abi) == (True, "", os.uname().machine)

    def test_a_command_that_hangs(self, phone, device):
        phone.control("0 replace getenforce hang")
        facts = device.facts()
        assert facts.model == "Stand-in 1"
        assert "selinux" not in facts.more
        assert facts.more["airplane_mode"] is False

    def test_files_that_cannot_be_read(self, phone, device):
        phone.control("0 remove /sys")
        facts = device.facts()
        assert facts.temperature_c == pytest.approx(24, abs=1)  # the battery's
        assert not any(name.startswith(("zone.", "cpu0")) for name in facts.more)

    def test_a_property_with_control_characters(self, phone, device):
        phone.control("0 property ro.product.model '\x1b[31mred'")
        assert device.facts().model == "\ufffd[31mred"

    def test_an_android_that_is_too_old(self, phones, reached):
        facts = reached(phones(sdk=25, android="7.1.2")).facts()
        assert not facts.usable
        assert facts.reason.startswith("Android 7.1.2 (API 25) is too old: its shell lacks sha256sum")
        assert "Android 8.0" in facts.fix

    def test_a_shell_that_lacks_something(self, shared_device, monkeypatch):
        monkeypatch.setitem(probes.PROBES, "tools", probes.lacking(["cat", "no-such-tool", "head"]))
        facts = shared_device.facts()
        assert (facts.usable, facts.reason) == (False, "its shell lacks no-such-tool")

    def test_a_folder_whose_programs_cannot_run(self, shared_device, monkeypatch):
        monkeypatch.setitem(probes.PROBES, "mounts", f"echo x {shared_device.connection.tmp} f2fs rw,noexec 0 0")
        facts = shared_device.facts()
        assert (facts.usable, "noexec" in facts.reason) == (False, True)

    def test_discovery_shows_what_cannot_be_used_and_why(self, phones, reached):
        both = phones(2)
        reached(both)
        both.control("1 unauthorise")
        until(lambda: "unauthorized" in both.run("devices").stdout)
        found = {facts.address: facts for facts in Adb.discover()}
        first, second = (found[f"adb:{serial}"] for serial in both.serials)
        assert (first.usable, first.serial) == (True, "STANDIN0001")
        assert (second.usable, second.reason) == (False, "has not authorised this computer")
        assert "accept the key" in second.fix


class TestTrouble:
    def test_no_adb(self, monkeypatch):
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(DeviceError, match="adb is not installed") as caught:
            Adb("x").__enter__()
        assert "apt-get install adb" in caught.value.hint

    def test_no_such_serial(self, shared_phones, reached):
        reached(shared_phones)
        with pytest.raises(DeviceError, match="adb sees no device R5CT") as caught:
            Adb("R5CT").__enter__()
        assert caught.value.code == "device-unknown"
        assert shared_phones.serials[0] in caught.value.hint

    def test_an_address_where_nothing_listens(self, shared_phones, reached):
        reached(shared_phones)
        with pytest.raises(DeviceError, match="refused") as caught:
            Adb("127.0.0.1:1").__enter__()
        assert caught.value.code == "device-unknown"

    def test_an_address_is_connected_to(self, phone, device):
        """Users need not call ``adb connect``."""
        phone.run("disconnect", phone.serials[0])
        assert device.run(["true"]).returncode == 0

    def test_two_devices_of_one_name(self, shared_phones, reached):
        reached(shared_phones)
        with pytest.raises(DeviceError, match="several connected devices") as caught:
            client.shell("model:Stand_in_1", "true", timeout_s=20)
        assert caught.value.code == "device-ambiguous"
        assert "adb:usb:PORT" in caught.value.hint

    def test_an_unauthorised_computer(self, phone, device):
        phone.control("0 unauthorise")
        until(lambda: "unauthorized" in phone.run("devices").stdout)
        with pytest.raises(DeviceError, match="has not authorised this computer") as caught:
            device.run(["true"])
        assert caught.value.code == "device-unusable"
        phone.control("0 authorise")
        phone.connect()
        assert device.run(["true"]).returncode == 0

    def test_an_offline_device_may_return(self, phone, device, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_device_adb.connection.SETTLE_S", 0.3)
        phone.control("0 offline")
        for _ in range(2):
            with pytest.raises(DeviceLost):
                device.run(["true"])
        phone.control("0 online")
        phone.connect()
        assert device.run(["true"]).returncode == 0

    def test_an_android_before_7(self, phones, reached):
        with pytest.raises(DeviceError, match=r"older than 7\.0"):
            reached(phones(has_shell_v2=False))

    @pytest.mark.parametrize("delay", [0.0, 0.1, 0.4])
    def test_a_cable_that_is_pulled_is_never_success(self, phone, device, delay):
        """The client's exit code is 0 then; nothing is believed but the device's own word."""
        phone.control(f"0 drop when command {delay} exec.sleep")
        with pytest.raises(DeviceLost):
            device.run(["sh", "-c", "echo began; exec sleep 1000"])
        phone.connect()
        assert device.run(["echo", "back"]).stdout == b"back\n"

    @pytest.mark.parametrize("target", ["-s", "", "a b", "a;b", "$(id)", "x" * 256, "ü", "a\nb"])
    def test_what_is_not_a_serial(self, target):
        with pytest.raises(UsageError) as caught:
            Adb(target)
        assert caught.value.code == "bad-device"


def test_the_transport_is_offered(adb):
    from mlperf_mobile.registry import Registry

    info = Registry().transports["adb"].info
    assert info.transport.load() is Adb


def test_no_fault_is_left_in_the_kit(adb):
    """Stand-ins of a test leave neither processes nor files."""
    with StandIns() as phone:
        folder = Path(phone.state()["folder"])
        assert folder.is_dir()
    assert not folder.exists()
