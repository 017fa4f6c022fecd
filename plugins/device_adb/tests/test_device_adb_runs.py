"""Detached runs on stand-ins, followed from an offset: what is read is right, or the device is lost.

A run waits at a line of its journal until the test lets it go on: faults strike there, not after some time.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from mlperf_mobile.contracts import DeviceLost, HoldingTransport, Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile_device_adb.transport import Adb
from mlperf_mobile_devices import libraries

LINES = 30
EVENTS = """n=0
while :; do
    while [ "$n" = "${HOLD:-none}" ] && [ ! -e go ]; do sleep 0.02; done
    [ $n -lt 30 ] || break
    n=$((n + 1))
    echo "{\\"n\\": $n}" >> events.jsonl
done
"""
"""Writes the journal, and waits before the line after ``HOLD`` for the file ``go``."""
FOR_EVER = "exec sleep 1000"
ENDED = 'echo "{\\"event\\": \\"ended\\"}" >> events.jsonl'
EXPECTED = "".join(f'{{"n": {n}}}\n' for n in range(1, LINES + 1)) + '{"event": "ended"}\n'
DEADLINE_S = 120.0


@pytest.fixture(params=["host's shell", "toybox"])
def phone_of_each_shell(request, phones):
    """A stand-in with this machine's commands, and one with those of Android."""
    if is_android := request.param == "toybox":
        request.getfixturevalue("androids_commands")
    return phones(toybox=is_android)


def begin(device, name="run", command=EVENTS + ENDED, **environment):
    folder = f"{device.root}/{name}"
    device.run(["mkdir", "-p", folder])
    device.start(folder, ["sh", "-c", command], {key: str(value) for key, value in environment.items()})
    return folder


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def held(device, line, command=EVENTS + ENDED):
    """A run that waits after that many lines: its folder, and what lets it go on."""
    folder = begin(device, command=command, HOLD=line)
    until(lambda: device.read(f"{folder}/events.jsonl", 0).count(b"\n") == line)
    return folder, Path(folder, "go").touch  # paths of a stand-in's storage are those of this machine


def follow(device, folder, *, limit=97, each=lambda: None):
    """Read the journal until the run is over: what was read, its exit code, and how often the device was lost."""
    read, code, losses, deadline = b"", "", 0, time.monotonic() + DEADLINE_S
    is_over = False
    while time.monotonic() < deadline:
        each()
        try:
            if not is_over:
                is_gone = not device.signal(folder, "0")
                code = device.read(f"{folder}/rc", 0).decode().strip()
                is_over = is_gone or bool(code)
            while data := device.read(f"{folder}/events.jsonl", len(read), limit):
                read += data
            if is_over:
                return read.decode(), code, losses
        except DeviceLost:
            losses += 1
        time.sleep(0.02)
    raise AssertionError(f"not over after {DEADLINE_S} s: {read!r}")


def first(lines):
    """The journal's first lines."""
    return "".join(EXPECTED.splitlines(keepends=True)[:lines])


def test_it_is_a_transport(device):
    assert isinstance(device, HoldingTransport)
    assert {name for name in vars(Transport) if not name.startswith("_")} <= set(dir(device))


def test_a_run_of_each_shell(phone_of_each_shell, reached):
    device = reached(phone_of_each_shell)
    command = f'echo "$A"; echo err >&2; pwd; {EVENTS}{ENDED}; exit 3'
    folder = begin(device, command=command, A="b 'c'")
    assert follow(device, folder) == (EXPECTED, "3", 0)
    assert device.read(f"{folder}/worker.log", 0).decode().splitlines() == ["b 'c'", "err", folder]
    assert device.read(f"{folder}/boot_id", 0).decode().strip() == device.facts().boot_id
    device.remove(folder)
    assert device.run(["ls", folder]).returncode != 0


@pytest.mark.sampled(4)
@pytest.mark.parametrize("fault", ["drop", "unplug 0.2"])
@pytest.mark.parametrize(
    ("line", "in_command"),
    [
        (0, ""),
        (1, "rc"),
        (7, "events.jsonl"),
        (15, "others_of"),
        (22, "events.jsonl"),
        (29, "rc"),
        (30, "events.jsonl"),
    ],
)
def test_a_lost_connection_changes_nothing(phone, device, fault, line, in_command):
    """At any moment of the run, and in any command of those who follow it: no line is lost or read twice."""
    folder, go_on = held(device, line)
    phone.control(f"0 {fault} when command 0 '{in_command}'")
    go_on()
    assert follow(device, folder)[:2] == (EXPECTED, "0")
    assert phone.state()["waiting"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_connection_that_is_lost_all_the_time(phone, device, seed):
    chance, drops = random.Random(seed), iter(range(6))
    folder, go_on = held(device, 15)

    def strike():
        if chance.random() < 0.5 and next(drops, None) is not None:
            phone.control("0 drop when command 0")
        elif not phone.state()["waiting"] and chance.random() < 0.2:
            go_on()

    assert follow(device, folder, each=strike)[:2] == (EXPECTED, "0")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("line", [0, 1, 15, 30])
def test_a_reboot_ends_a_run_without_an_exit_code(phone, device, line):
    """What it wrote until then is there; the next run is unharmed. Nobody needs to have seen the device away."""
    folder, _ = held(device, line, EVENTS + FOR_EVER)
    before = device.facts().boot_id
    phone.control("0 reboot 0.2")
    assert follow(device, folder)[:2] == (first(line), "")
    assert device.facts().boot_id != before
    assert not device.signal(folder, "KILL")
    assert follow(device, begin(device, "next"))[:2] == (EXPECTED, "0")


@pytest.mark.parametrize("line", [0, 1, 15, 30])
def test_a_device_that_does_not_return_is_lost(phone, device, monkeypatch, line):
    monkeypatch.setattr("mlperf_mobile_device_adb.connection.SETTLE_S", 0.1)
    folder, _ = held(device, line, EVENTS + FOR_EVER)
    phone.control("0 vanish")
    for ask in (
        lambda: device.signal(folder, "0"), lambda: device.read(f"{folder}/rc", 0),
        lambda: device.read(f"{folder}/events.jsonl", 0), device.facts,
    ):  # fmt: skip
        with pytest.raises(DeviceLost):
            ask()
    assert phone.state()["processes"] == []


@pytest.mark.parametrize("line", [0, 30])
def test_a_killed_process_has_its_exit_code(phone, device, line):
    """The kernel's out-of-memory killer takes the run, not what waits for it."""
    folder, go_on = held(device, line, EVENTS + "exec sleep 1000.5")
    go_on()
    killed = follow(device, folder, each=lambda: phone.control("0 kill '^sleep 1000.5'"))
    assert killed[:2] == (first(LINES), str(128 + 9))


@pytest.mark.parametrize("line", [0, 15])
def test_a_run_whose_processes_are_all_killed_is_over(phone, device, line):
    folder, _ = held(device, line)
    phone.control("0 kill")
    assert follow(device, folder)[:2] == (first(line), "")
    assert follow(device, begin(device, "next"))[:2] == (EXPECTED, "0")


def test_an_exit_code_without_an_end(phone, device):
    """The exit code 0 is no proof that the journal is whole."""
    folder = begin(device)
    phone.control("0 lose-end")
    until(lambda: device.read(f"{folder}/rc", 0) and "ended" not in device.read(f"{folder}/events.jsonl", 0).decode())
    read, code, _ = follow(device, folder)
    assert code == "0"
    assert "ended" not in read


@pytest.mark.parametrize("lines", [0, 1, 10])
def test_storage_that_fills_up_during_a_run(phone, device, lines):
    folder = begin(device, command='while :; do echo "{}" >> events.jsonl || exit 28; sleep 0.05; done')
    until(lambda: device.read(f"{folder}/events.jsonl", 0).count(b"\n") >= lines)
    phone.control("0 fill 0")
    read, code, _ = follow(device, folder)
    assert code in ("28", "")  # its exit code may have had no room either
    assert set(read.split()) <= {"{}"}
    phone.control("0 empty")
    device.remove(folder)
    assert follow(device, begin(device, "next"))[:2] == (EXPECTED, "0")


def test_a_slow_link(phone, device):
    folder = begin(device)
    phone.control("0 slow 20000")
    assert follow(device, folder, limit=4096)[:2] == (EXPECTED, "0")


def test_a_folder_that_cannot_be_written(phone, device):
    phone.control("0 deny")
    with pytest.raises(DeviceError, match=r"cannot start a process in") as caught:
        begin(device, "denied")
    assert caught.value.code == "device-command"
    phone.control("0 allow")


def test_a_run_goes_on_after_its_host(phone, device):
    """Another connection, as after the host's end, takes it up."""
    folder, go_on = held(device, 15)
    go_on()
    with Adb(phone.serials[0]) as other:
        assert follow(other, folder)[:2] == (EXPECTED, "0")


def test_a_run_is_cancelled(device):
    folder = begin(device, command="trap 'echo told; exit 130' INT; echo set; while :; do sleep 0.05; done")
    until(lambda: device.read(f"{folder}/worker.log", 0))
    assert device.signal(folder, "INT")
    assert follow(device, folder)[1] == "130"
    assert device.read(f"{folder}/worker.log", 0) == b"set\ntold\n"
    assert not device.signal(folder, "INT")


def test_the_libraries_that_a_run_has_loaded(device):
    folder = begin(device, command="exec sleep 1000")
    found = libraries.loaded(device, int(device.read(f"{folder}/pid", 0)))
    assert any("libc" in path for path in found)
    assert libraries.loaded(device, 999_999_999) == ()
    assert device.signal(folder, "KILL")


def test_two_devices_at_the_same_time(phones, reached):
    both = phones(2)
    devices = [reached(both, number) for number in (0, 1)]
    folders = [begin(device) for device in devices]
    both.control("0 drop when command 0 events.jsonl")
    assert [follow(*each)[:2] for each in zip(devices, folders, strict=True)] == [(EXPECTED, "0")] * 2
