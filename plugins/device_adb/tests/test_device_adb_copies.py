"""Copies to and from stand-ins: complete and checked, or not there; continued after an interruption."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile_device_adb import copying

MEGABYTE = 1 << 20


def a_file(path, size, seed=1):
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def on_device(adb, path):
    """The device's own digest of a file."""
    return adb.run(["sha256sum", path]).stdout.decode().split()[0]


class TestCopies:
    @pytest.mark.parametrize("size", [0, 1, 1000, MEGABYTE, 2 * MEGABYTE, 2 * MEGABYTE + 1])
    def test_there_and_back(self, shared_device, tmp_path, monkeypatch, size):
        monkeypatch.setattr(copying, "SEGMENT", MEGABYTE)
        source, seen = a_file(tmp_path / "source file", size), []
        target = f"{shared_device.root}/it's a 'file'"
        shared_device.push(source, target, seen.append)
        assert on_device(shared_device, target).lstrip("\\") == sha256(source)
        assert seen == sorted(seen)
        assert seen[-1] == size
        shared_device.pull(target, tmp_path / "back")
        assert sha256(tmp_path / "back") == sha256(source)
        assert [path.name for path in tmp_path.iterdir() if path.name.endswith("part")] == []
        listed = shared_device.run(["ls", shared_device.root]).stdout.decode().split("\n")
        assert not [name for name in listed if ".part" in name]
        shared_device.remove(target)

    def test_a_program_stays_one(self, shared_device, tmp_path):
        (tmp_path / "tool").write_text("#!/bin/sh\necho ran\n")
        (tmp_path / "tool").chmod(0o755)
        shared_device.push(tmp_path / "tool", f"{shared_device.root}/tool")
        assert shared_device.run([f"{shared_device.root}/tool"]).stdout == b"ran\n"

    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("after", [0, 1, MEGABYTE // 2, MEGABYTE - 100_000])
    @pytest.mark.parametrize("fault", ["drop", "unplug 0.3", "reboot 0.3"])
    def test_an_interrupted_push_goes_on(self, phone, device, tmp_path, monkeypatch, fault, after):
        """Only the segment that was on its way is sent again."""
        monkeypatch.setattr(copying, "SEGMENT", MEGABYTE)
        source = a_file(tmp_path / "source", 4 * MEGABYTE)
        target = f"{device.root}/target"
        device.run(["mkdir", "-p", device.root])
        seen = []

        def strike(count):
            seen.append(count)
            if count == 2 * MEGABYTE and seen.count(count) == 1:
                phone.control(f"0 {fault} when push {after}")

        device.push(source, target, strike)
        assert on_device(device, target) == sha256(source)
        assert phone.state()["waiting"] == 0
        assert phone.state()["pushed_bytes"] < 5.5 * MEGABYTE

    def test_a_push_is_continued_by_the_next_call(self, phone, device, tmp_path, monkeypatch):
        monkeypatch.setattr(copying, "SEGMENT", MEGABYTE)
        monkeypatch.setattr(copying, "ATTEMPTS", 1)
        source = a_file(tmp_path / "source", 4 * MEGABYTE)
        phone.control("0 drop when command 0 cat.*next")
        with pytest.raises(DeviceLost):
            device.push(source, f"{device.root}/target")
        phone.connect()
        device.push(source, f"{device.root}/target")
        assert on_device(device, f"{device.root}/target") == sha256(source)
        assert phone.state()["pushed_bytes"] < 6.5 * MEGABYTE

    def test_a_part_that_is_not_ours_is_not_used(self, device, tmp_path, monkeypatch):
        """What is there is checked as a whole; damaged content is sent again."""
        monkeypatch.setattr(copying, "SEGMENT", MEGABYTE)
        source = a_file(tmp_path / "source", 3 * MEGABYTE)
        part = f"{device.root}/target.{sha256(source)[:16]}.part"
        device.run(["sh", "-c", f"head -c {MEGABYTE} /dev/zero > {part}"])
        device.push(source, f"{device.root}/target")
        assert on_device(device, f"{device.root}/target") == sha256(source)

    @pytest.mark.parametrize("after", [0, MEGABYTE, 3 * MEGABYTE])
    def test_an_interrupted_pull_is_repeated(self, phone, device, tmp_path, after):
        source = a_file(tmp_path / "source", 4 * MEGABYTE)
        device.push(source, f"{device.root}/target")
        phone.control(f"0 drop when pull {min(after, 4 * MEGABYTE - 100_000)}")
        device.pull(f"{device.root}/target", tmp_path / "back")
        assert sha256(tmp_path / "back") == sha256(source)
        assert phone.state()["waiting"] == 0

    def test_a_device_that_does_not_return(self, phone, device, tmp_path, monkeypatch):
        monkeypatch.setattr(copying, "RETURN_S", 0.3)
        monkeypatch.setattr("mlperf_mobile_device_adb.connection.SETTLE_S", 0.2)
        source = a_file(tmp_path / "source", 2 * MEGABYTE)
        device.push(source, f"{device.root}/there")
        for direction in ("push", "pull"):
            phone.control(f"0 vanish when {direction} {MEGABYTE}")
        with pytest.raises(DeviceLost):
            device.push(source, f"{device.root}/target")
        with pytest.raises(DeviceLost):
            device.pull(f"{device.root}/there", tmp_path / "back")
        assert sorted(path.name for path in tmp_path.iterdir() if "back" in path.name) == []

    def test_too_little_storage_is_known_before_anything_is_sent(self, phone, device, tmp_path):
        phone.control("0 fill 2000000")
        with pytest.raises(DeviceError, match="too little storage") as caught:
            device.push(a_file(tmp_path / "source", 2 * MEGABYTE), f"{device.root}/target")
        assert (caught.value.code, phone.state()["pushed_bytes"]) == ("device-storage", 0)

    @pytest.mark.parametrize("after", [0, MEGABYTE // 2, MEGABYTE - 70_000])
    def test_storage_that_fills_up_meanwhile(self, phone, device, tmp_path, monkeypatch, after):
        monkeypatch.setattr(copying, "SEGMENT", MEGABYTE)
        phone.control(f"0 fill 0 when push {after}")
        with pytest.raises(DeviceError, match="too little storage") as caught:
            device.push(a_file(tmp_path / "source", 3 * MEGABYTE), f"{device.root}/target")
        assert caught.value.code == "device-storage"
        phone.control("0 empty")
        device.push(tmp_path / "source", f"{device.root}/target")
        assert on_device(device, f"{device.root}/target") == sha256(tmp_path / "source")

    def test_a_folder_that_cannot_be_written(self, phone, device, tmp_path):
        phone.control("0 deny")
        with pytest.raises(DeviceError, match="Permission denied") as caught:
            device.push(a_file(tmp_path / "source", 100), f"{device.root}/target")
        assert caught.value.code == "device-command"
        phone.control("0 allow")

    def test_a_file_that_does_not_exist(self, shared_device, tmp_path):
        with pytest.raises(DeviceError, match="has no file"):
            shared_device.pull(f"{shared_device.root}/none", tmp_path / "back")
        assert list(tmp_path.glob("*back*")) == []

    def test_a_slow_link(self, phone, device, tmp_path):
        phone.control("0 slow 1000000")
        source = a_file(tmp_path / "source", 500_000)
        device.push(source, f"{device.root}/target")
        assert on_device(device, f"{device.root}/target") == sha256(source)

    def test_toybox_and_mksh_understand_all_of_it(self, phones, androids_commands, reached, tmp_path, monkeypatch):
        monkeypatch.setattr(copying, "SEGMENT", MEGABYTE)
        device = reached(phones(toybox=True))
        facts = device.facts()
        assert (facts.usable, facts.more["cpu0.governor"], facts.thermal_status) == (True, "schedutil", 0)
        source = a_file(tmp_path / "source", 3 * MEGABYTE + 5)
        device.push(source, f"{device.root}/target")
        device.pull(f"{device.root}/target", tmp_path / "back")
        assert sha256(tmp_path / "back") == sha256(source)
        with device.hold() as warnings:
            assert warnings == []
