"""Following a run over a connection that fails: drops, reboots, and what a damaged run leaves behind."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile import events
from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts, DeviceLost, Output
from mlperf_mobile.errors import MobileError
from mlperf_mobile.plan import CampaignRef, CompilePlan, Plan
from mlperf_mobile.terms import Mode
from mlperf_mobile_devices import collect, linux, refusals
from mlperf_mobile_devices.follow import Follower, Lines
from mlperf_mobile_devices.link import Cancelled, Control, Link
from mlperf_mobile_devices.testing import StandInTransport


class Waiting(Control):
    """A control channel whose pauses take no time."""

    def __init__(self):
        super().__init__(None)
        self.pauses = []
        self.then = lambda: None

    def wait(self, seconds, beat=None):
        self.pauses.append(seconds)
        self.then()


@pytest.fixture
def device(tmp_path):
    found = StandInTransport(str(tmp_path))
    Path(found.root, "runs", "one").mkdir(parents=True)
    return found


@pytest.fixture
def control():
    return Waiting()


@pytest.fixture
def clock(monkeypatch, control):
    """Time that passes only in pauses."""
    now = SimpleNamespace(s=1000.0)
    monkeypatch.setattr("mlperf_mobile_devices.link.time", SimpleNamespace(monotonic=lambda: now.s))
    own = control.wait

    def wait(seconds, beat=None):
        now.s += seconds
        own(seconds)

    control.wait = wait
    return now


def linked(device, control, limit_s=300.0, **more):
    return Link(device, device.address, limit_s, control, **more)


def run_folder(device):
    return Path(device.root, "runs", "one")


def lost(argv):
    raise DeviceLost("the cable was pulled")


def refuses(argv):
    raise DeviceError("device-unusable", "phone asks its user whether to allow this computer", "allow it")


def test_a_device_that_refuses_later_is_lost(device, control, clock):
    """The run goes on there, so it is followed again when the user allows it."""
    link = linked(device, control)
    link.do(lambda t: t.run(["true"]))
    device.faults.append(refuses)
    control.then = lambda: device.faults.clear() if len(control.pauses) == 2 else None
    assert link.do(lambda t: t.run(["echo", "2"]).stdout) == b"2\n"
    device.faults.append(refuses)
    control.then = lambda: None
    with pytest.raises(DeviceLost, match="phone asks its user whether to allow this computer"):
        link.do(lambda t: t.run(["true"]))


def test_one_that_refuses_from_the_beginning_is_not_waited_for(device, control, clock):
    device.faults.append(refuses)
    with pytest.raises(DeviceError) as caught:
        linked(device, control).do(lambda t: t.run(["true"]))
    assert (caught.value.code, control.pauses) == ("device-unusable", [])


def test_work_is_repeated_until_the_device_is_back(device, control, clock):
    told, entered = [], []
    device.__class__ = type("Counting", (StandInTransport,), {"__enter__": lambda self: entered.append(1) or self})
    link = linked(device, control, lost=told.append, found=lambda: told.append("found"))
    assert link.do(lambda t: t.run(["echo", "1"]).stdout) == b"1\n"
    device.faults.append(lost)
    control.then = lambda: device.faults.clear() if len(control.pauses) == 4 else None
    assert link.do(lambda t: t.run(["echo", "2"]).stdout) == b"2\n"
    assert control.pauses == [0.5, 1.0, 2.0, 4.0]
    assert told == [0.0, 0.5, 1.5, 3.5, "found"]
    assert len(entered) == 5


def test_a_device_that_stays_away_is_given_up(device, control, clock):
    link = linked(device, control, limit_s=100)
    link.do(lambda t: t.run(["true"]))
    device.faults.append(lost)
    with pytest.raises(DeviceLost, match="could not be reached again for 100 s: the cable was pulled"):
        link.do(lambda t: t.run(["true"]))
    assert sum(control.pauses) <= 100
    assert max(control.pauses) == 30


def test_a_device_that_was_never_reached_is_not_waited_for(device, control):
    device.faults.append(lost)
    with pytest.raises(DeviceLost, match="the cable was pulled"):
        linked(device, control).do(lambda t: t.run(["true"]))
    assert control.pauses == []


def test_cancel_ends_waiting():
    read, write = os.pipe()
    try:
        control = Control(read)
        control.check()
        os.write(write, b"cancel\n")
        with pytest.raises(Cancelled):
            control.wait(600)
        control.wait(0.01)  # it is obeyed once
    finally:
        os.close(read)
        os.close(write)


EVENTS = [
    events.Phase(name="load"),
    events.Measured(part="model", value={"bytes": 1}),
    events.Phase(name="performance"),
    events.Measured(part="performance", value={"queries": 2}),
    events.Ended(),
]
LOG = b"".join(map(events.encode, EVENTS))


def follower(device, control, taken, **more):
    link = linked(device, control)
    link.do(lambda t: t.run(["true"]))
    return Follower(link, "runs/one", taken.append, control, **more)


def finish(device, code="0", log=LOG):
    run_folder(device).joinpath("events.jsonl").write_bytes(log)
    run_folder(device).joinpath("rc").write_text(f"{code}\n")


@pytest.mark.parametrize("moment", range(12))
def test_a_connection_that_drops_at_any_moment_loses_no_event(device, control, clock, moment):
    """The connection fails for a while after that many commands; the run goes on, and ends meanwhile."""
    log, pieces = run_folder(device) / "events.jsonl", [LOG[start : start + 60] for start in range(0, len(LOG), 60)]
    counted = []

    def drop(argv):
        counted.append(1)
        if moment <= len(counted) < moment + 3:
            raise DeviceLost("dropped")

    def goes_on():
        with log.open("ab") as file:
            file.write(pieces.pop(0) if pieces else b"")
        if not pieces:
            (run_folder(device) / "rc").write_text("0\n")

    taken = []
    found = follower(device, control, taken, clock=lambda: clock.s)
    device.faults.append(drop)
    device.signal = lambda folder, name: True
    control.then = goes_on
    assert found.until_ended() == 0
    assert taken == EVENTS


def test_a_run_that_was_killed_has_its_exit_code(device, control):
    taken = []
    finish(device, "139", LOG[:100])
    assert follower(device, control, taken).until_ended() == 139
    assert taken == EVENTS[:1]


def gone(device, control, clock, **facts):
    taken = []
    found = follower(device, control, taken, clock=lambda: clock.s)
    device.signal = lambda folder, name: False
    device.facts = lambda: DeviceFacts(address=device.address, **facts)
    with pytest.raises(MobileError) as caught:
        found.until_ended()
    return caught.value


def test_a_device_that_was_booted_during_the_run(device, control, clock):
    (run_folder(device) / "boot_id").write_text("first\n")
    error = gone(device, control, clock, boot_id="second")
    assert error.code == "device-rebooted"


def test_a_run_without_processes_and_exit_code(device, control, clock):
    (run_folder(device) / "boot_id").write_text("first\n")
    error = gone(device, control, clock, boot_id="first")
    assert (error.code, error.exit_code) == ("worker-died", 7)


def test_a_transport_that_writes_no_boot_id(device, control, clock):
    """The folder is there, so nobody is told to look for it."""
    (run_folder(device) / "worker.log").write_text("started\n")
    error = gone(device, control, clock, boot_id="first")
    assert error.code == "device-run-gone"
    assert error.summary.endswith("ended without an exit code, and its folder lacks boot_id")
    assert "start() must write pid and boot_id" in error.hint


def test_a_run_whose_folder_is_gone(device, control, clock):
    assert gone(device, control, clock, boot_id="first").code == "device-run-gone"


def test_garbage_among_the_events_is_left_out(device, control):
    taken = []
    finish(device, log=b"\xff\x00garbage\n[1]\n{}\n" + LOG + b'{"event":"ended"')
    assert follower(device, control, taken).until_ended() == 0
    assert taken == EVENTS


@pytest.mark.parametrize("text", ["", "-1", "x", "0\n0", "9999", "0 rm"])
def test_an_exit_code_is_a_number(device, control, text):
    (run_folder(device) / "rc").write_text(text)
    assert follower(device, control, []).code() is None


def test_an_endless_line_is_skipped_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(events, "MAX_LINE", 1000)
    lines = Lines()
    for _ in range(1000):
        assert lines.add(b"x" * 100) == []
        assert len(lines._held) <= 1100
    assert lines.add(b"end\nnext\n") == [b"next"]


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b""))), st.lists(st.integers(1, 40)))
def test_lines_do_not_depend_on_the_pieces(lines, cuts):
    data, found, reader = b"".join(line + b"\n" for line in lines), [], Lines()
    while data:
        cut = cuts.pop() if cuts else len(data)
        found += reader.add(data[:cut])
        data = data[cut:]
    assert found == lines


def test_the_timed_run_is_left_alone(device, control, clock):
    """After the timed phase is seen, nothing is read for its minimum duration, and later only now and then."""
    taken = []
    found = follower(device, control, taken, quiet_s=60.0, clock=lambda: clock.s)
    (run_folder(device) / "events.jsonl").write_bytes(LOG[: LOG.index(b'{"time"', LOG.index(b"performance"))])
    commands = []
    device.signal = lambda folder, name: True

    def then():
        commands.append((clock.s, device.commands))
        if clock.s > 1200:
            finish(device)

    control.then = then
    assert found.until_ended() == 0
    pauses = control.pauses
    assert pauses[0] >= 61  # the last query has to finish
    assert min(pauses[1:]) >= 1
    assert len(pauses) < 40


@pytest.fixture
def finished(device):
    folder = run_folder(device)
    (folder / "performance").mkdir()
    (folder / "performance" / "mlperf_log_detail.txt").write_text("log\n")
    (folder / "latencies.bin").write_bytes(bytes(800))
    (folder / "work").mkdir()
    (folder / "work" / "compiled").write_text("x")
    finish(device)
    (folder / "plan.json").write_text("{}")
    return device


def test_the_files_of_a_run_are_copied(finished, control, tmp_path):
    target = tmp_path / "here"
    target.mkdir()
    assert collect.collect(linked(finished, control), "runs/one", target) == 2
    found = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert found == {"performance/mlperf_log_detail.txt", "latencies.bin"}


def test_a_copy_that_differs_is_refused(finished, control, tmp_path):
    target = tmp_path / "here"
    target.mkdir()
    read = finished.read
    finished.read = lambda path, offset, limit=1: read(path, offset, limit).replace(b"log", b"gol")
    with pytest.raises(DeviceError) as caught:
        collect.collect(linked(finished, control), "runs/one", target)
    assert caught.value.code == "device-transfer"
    assert not (target / "performance" / "mlperf_log_detail.txt").exists()


@pytest.mark.parametrize(
    "name", ["../escape", "a/../../b", ".hidden/x", "a//b", "-rf", "a b", "x" * 200, "/etc/passwd"]
)
def test_names_that_lead_elsewhere_are_refused(device, control, tmp_path, name):
    target = tmp_path / "here"
    target.mkdir()
    listing = f"{'0' * 64}  ./{name}\n", f"1 ./{name}\n"
    device.faults.append(lambda argv: Output(0, listing["wc" in argv[2]].encode(), b"") if "find" in argv[2] else None)
    with pytest.raises(DeviceError) as caught:
        collect.collect(linked(device, control), "runs/one", target)
    assert caught.value.code == "device-transfer"
    assert list(target.iterdir()) == []


@given(st.binary(max_size=500) | st.text(max_size=300).map(str.encode))
def test_any_text_of_a_device_gives_facts(text):
    found = linux.facts("ssh:board", text)
    for value in (found.model, found.os, found.soc, found.serial, found.abi):
        assert value.isprintable()
        assert len(value) <= 200
    json.dumps(dict(found.more))


def test_the_facts_of_a_board():
    text = (
        "machine=aarch64\nkernel=6.1.0\nboot_id=b-1\nmodel=Raspberry Pi 5 Model B Rev 1.0\nserial=100abc\n"
        "soc=raspberrypi,5-model-b brcm,bcm2712 \nos=Debian GNU/Linux 12 (bookworm)\n"
        "zone=48200\nzone=51000\nzone=-274000\n"
        "battery=83\nstatus=Discharging\nfree=1000\npython=3.11.2\n"
    )
    found = linux.facts("ssh:pi", text.encode())
    assert (found.model, found.soc, found.abi) == ("Raspberry Pi 5 Model B Rev 1.0", "bcm2712", "aarch64")
    assert (found.temperature_c, found.battery_percent, found.charging) == (51.0, 83.0, False)
    assert (found.free_bytes, found.boot_id) == (1_024_000, "b-1")
    assert found.more["device.python"] == "3.11.2"


def test_a_drop_takes_no_longer_than_it_lasts(device):
    """With the real clock: the pauses begin short."""
    link = linked(device, Control(None))
    link.do(lambda t: t.run(["true"]))
    failed = []

    def once(argv):
        if not failed:
            failed.append(1)
            raise DeviceLost("dropped")

    device.faults.append(once)
    began = time.monotonic()
    link.do(lambda t: t.run(["true"]))
    assert time.monotonic() - began < 30


def test_a_log_is_trimmed_while_the_run_goes_on(device, control, monkeypatch):
    """As on this machine: the beginning and the end stay, and a line says how much is left out."""
    monkeypatch.setattr(collect, "LOG_BYTES", 1000)
    log, link = run_folder(device) / "worker.log", linked(device, control)
    with log.open("ab", buffering=0) as file:
        file.write(b"first\n" + b"." * 3000)
        collect.trim_log(link, "runs/one")
        assert log.stat().st_size == 3006
        for _ in range(3):
            file.write(b"." * 8000 + b"last\n")
            collect.trim_log(link, "runs/one")
            assert log.stat().st_size < 2100
        file.write(b"then\n")
    text = collect.log(link, "runs/one/worker.log")
    assert text.startswith(b"first\n....")
    assert text.endswith(b"....last\nthen\n")
    (left_out,) = re.findall(rb"\n\[\.\.\. (\d+) bytes are left out here \.\.\.\]\n", text)
    assert int(left_out) == pytest.approx(3006 + 3 * 8005 - 2000, abs=200)
    assert sorted(each.name for each in run_folder(device).iterdir()) == [".left_out", "worker.log"]


def test_the_log_of_a_run_is_looked_after(device, control, clock):
    """Every ten seconds or so, not at every look."""
    calls, taken = [], []
    found = follower(device, control, taken, clock=lambda: clock.s, tidy=lambda: calls.append(clock.s))
    device.signal = lambda folder, name: True
    control.then = lambda: finish(device) if clock.s > 1060 else None
    assert found.until_ended() == 0
    assert len(calls) == 5 or len(calls) == 6


def plan(mode="performance", campaign="submission", official=True):
    session = CampaignRef(id="20300101T000000-submission-0a1b2c3d", mode=campaign, position=1, runs=2)
    rules = object() if official else None
    return Plan.model_construct(device="adb:1", session=session, official=rules, mode=Mode(mode))


@pytest.mark.parametrize(
    ("given", "charging", "refused"),
    [
        (plan(), True, True), (plan(), False, False), (plan(), None, False), (plan("accuracy"), True, False),
        (plan(campaign="both"), True, False), (plan(official=False), True, False),
        (CompilePlan.model_construct(device="adb:1"), True, False),
    ],
)  # fmt: skip
def test_a_charger_in_a_submission(given, charging, refused):
    facts = DeviceFacts(address="adb:1", charging=charging)
    if not refused:
        refusals.check_charger(given, facts)
        return
    with pytest.raises(DeviceError) as caught:
        refusals.check_charger(given, facts)
    assert caught.value.code == "device-charging"
    assert caught.value.line().startswith("error[device-charging]: adb:1 is charging")
    assert "adb tcpip" in caught.value.hint
