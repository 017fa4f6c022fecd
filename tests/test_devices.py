"""Devices: a transport and a runner that are written here carry out runs, and no core line names them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mlperf_mobile.campaigns import device_lock
from mlperf_mobile.contracts import DeviceError

PLUGIN = """
    from mlperf_mobile.plugin import Need, Ref, RunnerInfo, TransportInfo, hookimpl

    @hookimpl
    def mlperf_mobile_transports():
        transport = Ref("drawer_parts:Drawer")
        yield TransportInfo(name="drawer", summary="a drawer of phones", transport=transport, runner="by-hand",
                            hook_api=(2, 1))
        need = Need(what="a cable", fix="connect one", programs=("no-such-cable",))
        yield TransportInfo(name="cabled", summary="phones", transport=transport, runner="by-hand", needs=(need,),
                            hook_api=(2, 1))

    @hookimpl
    def mlperf_mobile_runners():
        yield RunnerInfo(name="by-hand", summary="a runner", driver="drawer_driver", places=("drawer",),
                         hook_api=(2, 1))
        yield RunnerInfo(name="here", summary="a runner", driver="drawer_driver", places=("local",), hook_api=(2, 1))
"""

PARTS = """
    from mlperf_mobile.contracts import DeviceFacts, DeviceLost
    from mlperf_mobile.errors import UsageError

    class Drawer:
        root = "/tmp/drawer"

        def __init__(self, target):
            if not target.isdigit():
                raise UsageError("bad-device", f"drawers have numbers, not {target!r}", "write drawer:NUMBER")
            self.target = target

        def __enter__(self):
            return self

        def __exit__(self, *raised):
            pass

        run = push = pull = start = read = signal = remove = __exit__  # its runner needs none of them

        def facts(self):
            if self.target == "13":
                raise DeviceLost("no cable")
            return DeviceFacts(address=f"drawer:{self.target}", temperature_c=30.0)
"""

DRIVER = """
    import os, sys
    from mlperf_mobile import events
    from mlperf_mobile.worker.__main__ import main
    from mlperf_mobile.worker.surroundings import leave

    device = {"address": "drawer:7", "soc": "SM1", "temperature_c": 31.5, "more": {"battery.voltage_mv": 4100}}
    os.write(int(sys.argv[2]), events.encode(events.Measured(part="device", value=device)))
    leave(main())
"""
QUICK = ("--backend", "toy", "--set", "min_duration_s=0.1", "--set", "warmup_s=0.05")
FAST = ("--mode", "performance", "--set", "sleep_s=0.001", "--set", "min_duration_s=0.3")


@pytest.fixture
def drawer(command):
    command.write_plugin("drawer", PLUGIN, files={"drawer_parts.py": PARTS, "drawer_driver.py": DRIVER})
    return command


def plans(command, *arguments):
    found, done = command.json("run", "product", "--backend", "toy", "--dry-run", *arguments)
    assert done.returncode == 0
    return found["plans"]


def test_a_run_on_a_device(drawer):
    """The device's own runner is used, the result names both, and every reader takes it."""
    result, done = drawer.run(*FAST, "--device", "drawer:7")
    assert (done.returncode, result["valid"], result["runner"]) == (0, True, "by-hand")
    device = result["device"]
    assert (device["address"], device["soc"], device["temperature_c"]) == ("drawer:7", "SM1", 31.5)
    assert device["more"] == {"battery.voltage_mv": 4100}
    stored = json.loads((drawer.results / result["run_id"] / "plan.json").read_text())
    assert (stored["device"], stored["runner"]) == ("drawer:7", "by-hand")
    assert stored["offered_by"]["transport"] == stored["offered_by"]["runner"] == "drawer 1.0"
    _, done = drawer.json("check", result["directory"])
    assert done.returncode == 0


def test_another_runner_on_this_machine(drawer):
    result, done = drawer.run(*FAST, "--runner", "here")
    assert (done.returncode, result["runner"]) == (0, "here")


@pytest.mark.parametrize("device", [(), ("--device", "local"), ("--device", "")])
def test_this_machine(drawer, device):
    (plan,) = plans(drawer, *device)
    assert (plan["device"], plan["runner"]) == (None, "python")


def test_a_run_file_names_a_device(drawer):
    path = drawer.folder / "run.yaml"
    path.write_text("device: drawer:7\n")
    (plan,) = plans(drawer, "--config", str(path))
    assert plan["device"] == "drawer:7"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code", "words"),
    [
        (("--device", "7"), "bad-device", 2, "drawer:…"),
        (("--device", "drawer:"), "bad-device", 2, "KIND:TARGET"),
        (("--device", "drawer:\x1b[31m"), "bad-device", 2, "KIND:TARGET"),
        (("--device", "drawer:" + "7" * 300), "bad-device", 2, "KIND:TARGET"),
        (("--device", "drawer:seven"), "bad-device", 2, "write drawer:NUMBER"),
        (("--device", "drawers:7"), "unknown-transport", 2, "did you mean drawer?"),
        (("--device", "cabled:7"), "device-unusable", 9, "need a cable; connect one"),
        (("--device", "drawer:7", "--runner", "here"), "runner-place", 2, "choose another --runner: by-hand"),
        (("--runner", "by-hand"), "runner-place", 2, "choose another --runner: python, here"),
        (("--runner", "by-foot"), "unknown-runner", 2, "by-hand"),
    ],
)
def test_what_cannot_be_placed(drawer, arguments, code, exit_code, words):
    done = drawer("run", "product", "--backend", "toy", "--dry-run", *arguments)
    assert done.returncode == exit_code
    assert f"error[{code}]" in done.stderr
    assert words in done.stderr
    assert "\x1b" not in done.stderr


def test_what_a_backend_needs_is_not_looked_for_here(drawer):
    """The backend's runtime has to be on the device; only a run on this machine needs it here."""
    lacking = """
        from mlperf_mobile.plugin import BackendInfo, Need, Ref, hookimpl

        @hookimpl
        def mlperf_mobile_backends():
            yield BackendInfo(name="npu", summary="an NPU", vendor="Acme", backend=Ref("nowhere:Npu"),
                              model_formats=("toy",), needs=(Need(what="its SDK", fix="get it", modules=("no_sdk",)),),
                              hook_api=(2, 1))
    """
    drawer.write_plugin("npu", lacking)
    here = drawer("run", "product", "--backend", "npu", "--dry-run")
    assert "error[backend-unusable]" in here.stderr
    there, done = drawer.json("run", "product", "--backend", "npu", "--device", "drawer:7", "--dry-run")
    assert (done.returncode, there["plans"][0]["backend"]) == (0, "npu")


class TestSeveralDevices:
    """One process for each, all at the same time."""

    def test_each_has_its_result(self, drawer):
        found, done = drawer.json(
            "run", "product", *QUICK, *FAST, "--device", "drawer:7", "--device", "drawer:8", "--output", drawer.results
        )
        assert done.returncode == 0
        assert [plan_of(drawer, result)["device"] for result in found["results"]] == ["drawer:7", "drawer:8"]
        assert [each["exit_code"] for each in found["devices"]] == [0, 0]
        assert "[drawer:7] " in done.stderr
        assert "[drawer:8] " in done.stderr

    def test_one_that_fails_does_not_stop_the_other(self, drawer):
        found, done = drawer.json(
            "run", "product", *QUICK, *FAST, "--device", "drawer:seven", "--device", "drawer:8", "--quiet",
            "--output", drawer.results,
        )  # fmt: skip
        assert done.returncode == 2
        assert [result["valid"] for result in found["results"]] == [True]
        errors = {each["device"]: each["error"] for each in found["devices"]}
        assert errors["drawer:seven"]["code"] == "bad-device"
        assert errors["drawer:8"] is None

    def test_a_run_file_lists_them(self, drawer):
        path = drawer.folder / "run.yaml"
        path.write_text("device: [drawer:7, drawer:8, drawer:7]\n")
        found = plans(drawer, "--config", str(path))
        assert [plan["device"] for plan in found] == ["drawer:7", "drawer:8"]
        text = drawer("run", "product", "--backend", "toy", "--dry-run", "--config", path).stdout
        assert (text.count("drawer:7"), text.count("drawer:8")) == (2, 2)  # in the heading, and with its source

    def test_cards(self, drawer):
        done = drawer(
            "run", "product", *QUICK, *FAST, "--device", "drawer:7", "--device", "drawer:8", "--output", drawer.results
        )
        assert done.returncode == 0
        assert done.stdout.count("─ VALID ─") == 2
        assert "drawer:7" in done.stdout

    @pytest.mark.parametrize("value", ["[1, 2]", "[[a]]", "{a: b}", "7"])
    def test_a_list_of_something_else(self, drawer, value):
        path = drawer.folder / "run.yaml"
        path.write_text(f"device: {value}\n")
        done = drawer("run", "product", "--backend", "toy", "--config", path)
        assert done.returncode == 2
        assert "error[" in done.stderr


def plan_of(command, result):
    return json.loads((command.results / result["run_id"] / "plan.json").read_text())


def test_an_interrupt_reaches_every_device(installed):
    """Each run is stored as interrupted, and both are in the output."""
    installed.write_plugin("drawer", PLUGIN, files={"drawer_parts.py": PARTS, "drawer_driver.py": DRIVER})
    process = installed.start("--device", "drawer:7", "--device", "drawer:8", "--set", "min_duration_s=50")

    def both_are_timed():
        return sum(b'"performance"' in path.read_bytes() for path in installed.results.glob(".*.partial/events.jsonl"))

    deadline = time.monotonic() + 200
    while both_are_timed() < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=100)
    found = json.loads(output)
    assert process.returncode == 130
    assert sorted(result["status"] for result in found["results"]) == ["interrupted", "interrupted"]
    assert not [name for name in installed.leftovers() if name.startswith(".")]


EXECUTOR = """
    from mlperf_mobile.plugin import ExecutorInfo, Ref, hookimpl

    @hookimpl
    def mlperf_mobile_executors():
        for name in ("lab", "rack"):
            yield ExecutorInfo(name=name, summary="100% of another place", arguments=Ref(f"lab_parts:{name}"),
                               execute=Ref("lab_parts:execute"), hook_api=(2, 1))
        yield ExecutorInfo(name="broken", summary="broken", arguments=Ref("lab_parts:nothing"),
                           execute=Ref("lab_parts:execute"), hook_api=(2, 1))
"""
EXECUTOR_PARTS = """
    def lab(parser):
        parser.add_argument("--shelf", type=int)

    def rack(parser):
        pass

    def execute(address, args, campaign):
        plans = [] if campaign is None else [step.plan for step in campaign.steps]
        print("given", address, args.shelf, [(plan.device, plan.runner) for plan in plans], args.resume)
        return 7
"""


@pytest.fixture
def lab(command):
    command.write_plugin("lab", EXECUTOR, files={"lab_parts.py": EXECUTOR_PARTS})
    return command


def test_the_help_of_run_has_the_summary_of_an_executor(lab):
    done = lab("run", "--help")
    assert (done.returncode, "100% of another place" in done.stdout) == (0, True)


def test_an_executor_gets_the_planned_campaign(lab):
    done = lab("run", "product", "--backend", "toy", "--lab", "room:7", "--shelf", "3", "--repeat", "2")
    assert (done.returncode, done.stdout) == (7, "given room:7 3 [('*', '*'), ('*', '*')] None\n")
    assert "--broken cannot be used" in done.stderr
    assert lab.leftovers() == []


def test_an_executor_resumes_with_its_own_file(lab):
    done = lab("run", "--lab", "room:7", "--resume", "somewhere.json")
    assert (done.returncode, done.stdout) == (7, "given room:7 None [] somewhere.json\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--lab", "a", "--rack", "b"), "bad-flag", "--lab and --rack"),
        (("--lab", "a", "--device", "drawer:7"), "bad-device", "--device: the device of this run is chosen elsewhere"),
    ],
)
def test_what_an_executor_is_not_given(lab, arguments, code, words):
    done = lab("run", "product", "--backend", "toy", *arguments)
    assert done.returncode == 2
    assert f"error[{code}]" in done.stderr
    assert words in done.stderr


def test_without_an_executor_its_flag_is_unknown(command):
    done = command("run", "product", "--lab", "room:7")
    assert (done.returncode, "error[bad-arguments]" in done.stderr) == (2, True)


HOLDER = """
import sys
from mlperf_mobile.campaigns import device_lock
with device_lock.held({"drawer:7", "drawer:8", None}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_device_has_one_campaign_at_a_time(drawer, tmp_path):
    locks = {"TMPDIR": str(tmp_path)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | locks
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        run = ("run", "product", "--backend", "toy", *FAST, "--device")
        busy = subprocess.run(
            [sys.executable, "-m", "mlperf_mobile.cli.main", *run, "drawer:7"],
            env=drawer.environment(locks), cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert busy.returncode == 9
        assert f"error[device-busy]: drawer:7 is in use by process {holder.pid};" in busy.stderr
    finally:
        holder.kill()
        holder.communicate()
    free = subprocess.run(
        [sys.executable, "-m", "mlperf_mobile.cli.main", *run, "drawer:7"],
        env=drawer.environment(locks), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert free.returncode == 0, free.stderr


def test_a_lock_that_is_no_file(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with device_lock.held({"drawer:7"}):
        (path,) = tmp_path.iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeviceError) as caught, device_lock.held({"drawer:7"}):
        pass
    assert caught.value.code == "device-lock"
    assert not (tmp_path / "elsewhere").exists()
