"""A farm: a scheduler and two hosts with simulated devices, as processes on loopback, and the command on them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time

import pytest

from mlperf_mobile.testing.command import PROGRAM, Command

pytest.importorskip("distributed", reason="mlperf-mobile-farm is not installed")

pytestmark = pytest.mark.usefixtures("processes")
ALL_SESSIONS = ("product", "--backend", "toy", "--mode", "performance")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Served:
    """A ``farm serve`` process."""

    def __init__(self, command, *arguments, name, scheme="tcp", env=None):
        self.folder, self.name = command.folder, name
        self.log = self.folder / f"{name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            words = ["farm", "serve", *arguments, "--name", name, "--directory", self.folder / name, "--every", "0.5"]
            self.process = subprocess.Popen(
                [PROGRAM, *map(str, words)], cwd=self.folder, env=command.environment(env), stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def until(self, words, count=1, timeout=120):
        deadline = time.monotonic() + timeout
        while (text := self.log.read_text()).count(words) < count:
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


class FarmFixture:
    """A farm that starts hosts, and runs on them."""

    def __init__(self, command):
        self.command, self.port = command, free_port()
        self.folder = command.folder
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = Served(command, "--new", "--port", self.port, "--no-discovery", name="scheduler")
        self.hosts = {}
        self.scheduler.until("serves")

    def host(self, name, *arguments, devices=0):
        self.hosts[name] = Served(self.command, self.address, "--no-discovery", *arguments, name=name)
        return self.hosts[name].until("is offered", devices)

    def run(self, *arguments, **more):
        found, done = self.command.json(*self._command(arguments), **more)
        return found, done

    def _command(self, arguments):
        output = () if "--output" in arguments else ("--output", self.command.results)
        return "run", *ALL_SESSIONS, "--farm", self.address, *output, *arguments

    def status(self):
        found, done = self.command.json("farm", "status", self.address)
        assert done.returncode == 0
        return found

    def devices(self):
        return {each["address"]: each for host in self.status()["hosts"] for each in host["devices"]}

    def start(self, *arguments):
        """A command that runs on the farm, in the background."""
        return Command.start(self.command, *self._command(arguments), "--json")

    def close(self):
        for each in (*self.hosts.values(), self.scheduler):
            each.stop()


@pytest.fixture(scope="module")
def farm(shared_command):
    """Two hosts: one with two phones of one kind, one with a phone of another kind and a label of its own."""
    farm = FarmFixture(shared_command)
    try:
        farm.host("lab1", "--simulate", "2?soc=SM8750&lasts=0.4", devices=2)
        farm.host("lab2", "--simulate", "1?soc=Dimensity&lasts=1.5", "--label", "shelf=top", devices=1)
        yield farm
    finally:
        farm.close()


def run_ids(folder):
    return sorted(json.loads(path.read_text())["run_id"] for path in folder.glob("*/result.json"))


def assert_each_session_once(found, folder):
    """Every session is done, by one attempt that counts; every run of every attempt is in the folder, once."""
    assert "farm" in found, found
    sessions = found["farm"]["sessions"]
    assert [session["state"] for session in sessions] == ["done"] * len(sessions)
    done = [[each for each in session["attempts"] if each["state"] == "done"] for session in sessions]
    assert [len(attempts) for attempts in done] == [1] * len(sessions)
    attempted = [run for session in sessions for each in session["attempts"] for run in each["runs"]]
    assert sorted(attempted) == run_ids(folder)
    assert len(set(attempted)) == len(attempted)
    assert not list(folder.glob(".*.fetching"))


def ended(process, timeout=240):
    out, err = process.communicate(timeout=timeout)
    return json.loads(out), process.returncode, err


def wait_until(seen, timeout=120):
    deadline = time.monotonic() + timeout
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def one_line(done, code):
    """The error of a command that failed with one line."""
    (line,) = done.stderr.splitlines()
    assert f"error[{code}]" in line
    return line


def test_sessions_run_on_the_devices_that_match(farm):
    found, done = farm.run("--where", "soc=SM8750", "--count", "4")
    assert done.returncode == 1  # simulated results do not count
    assert_each_session_once({"farm": found["farm"]}, farm.command.results)
    sessions = found["farm"]["sessions"]
    assert {attempt["host"] for session in sessions for attempt in session["attempts"]} == {"lab1"}
    assert len({attempt["device"] for session in sessions for attempt in session["attempts"]}) == 2
    assert len({result["run_id"] for result in found["results"]}) == 4
    for result in found["results"]:
        assert result["device"]["soc"] == "SM8750"
        assert "simulated" in result["functional_only"]
        assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["real-hardware"]


def test_one_session_on_every_device_that_matches(farm, tmp_path):
    found, _ = farm.run("--count", "all", "--where", "shelf=top", "--output", tmp_path / "one")
    (session,) = found["farm"]["sessions"]
    assert session["attempts"][0]["device"].startswith("simulated:lab2-1")
    found, _ = farm.run("--count", "all", "--output", tmp_path / "all")
    assert_each_session_once(found, tmp_path / "all")
    used = sorted(each["attempts"][0]["device"] for each in found["farm"]["sessions"])
    assert used == sorted(farm.devices())


def test_the_terminal_shows_what_runs_where_and_why_sessions_wait(farm, tmp_path):
    done = farm.command("run", *ALL_SESSIONS, "--farm", farm.address, "--count", "3", "--where", "shelf=top",
                        "--output", tmp_path / "shown")  # fmt: skip
    assert re.search(r"session \d on simulated:lab2-1\S+ of lab2: (begins|\S+ performance)", done.stderr), done.stderr
    assert re.search(r"\d waiting; \d for shelf=top: the only device with these labels is in use", done.stderr)
    assert "session 3 on simulated:lab2-1?soc=Dimensity&lasts=1.5 of lab2: done" in done.stderr
    assert done.stdout.count("INVALID because real-hardware") == 3
    assert all(line.startswith("farm: ") for line in done.stderr.splitlines()), done.stderr


def test_status_lists_hosts_devices_and_labels(farm):
    found = farm.status()
    assert found["schema"] == 1
    hosts = {host["host"]: host for host in found["hosts"]}
    assert {name: len(host["devices"]) for name, host in hosts.items()} == {"scheduler": 0, "lab1": 2, "lab2": 1}
    (device,) = hosts["lab2"]["devices"]
    assert device["state"] == "free"
    assert device["labels"] | {"shelf": "top", "kind": "simulated", "host": "lab2"} == device["labels"]
    shown = farm.command("farm", "status", farm.address)
    assert "host lab1: 2 free" in shown.stdout
    assert shown.stderr == ""


def test_status_shows_a_job_and_what_it_waits_for(farm, tmp_path):
    process = farm.start("--where", "soc=none", "--wait", "60", "--output", tmp_path / "waits")
    try:
        (job,) = wait_until(lambda: farm.status()["jobs"])
        assert job["waiting"] == 1
        assert job["reasons"] == ["1 for soc=none: no device that can be used has these labels"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130


def test_a_job_that_nobody_can_serve_says_so_after_a_limit(farm, tmp_path):
    done = farm.command("run", *ALL_SESSIONS, "--farm", farm.address, "--where", "soc=SM9999", "--wait", "3",
                        "--quiet", "--output", tmp_path / "unserved")  # fmt: skip
    assert done.returncode == 9
    line = one_line(done, "farm-unserved")
    assert "soc=SM9999 for 3 s" in line
    assert "soc: Dimensity (1), SM8750 (2)" in line


def test_a_drained_farm_takes_no_sessions_until_it_is_offered_again(farm, tmp_path):
    for host in ("lab1", "lab2"):
        assert farm.command("farm", "drain", host, "--farm", farm.address).returncode == 0
    try:
        done = farm.command("run", *ALL_SESSIONS, "--farm", farm.address, "--wait", "3", "--quiet",
                            "--output", tmp_path / "drained")  # fmt: skip
        assert done.returncode == 9
        assert "lab2-1?soc=Dimensity&lasts=1.5 is drained" in one_line(done, "farm-unserved")
        assert {device["state"] for device in farm.devices().values()} == {"drained"}
    finally:
        for host in ("lab1", "lab2"):
            assert farm.command("farm", "drain", host, "--undo", "--farm", farm.address).returncode == 0
    _, done = farm.run("--output", tmp_path / "again")
    assert done.returncode == 1


def test_what_is_not_in_the_farm_cannot_be_drained(farm):
    done = farm.command("farm", "drain", "lab9", "--farm", farm.address)
    assert done.returncode == 2
    assert "hosts: lab1, lab2, scheduler" in one_line(done, "farm-unknown")


def test_a_device_that_is_in_use_on_its_host_is_waited_for(farm, tmp_path):
    """A local run and a session of the farm share the lock of the device."""
    device = next(name for name in farm.devices() if "lab2-1" in name)
    local = Command.start(farm.command, "run", *ALL_SESSIONS, "--device", device, "--quiet",
                               "--set", "min_duration_s=0.1", "--output", tmp_path / "local")  # fmt: skip
    wait_until(lambda: list(tmp_path.glob("local/.*")))  # it holds the device
    found, _ = farm.run("--where", "shelf=top", "--output", tmp_path / "farm")
    _, errors = local.communicate(timeout=120)
    assert local.returncode in (0, 1), errors
    assert_each_session_once(found, tmp_path / "farm")
    both = [json.loads(path.read_text()) for path in tmp_path.glob("*/*/result.json")]
    assert len(both) == 2
    assert all(result["status"] == "completed" for result in both)


def test_an_interrupted_command_is_resumed_without_measuring_twice(farm, tmp_path):
    folder = tmp_path / "resumed"
    process = farm.start("--count", "8", "--where", "soc=SM8750", "--output", folder)
    wait_until(lambda: len(run_ids(folder)) >= 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    (file,) = folder.glob("*.farm.json")
    assert f"--resume {file}" in err
    before = run_ids(folder)
    found, done = farm.command.json("run", "--farm", farm.address, "--resume", file, "--quiet")
    assert done.returncode == 1
    assert_each_session_once(found, folder)
    assert set(before) <= set(run_ids(folder))
    after = run_ids(folder)
    found, _ = farm.command.json("run", "--farm", farm.address, "--resume", file, "--quiet")
    assert run_ids(folder) == after  # nothing is left to do
    assert len(found["results"]) == 8


@pytest.mark.parametrize("results", [0, 1, 3])
def test_a_command_that_was_killed_is_resumed_without_measuring_twice(farm, tmp_path, results):
    """Hosts keep what they measured for it; what was under way is awaited, or was interrupted and is measured again."""
    folder = tmp_path / "killed"
    process = farm.start("--count", "6", "--where", "soc=SM8750", "--output", folder)
    wait_until(lambda: list(folder.glob("*.farm.json")) and len(run_ids(folder)) >= results)
    process.kill()
    process.communicate(timeout=60)
    (file,) = folder.glob("*.farm.json")
    found, _ = farm.command.json("run", "--farm", farm.address, "--resume", file, "--quiet")
    assert_each_session_once(found, folder)


def test_a_lost_device_is_tried_elsewhere_or_again_and_every_attempt_is_kept(command):
    farm = FarmFixture(command)
    try:
        farm.host("lab1", "--simulate", "2?lasts=0.3&loss=0.4&absent=1&seed=5", devices=2)
        found, done = farm.run("--count", "8")
        assert done.returncode == 1
        assert_each_session_once(found, command.results)
        lost = [
            each for session in found["farm"]["sessions"] for each in session["attempts"] if each["state"] == "lost"
        ]
        assert lost
        assert {each["error"]["code"] for each in lost} == {"device-lost"}
        for run in (run for each in lost for run in each["runs"]):
            assert json.loads((command.results / run / "result.json").read_text())["error"]["code"] == "device-lost"
    finally:
        farm.close()


def test_a_measurement_that_is_not_valid_is_never_repeated(farm):
    """All results of simulated devices are invalid, and each session has one attempt."""
    found, _ = farm.run("--count", "3", "--output", farm.folder / "invalid")
    assert not any(result["valid"] for result in found["results"])
    assert [len(session["attempts"]) for session in found["farm"]["sessions"]] == [1, 1, 1]


def test_a_simulated_device_is_never_submitted(inside):
    """Whatever else is right: the verdict, the check and the export each refuse it."""
    suite = """
        suites:
          lab1: {summary: a round of the lab, settings: {seeds: {qsl: 1, sample_index: 2, schedule: 3}}}
        benchmarks:
          product: {task: product, suites: [lab1], settings: {scenario: single-stream}}
    """
    plugin = """
        from mlperf_mobile.plugin import SuitesInfo, hookimpl

        @hookimpl
        def mlperf_mobile_suites():
            yield SuitesInfo(settings="lab_parts:suites.yaml", hook_api=(2, 0))
    """
    inside.write_plugin("lab", plugin, files={"lab_parts/__init__.py": "", "lab_parts/suites.yaml": suite})
    found, done = inside.json(
        "run", "--suite", "lab1", "--backend", "toy", "--mode", "submission", "--device", "simulated:phone?lasts=0.2",
        "--set", "cooldown_s=0", "--quiet",
    )  # fmt: skip
    assert done.returncode == 1
    assert len(found["results"]) == 2
    for result in found["results"]:
        failed = {rule["name"] for rule in result["rules"] if not rule["ok"]}
        assert {"real-hardware", "real-device"} & failed, result["mode"]
        assert not result["valid"]
        assert not result["submittable"]
        assert "simulated" in result["functional_only"]
        out = inside.folder / f"out-{result['mode']}"
        exported = inside("export", result["directory"], "--format", "submission", "--submitter", "Me",
                          "--device", "phone", "--output", out)  # fmt: skip
        assert exported.returncode != 0
        code = "log-missing" if result["mode"] == "performance" else "nothing-to-export"
        assert f"error[{code}]" in exported.stderr
        assert not list(out.glob("**/mlperf_log_detail.txt"))


@pytest.fixture(scope="module")
def secured(shared_command):
    folder, port = shared_command.folder, free_port()
    for name in ("farm", "other"):
        assert shared_command("farm", "certificate", folder / f"{name}.pem").returncode == 0
    served = Served(shared_command, "--new", "--port", port, "--no-discovery", "--simulate", "1?lasts=0.2",
                    "--token", folder / "farm.pem", name="secured")  # fmt: skip
    try:
        served.until("is offered", 1)
        yield shared_command, f"tls://127.0.0.1:{port}", folder
    finally:
        served.stop()


class TestToken:
    """TLS and a token: the farm and everybody who uses it have the same file."""

    def test_with_the_token_it_runs(self, secured, tmp_path):
        command, address, folder = secured
        found, done = command.json("run", *ALL_SESSIONS, "--farm", address, "--token", folder / "farm.pem", "--quiet",
                                   "--output", tmp_path / "out")  # fmt: skip
        assert done.returncode == 1
        assert_each_session_once(found, tmp_path / "out")

    def test_without_a_token(self, secured):
        command, address, _ = secured
        done = command("farm", "status", address, env={"XDG_CONFIG_HOME": str(command.folder / "empty")})
        assert done.returncode == 9
        assert "--token FILE or MLPERF_FARM_TOKEN=FILE" in one_line(done, "farm-token")

    def test_with_the_token_of_another_farm(self, secured):
        """Its certificate is signed by another authority."""
        command, address, folder = secured
        done = command("farm", "status", address, "--token", folder / "other.pem")
        assert done.returncode == 9
        assert "does not accept this token" in one_line(done, "farm-token")

    def test_with_another_authority_in_the_token(self, secured):
        """The scheduler is not who it should be: the client refuses it."""
        command, address, folder = secured
        parts = [
            (folder / f"{name}.pem").read_text().split("-----END CERTIFICATE-----\n") for name in ("farm", "other")
        ]
        mixed = folder / "mixed.pem"
        mixed.touch(mode=0o600)
        mixed.write_text("-----END CERTIFICATE-----\n".join((parts[0][0], parts[1][1], parts[0][2])))
        done = command("farm", "status", address, "--token", mixed)
        assert done.returncode == 9
        assert "copy the token file" in one_line(done, "farm-token")

    def test_without_tls(self, secured):
        command, address, _ = secured
        done = command("farm", "status", address.replace("tls", "tcp"), timeout=120)
        assert done.returncode == 9
        one_line(done, "farm-token")

    def test_a_token_that_others_can_read(self, secured):
        command, address, folder = secured
        loose = folder / "loose.pem"
        loose.write_text((folder / "farm.pem").read_text())
        loose.chmod(0o644)
        done = command("farm", "status", address, "--token", loose)
        assert f"chmod 600 {loose}" in one_line(done, "farm-token")


@pytest.mark.parametrize(
    ("arguments", "code", "remedy"),
    [
        (("farm", "status", "http://lab:8786"), "farm-address", "write tls://HOST:8786"),
        (("farm", "status", "tcp://127.0.0.1:1"), "farm-unreachable", "mlperf-mobile farm serve --new starts one"),
        (("farm", "serve"), "farm-address", "or --new"),
        (("run", *ALL_SESSIONS, "--farm", "127.0.0.1", "--where", "soc"), "farm-label", "soc=SM8750"),
        (("run", *ALL_SESSIONS, "--farm", "127.0.0.1", "--count", "0"), "bad-value", "--count 5"),
    ],
)
def test_what_cannot_be_used_is_refused_with_one_line(command, arguments, code, remedy):
    done = command(*arguments, timeout=120)
    assert done.returncode in (2, 9)
    assert remedy in one_line(done, code)
