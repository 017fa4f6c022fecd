"""Whole runs on a stand-in for a phone, by the Python worker: settings, its own readings, and what is left there."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command
from mlperf_mobile_device_adb.connection import RECORD
from mlperf_mobile_devices.testing import set_up

PYTHON = ("--runner", "python")
FAST = (*PYTHON, "--rules", "rapid", "--set", "min_duration_s=0.5", "--set", "warmup_s=0.1")
ENDLESS = (*FAST, "--set", "min_duration_s=600", "--set", "max_duration_s=1200")
ASLEEP = ["null", "1", "mWakefulness=Asleep"]
COUNTING = (*FAST, "--set", "min_query_count=10000000", "--set", "max_duration_s=1200")
"""Endless, too; but whoever follows it looks at the phone again after ``min_duration_s``, and not after ten minutes."""
AWAKE = ["15", "0", "mWakefulness=Awake"]
BATTERY = {"charger": "none"}


def until(condition):
    deadline = time.monotonic() + 240
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return value


class Phone:
    """A stand-in that was set up for the Python worker, and the command."""

    def __init__(self, stand_ins, folder):
        self.stand_ins = stand_ins
        self.address = f"adb:{stand_ins.serials[0]}"
        self.root = Path(stand_ins.state()["tmp"]) / "mlperf-mobile"
        set_up(self.root)
        self.command = Command(folder, {**stand_ins.env, "XDG_STATE_HOME": str(folder / "state")})

    def run(self, *arguments, **more):
        return self.command.run("question_answering", *arguments, "--device", self.address, **more)

    def start(self, *arguments):
        """A run during its timed part: the command, and its folder on the phone."""
        words = ("run", "question_answering", "--quiet", "--json", "--device", self.address, *arguments)
        process = self.command.start(*words)
        folder = until(lambda: next((self.root / "runs").glob("*"), None))
        until(lambda: contents(folder / "latencies.bin"))
        return process, folder

    def settings(self):
        script = "settings get global stay_on_while_plugged_in; dumpsys deviceidle enabled; dumpsys power | grep mWake"
        return self.stand_ins.run("-s", self.stand_ins.serials[0], "shell", script).stdout.split()

    def holder(self):
        """The process that holds the settings, as it is written down on the phone; None if nothing is."""
        text = contents(self.root / RECORD)
        return json.loads(text)["pid"] if text else None

    @property
    def runs(self):
        return [each.name for each in (self.root / "runs").glob("*")]


def contents(path):
    return path.read_bytes() if path.exists() else b""


def end(folder):
    """End the worker of a run, as if it were done."""
    leader = (folder / "pid").read_text().strip()
    worker = int(Path(f"/proc/{leader}/task/{leader}/children").read_text().split()[0])
    os.kill(worker, 9)
    until((folder / "rc").exists)


@pytest.fixture
def phone(phones, tmp_path):
    return Phone(phones(**BATTERY), tmp_path)


def test_a_run_on_battery(phone):
    result, done = phone.run(*FAST)
    assert done.returncode == 0, done.stderr
    device = result["device"]
    assert (device["model"], device["soc"], device["charging"]) == ("Stand-in 1", "SI9999", False)
    assert device["more"]["settings.held"] == "yes"
    assert "settings.warnings" not in device["more"]
    assert device["more"]["clock.ahead_s"] == 0.0
    assert device["more"]["pushed_bytes"] > 0
    assert any("/loadgen" in path or "mlperf_loadgen" in path for path in device["libraries"]), device["libraries"]
    telemetry = result["telemetry"]
    assert (telemetry["external_power"], telemetry["throttled"]) == (False, False)
    assert telemetry["series"]["battery.device_percent"]["first"] == pytest.approx(80, abs=1)
    assert phone.settings() == ASLEEP
    assert phone.runs == []
    checked, done = phone.command.json("check", result["directory"])
    assert done.returncode == 0, checked
    phone.stand_ins.control("0 charger usb")
    again, _ = phone.run(*FAST)
    assert again["telemetry"]["external_power"] is True
    assert again["device"]["more"]["pushed_bytes"] == 0
    checked, done = phone.command.json("check", again["directory"])
    assert done.returncode == 0, checked


@pytest.mark.nightly
def test_settings_are_held_until_a_run_whose_command_was_killed_has_ended(phone):
    """Whoever looks at the phone meanwhile leaves them alone; afterwards, they are restored."""
    process, folder = phone.start(*ENDLESS)
    assert phone.settings() == AWAKE
    process.kill()
    process.communicate()
    listed, _ = phone.command.json("devices", phone.address)
    assert listed["devices"][0]["usable"] is True
    assert phone.settings() == AWAKE
    end(folder)
    phone.command.json("devices", phone.address)
    assert phone.settings() == ASLEEP
    done, _ = phone.command.json("attach")
    (result,) = done["results"]
    assert result["error"]["code"] == "worker-died"
    assert phone.settings() == ASLEEP
    assert phone.runs == []


def test_airplane_mode_needs_a_cable(phone):
    result, done = phone.run(*FAST, "--set", "airplane_mode=true")
    assert (done.returncode, result["error"]["code"]) == (9, "device-settings")
    assert "connect it by USB" in result["error"]["hint"]
    assert phone.stand_ins.state()["pushed_bytes"] == 0
    assert phone.settings() == ASLEEP


@pytest.mark.long
def test_attach_takes_over_the_settings_of_a_command_that_was_killed(phone):
    """It holds them as its own until the run has ended; nobody who looks at the phone meanwhile restores them."""
    process, folder = phone.start(*COUNTING)
    before = phone.holder()
    process.kill()
    process.communicate()
    attached = phone.command.start("attach", "--json", "--quiet")
    until(lambda: phone.holder() not in (None, before) or attached.poll() is not None)
    assert attached.poll() is None, attached.communicate()
    assert phone.settings() == AWAKE
    listed, _ = phone.command.json("devices", phone.address)
    assert listed["devices"][0]["usable"] is True
    assert phone.settings() == AWAKE
    end(folder)
    out, err = attached.communicate(timeout=120)
    (result,) = json.loads(out)["results"]
    assert result["error"]["code"] == "worker-died", err
    assert phone.settings() == ASLEEP
    assert phone.runs == []


SUITE = """
from mlperf_mobile.plugin import SuitesInfo, hookimpl

@hookimpl
def mlperf_mobile_suites():
    yield SuitesInfo(settings="lab_round:suites.yaml", hook_api=(2, 0))
"""
ROUND = """
suites:
  lab1: {summary: a round of the lab, settings: {seeds: {qsl: 1, sample_index: 2, schedule: 3}}}
benchmarks:
  answers: {task: question_answering, suites: [lab1], settings: {scenario: single-stream}}
"""


def refused(phone, *words):
    """A run that must not begin: its error as one line."""
    site = phone.command.folder / "site"
    written = {
        "lab_round/__init__.py": SUITE, "lab_round/suites.yaml": ROUND,
        "lab_round-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab-round\nVersion: 1\n",
        "lab_round-1.dist-info/entry_points.txt": "[mlperf_mobile]\nlab = lab_round\n",
    }  # fmt: skip
    for path, text in written.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    done = phone.command(
        "run", *words, *FAST, "--quiet", "--device", phone.address, env={"PYTHONPATH": str(site)}
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if "error[" in line]
    assert done.returncode == 9, done.stderr
    assert len(dict.fromkeys(lines)) == 1
    assert "Traceback" not in done.stderr
    assert phone.runs == []
    return lines[0]


def test_a_phone_on_its_charger_in_a_submission(phones, tmp_path):
    """The accuracy run takes place: only the timed one is measured on battery."""
    line = refused(Phone(phones(charger="usb"), tmp_path), "--suite", "lab1", "--mode", "submission")
    assert "error[device-charging]: " in line
    assert "is charging, but a submission must be measured on battery; unplug it" in line


def test_an_old_android(phones, tmp_path):
    phone = Phone(phones(sdk=25, android="7.1.2", **BATTERY), tmp_path)
    line = refused(phone, "question_answering")
    assert "error[device-unusable]: " in line
    assert "Android 7.1.2 (API 25) is too old" in line
    assert "use a device with Android 8.0 or later" in line
    assert phone.stand_ins.state()["pushed_bytes"] == 0
