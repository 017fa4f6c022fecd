"""Settings of a phone: written down, changed, and restored, whatever ends the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile.errors import UsageError
from mlperf_mobile_device_adb import holding
from mlperf_mobile_device_adb.transport import Adb


def the_settings(phone):
    script = "settings get global stay_on_while_plugged_in; dumpsys deviceidle enabled; dumpsys power | grep mWake"
    return phone.run("-s", phone.serials[0], "shell", script).stdout.split()


class TestSettings:
    def test_they_are_held_and_restored(self, phone, device):
        before = the_settings(phone)
        with device.hold() as warnings:
            assert (warnings, the_settings(phone)) == ([], ["15", "0", "mWakefulness=Awake"])
        assert the_settings(phone) == before == ["null", "1", "mWakefulness=Asleep"]

    def test_what_was_set_before_stays(self, phone, device):
        device.run(["settings", "put", "global", "stay_on_while_plugged_in", "2"])
        device.run(["input", "keyevent", "KEYCODE_WAKEUP"])
        with device.hold():
            pass
        assert the_settings(phone) == ["2", "1", "mWakefulness=Awake"]

    def test_they_are_restored_after_an_error(self, phone, device):
        with pytest.raises(ZeroDivisionError), device.hold():
            1 / 0  # noqa: B018
        assert the_settings(phone)[1] == "1"

    @pytest.mark.parametrize("lost", ["host", "device"])
    def test_a_command_that_was_killed_is_followed_by_one_that_restores(self, phone, device, lost, tmp_path):
        """Also if only one of the two records is left, and if nobody has collected the command's exit code yet."""
        program = (
            "import os, sys, signal\nfrom mlperf_mobile_device_adb.transport import Adb\n"
            f"with Adb({phone.serials[0]!r}) as adb, adb.hold():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        killed = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **phone.env})
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        assert the_settings(phone) == ["15", "0", "mWakefulness=Awake"]
        records = list((tmp_path / "state").rglob("adb-*.json"))
        assert len(records) == 1
        if lost == "host":
            records[0].unlink()
        else:
            device.run(["rm", f"{device.root}/settings.json"])
        with Adb(phone.serials[0]):
            assert the_settings(phone) == ["null", "1", "mWakefulness=Asleep"]
        assert killed.wait() == -signal.SIGKILL
        assert list((tmp_path / "state").rglob("adb-*.json")) == []
        assert device.run(["ls", f"{device.root}/settings.json"]).returncode != 0

    def test_a_device_that_was_lost_is_restored_when_it_is_back(self, phone, device, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_device_adb.connection.SETTLE_S", 0.2)
        with pytest.raises(DeviceLost), device.hold():
            phone.control("0 offline")
        phone.control("0 online")
        phone.connect()
        assert the_settings(phone)[1] == "0"
        with Adb(phone.serials[0]):
            assert the_settings(phone) == ["null", "1", "mWakefulness=Asleep"]

    def test_one_command_at_a_time(self, phone, device):
        with device.hold(), pytest.raises(DeviceError, match="is in use") as caught, Adb(phone.serials[0]) as other:
            assert the_settings(phone)[1] == "0"  # connecting restored nothing: the command lives
            other.hold().__enter__()
        assert caught.value.code == "device-busy"
        assert the_settings(phone)[1] == "1"

    def test_one_that_was_connected_before(self, phone, device):
        """What is written down on the device counts, not what was there when it was connected."""
        with Adb(phone.serials[0]) as earlier:
            with device.hold(), pytest.raises(DeviceError, match="is in use"):
                earlier.hold().__enter__()
            with earlier.hold():
                assert the_settings(phone)[1] == "0"

    def test_another_computer_holds_it(self, phone, device):
        record = {"schema": 1, "host": "elsewhere", "pid": 1, "started": 0, "previous": {"doze": "light+deep"}}
        device.run(["dumpsys", "deviceidle", "disable"])
        device.run(["sh", "-c", f"cat > {device.root}/settings.json"], stdin=json.dumps(record).encode())
        with Adb(phone.serials[0]) as other:
            assert the_settings(phone)[1] == "0"
            with pytest.raises(DeviceError, match="process 1 on elsewhere"):
                other.hold().__enter__()
            assert other.restore() == ("doze",)
            assert the_settings(phone)[1] == "1"
            assert other.restore() == ()

    def test_a_setting_that_cannot_be_read_is_left_alone(self, phone, device):
        phone.control("0 replace settings denied")
        with device.hold() as warnings:
            assert warnings == ["stay-awake cannot be read on the device, and was left as it is"]

    def test_a_setting_that_does_not_change(self, phone, device):
        phone.control("0 replace input nothing")
        phone.control("0 replace svc nothing")
        with device.hold() as warnings:
            assert len(warnings) == 2
            assert "screen is asleep on the device, and could not be changed" in warnings

    def test_airplane_mode_only_by_cable(self, phone, device, monkeypatch):
        with pytest.raises(DeviceError, match="would cut the connection") as caught:
            device.hold(["airplane"]).__enter__()
        assert caught.value.code == "device-settings"
        monkeypatch.setattr("mlperf_mobile_device_adb.listing.is_wireless", lambda serial: False)
        with device.hold(["airplane"]) as warnings:
            assert warnings == []
            assert device.facts().more["airplane_mode"] is True
        assert device.facts().more["airplane_mode"] is False

    def test_an_unknown_setting(self, device):
        with pytest.raises(UsageError, match="volume"):
            device.hold(["volume"]).__enter__()

    def test_a_reboot_meanwhile(self, phone, device):
        with device.hold():
            phone.control("0 reboot 0.2")
            phone.connect()
        assert the_settings(phone) == ["null", "1", "mWakefulness=Asleep"]
        assert holding.left_behind(device.connection) is None

    def test_full_storage_changes_nothing(self, phone, device):
        phone.control("0 fill 0")
        with pytest.raises(DeviceError, match="cannot be written"):
            device.hold().__enter__()
        assert the_settings(phone) == ["null", "1", "mWakefulness=Asleep"]
