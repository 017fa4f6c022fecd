"""The stand-in, driven by the real adb client: what holds of a phone's adbd holds of it."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import time

import pytest

from mlperf_mobile_device_adb.testing import StandIns


def until(condition, seconds=120):
    """Wait until the condition holds, and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def shell(phones, command, device=0, **options):
    return phones.run("-s", phones.serials[device], "shell", "-T", command, **options)


def the_process(phones):
    """The only process of the first device; 0 before it has started, or while its starter runs, too."""
    found = phones.state()["processes"]
    return found[0] if len(found) == 1 else 0


class TestClient:
    def test_devices_are_listed_with_their_models(self, shared_phones):
        listed = shared_phones.run("devices", "-l").stdout
        assert listed.count(" device product:standin model:Stand_in_1 device:standin transport_id:") == 2
        assert all(serial in listed for serial in shared_phones.serials)

    def test_each_device_has_its_own_serial_number_and_files(self, shared_phones):
        told = [shell(shared_phones, "getprop ro.serialno", n).stdout.strip() for n in (0, 1)]
        assert told == ["STANDIN0001", "STANDIN0002"]
        shell(shared_phones, "echo here > /data/local/tmp/own", 0)
        assert shell(shared_phones, "ls /data/local/tmp/own", 1).returncode != 0

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    def test_exit_codes_and_both_streams_arrive(self, shared_phones, code):
        done = shell(shared_phones, f"echo out; echo err >&2; exit {code}")
        assert (done.returncode, done.stdout, done.stderr) == (code, "out\n", "err\n")

    def test_a_command_killed_by_a_signal_has_an_exit_code(self, shared_phones):
        assert shell(shared_phones, "kill -9 $$").returncode == 128 + 9

    @pytest.mark.parametrize("size", [0, 1, 65536, 300_001])
    def test_standard_input_arrives_with_its_end(self, shared_phones, size):
        text = "".join(random.Random(size).choices("abc\n", k=size))
        done = shell(shared_phones, "cat; echo END", input=text)
        assert done.stdout == text + "END\n"

    def test_without_the_shell_protocol_streams_are_mixed_and_the_exit_code_is_lost(self, phones):
        """As Android before 7.0."""
        old = phones(has_shell_v2=False)
        done = old.run("-s", old.serials[0], "shell", "echo out; echo err >&2; exit 7")
        assert (done.returncode, sorted(done.stdout.split()), done.stderr) == (0, ["err", "out"], "")

    def test_exec_out_is_binary(self, shared_phones, tmp_path):
        data = random.Random(1).randbytes(200_000)
        (tmp_path / "data").write_bytes(data)
        serial = shared_phones.serials[0]
        assert shared_phones.run("-s", serial, "push", str(tmp_path / "data"), "/data/local/tmp/raw").returncode == 0
        command = ["adb", "-s", serial, "exec-out", "cat /data/local/tmp/raw"]
        got = subprocess.run(command, env={**os.environ, **shared_phones.env}, capture_output=True, check=True)
        assert got.stdout == data

    def test_fifty_megabytes_go_there_and_back(self, shared_phones, tmp_path):
        data = random.Random(2).randbytes(50_000_000)
        (tmp_path / "data").write_bytes(data)
        serial = shared_phones.serials[0]
        shared_phones.run("-s", serial, "push", str(tmp_path / "data"), "/data/local/tmp/big")
        told = shell(shared_phones, "sha256sum /data/local/tmp/big").stdout.split()[0]
        assert told == hashlib.sha256(data).hexdigest()
        shared_phones.run("-s", serial, "pull", "/data/local/tmp/big", str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == data
        shell(shared_phones, "rm /data/local/tmp/big")

    def test_folders_go_there_and_back(self, shared_phones, tmp_path):
        files = {"a": "1", "deep/er/b": "2", "deep/name with blank": "3", "deep/ünï": "4"}
        for name, text in files.items():
            (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "out" / name).write_text(text)
        serial = shared_phones.serials[0]
        shared_phones.run("-s", serial, "push", str(tmp_path / "out"), "/data/local/tmp/")
        done = shared_phones.run("-s", serial, "pull", "/data/local/tmp/out", str(tmp_path / "back"))
        assert done.returncode == 0, done.stderr
        back = tmp_path / "back"
        assert {str(f.relative_to(back)): f.read_text() for f in back.rglob("*") if f.is_file()} == files

    def test_a_file_keeps_its_mode_and_time(self, shared_phones, tmp_path):
        (tmp_path / "tool").write_text("#!/bin/sh\necho ran\n")
        (tmp_path / "tool").chmod(0o755)
        os.utime(tmp_path / "tool", (1_000_000, 1_000_000))
        shared_phones.run("-s", shared_phones.serials[0], "push", str(tmp_path / "tool"), "/data/local/tmp/tool")
        assert shell(shared_phones, "/data/local/tmp/tool").stdout == "ran\n"
        assert shell(shared_phones, "stat -c %Y /data/local/tmp/tool").stdout == "1000000\n"

    def test_a_missing_file_is_an_error(self, shared_phones, tmp_path):
        done = shared_phones.run("-s", shared_phones.serials[0], "pull", "/data/local/tmp/no", str(tmp_path / "no"))
        assert done.returncode == 1
        assert "No such file" in done.stderr + done.stdout

    def test_toybox_and_mksh_serve_as_the_shell(self, phones, androids_commands):
        android = phones(toybox=True)
        assert "toybox" in shell(android, 'readlink "$(command -v sha256sum)"').stdout
        assert shell(android, 'echo "$KSH_VERSION"').stdout.startswith("@(#)MIRBSD KSH")


class TestProcesses:
    def test_an_attached_process_is_hung_up(self, phone):
        """The client is killed, as when its terminal is closed."""
        env = {**os.environ, **phone.env}
        command = ["adb", "-s", phone.serials[0], "shell", "-T", "exec sleep 1000"]
        client = subprocess.Popen(command, env=env, stdin=subprocess.PIPE)
        until(lambda: phone.state()["processes"])
        client.kill()
        client.wait()
        client.stdin.close()
        until(lambda: not phone.state()["processes"])

    def test_a_detached_process_outlives_the_connection(self, phone):
        shell(phone, "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
        before = until(lambda: the_process(phone))
        phone.control("0 drop")
        phone.connect()
        assert phone.state()["processes"] == [before]

    def test_a_reboot_ends_processes_and_changes_the_boot_id(self, phone):
        read = "cat /proc/sys/kernel/random/boot_id"
        before = shell(phone, read).stdout
        shell(phone, "echo kept > /data/local/tmp/kept; setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
        process = until(lambda: the_process(phone))
        phone.control("0 reboot 0.1")
        phone.connect()
        until(lambda: not os.path.exists(f"/proc/{process}/exe"))
        after = shell(phone, f"{read}; cat /data/local/tmp/kept").stdout.splitlines()
        assert len(before.strip()) == 36
        assert before.strip() != after[0]
        assert after[1] == "kept"

    def test_processes_of_one_device_are_killed_by_name(self, shared_phones):
        for device in (0, 1):
            shell(shared_phones, "for n in 1000 2000; do setsid sleep $n </dev/null >/dev/null 2>&1 & done", device)
        shared_phones.control("0 kill '^sleep 1000'")
        until(lambda: len(shared_phones.state(0)["processes"]) == 1)
        assert len(shared_phones.state(1)["processes"]) == 2
        for device in (0, 1):
            shared_phones.control(f"{device} kill")

    def test_no_process_is_left_behind(self, adb):
        with StandIns() as phone:
            shell(phone, "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
            process = until(lambda: the_process(phone))
        until(lambda: not os.path.exists(f"/proc/{process}/exe"))
        with pytest.raises(ProcessLookupError):
            os.kill(phone._process.pid, 0)


class TestFaults:
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("after", [0, 1_000_000, 9_999_999])
    @pytest.mark.parametrize("direction", ["push", "pull"])
    def test_the_connection_drops_in_mid_file(self, phone, tmp_path, direction, after):
        (tmp_path / "data").write_bytes(bytes(10_000_000))
        push = ("-s", phone.serials[0], "push", str(tmp_path / "data"), "/data/local/tmp/data")
        pull = ("-s", phone.serials[0], "pull", "/data/local/tmp/data", str(tmp_path / "back"))
        if direction == "pull":
            phone.run(*push)
        phone.control(f"0 drop when {direction} {min(after, 9_900_000)}")
        assert phone.run(*(push if direction == "push" else pull)).returncode != 0
        assert phone.state()["waiting"] == 0
        phone.connect()
        assert phone.run(*push).returncode == 0
        assert phone.run(*pull).returncode == 0

    def test_the_connection_drops_in_mid_command(self, phone):
        """The client reports success nevertheless: its exit code means nothing."""
        env = {**os.environ, **phone.env}
        command = ["adb", "-s", phone.serials[0], "shell", "-T", "echo began; exec sleep 1000"]
        with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
            assert client.stdout.readline() == b"began\n"
            phone.control("0 drop")
            assert client.wait(120) == 0
        until(lambda: not phone.state()["processes"])

    def test_full_storage(self, phone, tmp_path):
        (tmp_path / "data").write_bytes(bytes(1_000_000))
        phone.control("0 fill 100000")
        done = phone.run("-s", phone.serials[0], "push", str(tmp_path / "data"), "/data/local/tmp/data")
        assert done.returncode == 1
        assert "No space left on device" in done.stderr + done.stdout
        assert int(shell(phone, "df /data/local/tmp").stdout.split()[-3]) <= 100
        assert shell(phone, "head -c 1000000 /dev/zero > /data/local/tmp/own").returncode != 0
        phone.control("0 empty")
        assert phone.run("-s", phone.serials[0], "push", str(tmp_path / "data"), "/data/local/tmp/data").returncode == 0

    def test_full_storage_does_not_keep_the_system_from_changing_its_state(self, phone):
        """The screen, settings and doze are not files of the user's storage."""
        phone.control("0 fill 0")
        assert shell(phone, "echo 1 > /data/local/tmp/own").returncode != 0
        shell(phone, "input keyevent KEYCODE_WAKEUP; settings put global own 7; dumpsys deviceidle disable")
        looks = "dumpsys power | grep mWake; settings get global own; dumpsys deviceidle enabled"
        assert shell(phone, looks).stdout.split() == ["mWakefulness=Awake", "7", "0"]

    def test_a_read_only_folder(self, phone, tmp_path):
        (tmp_path / "data").write_bytes(b"1")
        push = ("-s", phone.serials[0], "push", str(tmp_path / "data"), "/data/local/tmp/data")
        phone.control("0 deny")
        done = phone.run(*push)
        assert done.returncode == 1
        assert "Permission denied" in done.stderr + done.stdout
        assert shell(phone, "mkdir /data/local/tmp/own").returncode != 0
        phone.control("0 allow")
        assert phone.run(*push).returncode == 0

    def test_an_unauthorised_computer(self, phone):
        phone.control("0 unauthorise")
        until(lambda: "unauthorized" in phone.run("devices").stdout)
        assert "unauthorized" in shell(phone, "true").stderr
        phone.control("0 authorise")
        phone.connect()
        assert shell(phone, "true").returncode == 0

    def test_a_foreign_key_is_refused(self, phone, tmp_path):
        """Another server with another key: signatures are really verified."""
        with StandIns() as other:
            other.run("connect", phone.serials[0])
            until(lambda: "unauthorized" in other.run("devices").stdout)

    def test_an_offline_device(self, phone):
        phone.control("0 offline")
        until(lambda: "offline" in phone.run("devices").stdout)
        assert "offline" in shell(phone, "true").stderr
        phone.control("0 online")
        phone.connect()

    def test_a_device_that_is_gone_for_good(self, phone):
        phone.control("0 vanish")
        phone.run("disconnect", phone.serials[0])
        assert "refused" in phone.run("connect", phone.serials[0]).stdout

    def test_a_slow_link(self, phone, tmp_path):
        (tmp_path / "data").write_bytes(bytes(1_000_000))
        phone.control("0 slow 2000000")
        start = time.monotonic()
        phone.run("-s", phone.serials[0], "push", str(tmp_path / "data"), "/data/local/tmp/data")
        assert time.monotonic() - start >= 0.4

    def test_a_journal_without_its_end(self, phone):
        phone.control("0 lose-end")
        run = "/data/local/tmp/run"
        shell(phone, f'mkdir {run}; printf \'begun\\n{{"event":"ended"}}\\n\' > {run}/events.jsonl; echo 0 > {run}/rc')
        until(lambda: shell(phone, f"cat {run}/events.jsonl {run}/rc").stdout == "begun\n0\n")

    @pytest.mark.parametrize(
        ("behaviour", "code", "text"), [("missing", 127, "not found"), ("denied", 1, "denied"), ("nothing", 0, "")]
    )
    def test_a_command_that_does_not_work(self, phone, behaviour, code, text):
        phone.control(f"0 replace dumpsys {behaviour}")
        done = shell(phone, "dumpsys battery")
        assert (done.returncode, done.stdout) == (code, "")
        assert text in done.stderr

    @pytest.mark.parametrize(
        "line", ["", "x", "9 drop", "0 explode", "0 drop 1 2", "0 drop when", "0 drop when lunch", "0 drop when push x",
                 "0 drop when command 0 (", "0 charger steam", "0 replace ../x missing", "0 'drop"],
    )  # fmt: skip
    def test_a_line_that_is_not_understood(self, shared_phones, line):
        with pytest.raises(ValueError, match=r"."):
            shared_phones.control(line)
        assert shared_phones.state()["waiting"] == 0


class TestBody:
    def test_battery_and_heat_are_what_the_services_show(self, phone):
        phone.control("0 battery 55")
        phone.control("0 charger none")
        phone.control("0 heat 46")
        told = shell(phone, "dumpsys battery; dumpsys thermalservice; cat /sys/class/thermal/thermal_zone1/temp").stdout
        assert "level: 54" in told or "level: 55" in told
        assert "USB powered: false" in told
        assert "Thermal Status: 3" in told
        assert 45_000 < int(told.split()[-1]) <= 46_000

    def test_the_shell_is_not_root_and_reaches_no_power_switch(self, shared_phones):
        assert shell(shared_phones, "id -u").stdout == "2000\n"
        for name in ("reboot", "poweroff", "halt"):
            assert "not permitted" in shell(shared_phones, name).stderr

    def test_what_ends_the_input_of_the_process_ends_it(self, adb):
        """Whoever started stand-ins may be killed: nothing of them is left."""
        with StandIns() as phone:
            folder = phone.state()["folder"]
            phone._process.stdin.close()
            assert phone._process.wait(20) == 0
            assert not os.path.exists(folder)
