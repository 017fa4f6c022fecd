"""Sends thousands of sessions to a farm of simulated devices, kills one host on the way, and checks every session.

``python benchmarks/farm.py [--devices 500] [--hosts 5] [--sessions 5000] [--seconds 20] [--seed 1]`` starts a scheduler
and the hosts, each as one process on loopback, and submits the sessions with one ``mlperf-mobile run --farm``. One host
is killed, and does not come back; which one and when follows from the seed. The devices are stand-ins that measure
nothing, so that this is about the farm only. At the end each session must be done, its runs must be in the folder of
results once, and nothing else may be there.

It prints seconds from the submitting command's start to its end and to its first event; the time that the devices alone
need, also with a host less from the kill on; CPU seconds of each process; and the share of the machine that others
used, because the farm shares it with them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

PROGRAM = Path(sys.executable).with_name("mlperf-mobile")


class Process:
    """One process of the farm, with its standard error in a file, and the CPU time that it used."""

    def __init__(self, name: str, folder: Path, *arguments: object) -> None:
        self.name, self.log, self.cpu_s = name, folder / f"{name}.log", 0.0
        environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder), "COLUMNS": "200"}
        with self.log.open("wb") as log, (folder / f"{name}.out").open("wb") as out:
            self.started = time.monotonic()
            self.popen = subprocess.Popen(
                [PROGRAM, *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                env=environment, start_new_session=True,
            )  # fmt: skip
        self._watched = psutil.Process(self.popen.pid)

    def look(self) -> None:
        """Take down the CPU time so far; also before the process ends, because nobody knows it afterwards."""
        try:
            times = self._watched.cpu_times()
            self.cpu_s = max(self.cpu_s, times.user + times.system)
        except psutil.Error:
            return

    def end(self) -> None:
        self.look()
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(30)
            except subprocess.TimeoutExpired:
                self.popen.kill()


class Load:
    """The share of the machine that processes other than the farm's use."""

    def __init__(self) -> None:
        self._before, self._seconds = psutil.cpu_times(), time.monotonic()

    def of_others(self, ours_s: float) -> float:
        """Cores that others kept busy, on average."""
        now = psutil.cpu_times()
        busy = sum(now) - now.idle - now.iowait - (sum(self._before) - self._before.idle - self._before.iowait)
        return (busy - ours_s) / (time.monotonic() - self._seconds)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(log: Path, words: str, count: int, process: Process, limit_s: float = 300) -> None:
    """Wait until the log says ``words`` so often.

    Raises:
        RuntimeError: The process ended, or takes too long.
    """
    deadline = time.monotonic() + limit_s
    while log.read_text().count(words) < count:
        if process.popen.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.name}: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def ideal_s(sessions: int, devices: int, hosts: int, seconds: float, killed_at_s: float | None) -> float:
    """Seconds that the devices need if nothing else takes any, with a host less after a moment; what it ran is lost."""
    if killed_at_s is None:
        return math.ceil(sessions / devices) * seconds
    before = int(killed_at_s // seconds)
    fewer = devices - devices // hosts
    left = sessions - before * devices - fewer  # those in progress on the others end at the next whole period
    return (before + 1) * seconds + max(0, math.ceil(left / fewer)) * seconds


class Watch(threading.Thread):
    """Takes the time of the first event, kills a host when enough sessions are done, and takes down CPU times."""

    def __init__(self, client: Process, every: list[Process], victim: Process | None, kill_after: int) -> None:
        super().__init__(daemon=True)
        self.client, self.every, self.victim, self.kill_after = client, every, victim, kill_after
        self.first_event_s: float | None = None
        self.killed_at_s: float | None = None
        self.over = threading.Event()

    def run(self) -> None:
        done = 0
        with self.client.log.open() as log:
            while not self.over.is_set():
                lines = log.readlines()
                if not lines:
                    for each in self.every:
                        each.look()
                    time.sleep(0.02)
                    continue
                now = time.monotonic() - self.client.started
                if self.first_event_s is None and any(" on simulated:" in line for line in lines):
                    self.first_event_s = now
                done += sum(line.rstrip().endswith(": done") for line in lines)
                if self.victim and self.killed_at_s is None and done >= self.kill_after:
                    self.victim.look()
                    self.victim.popen.kill()
                    self.killed_at_s = now


def check(document: dict[str, Any], output: Path, sessions: int) -> list[str]:
    """What is wrong with the results; empty if every session is there once."""
    wrong = []
    found = document["farm"]["sessions"]
    if len(found) != sessions or len({each["id"] for each in found}) != sessions:
        wrong.append(f"{len(found)} sessions instead of {sessions}")
    counted: list[str] = []
    for each in found:
        done = [attempt for attempt in each["attempts"] if attempt["state"] == "done"]
        if each["state"] != "done" or len(done) != 1:
            wrong.append(f"{each['id']} is {each['state']} after {[attempt['state'] for attempt in each['attempts']]}")
        counted += [run for attempt in done for run in attempt["runs"]]
    folders = {path.parent.name for path in output.glob("*/result.json")}
    attempted = {run for each in found for attempt in each["attempts"] for run in attempt["runs"]}
    if len(counted) != len(set(counted)) or len(counted) != sessions:
        wrong.append(f"{len(counted)} runs that count, {len(set(counted))} of them different")
    if attempted != folders:
        wrong.append(f"{len(folders - attempted)} folders of no attempt, {len(attempted - folders)} without a folder")
    if hidden := [path.name for path in output.glob(".*")]:
        wrong.append(f"hidden files are left: {hidden[:3]}")
    said = {run: json.loads((output / run / "result.json").read_text())["run_id"] for run in counted}
    wrong += [f"{run} is another run" for run, name in said.items() if name != run]
    return wrong


def measure(args: argparse.Namespace, folder: Path) -> bool:
    """One run of everything; returns whether all sessions are there."""
    dice = random.Random(args.seed)
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as ends:

        def started(name: str, *arguments: object) -> Process:
            process = Process(name, folder, *arguments)
            ends.callback(process.end)
            return process

        serve = ("farm", "serve", "--no-discovery", "--name")
        scheduler = started("scheduler", *serve, "scheduler", "--new", "--port", port, "--directory", folder / "s")
        wait_for(scheduler.log, "serves", 1, scheduler)
        each = args.devices // args.hosts
        begun = time.monotonic()
        hosts = [
            started(f"host{number}", *serve, f"host{number}", address, "--directory", folder / f"h{number}",
                    "--simulate", f"{each}?lasts={args.seconds:g}")
            for number in range(1, args.hosts + 1)
        ]  # fmt: skip
        for host in hosts:
            wait_for(host.log, "is offered", each, host)
        print(f"{args.devices} simulated devices on {args.hosts} hosts offered in {time.monotonic() - begun:.1f} s")
        victim = dice.choice(hosts)
        kill_after = round(args.sessions * dice.uniform(0.1, 0.9))
        every = [scheduler, *hosts]
        for process in every:
            process.look()
        earlier = {process.name: process.cpu_s for process in every}
        load, averages = Load(), os.getloadavg()
        output = folder / "results"
        client = started(
            "client", "run", "image_classification", "--mode", "performance", "--farm", address, "--output", output,
            "--count", args.sessions, "--json",
        )  # fmt: skip
        watch = Watch(client, [*every, client], None if args.no_kill else victim, kill_after)
        watch.start()
        code = client.popen.wait()
        total_s = time.monotonic() - client.started
        watch.over.set()
        watch.join()
        for process in every:
            process.look()
        ours = {process.name: process.cpu_s - earlier.get(process.name, 0) for process in [*every, client]}
        others = load.of_others(sum(ours.values()))
    killed = watch.killed_at_s
    alone = ideal_s(args.sessions, args.devices, args.hosts, args.seconds, None)
    fewer = ideal_s(args.sessions, args.devices, args.hosts, args.seconds, killed)
    print(f"load average {averages[0]:.1f} at the start, {os.getloadavg()[0]:.1f} at the end; "
          f"others kept {others:.2f} of {os.cpu_count()} cores busy")  # fmt: skip
    if killed is not None:
        print(f"{victim.name} was killed after {killed:.1f} s, when {kill_after} sessions were done")
    first = "none" if watch.first_event_s is None else f"{watch.first_event_s:.2f} s"
    print(f"exit code {code}; first event {first} after the command's start")
    print(f"{args.sessions} sessions of {args.seconds:g} s: {total_s:.1f} s; "
          f"ideal {alone:.0f} s, {fewer:.0f} s without the killed host")  # fmt: skip
    print("CPU: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in ours.items())
          + f"; together {sum(ours.values()) / total_s:.2f} cores")  # fmt: skip
    text = (folder / "client.out").read_text()
    if not text:
        print(f"no output: {client.log.read_text()[-2000:]}")
        return False
    document = json.loads(text)
    if "farm" not in document:
        print(text)
        return False
    wrong = check(document, output, args.sessions)
    again = sum(len(session["attempts"]) > 1 for session in document["farm"]["sessions"])
    submitted = document["farm"]["first_event_s"]
    print(f"first event {submitted:.2f} s after submission; {again} sessions were tried again")
    for line in wrong[:20]:
        print(f"WRONG: {line}")
    print("every session is there once" if not wrong else f"{len(wrong)} errors")
    return not wrong


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--hosts", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-kill", action="store_true", help="kill no host")
    parser.add_argument("--keep", type=Path, help="a new folder for everything, which is kept")
    args = parser.parse_args()
    with ExitStack() as ends:
        if args.keep:
            args.keep.mkdir(parents=True)
        folder = args.keep or Path(ends.enter_context(tempfile.TemporaryDirectory()))
        return 0 if measure(args, folder.absolute()) else 1


if __name__ == "__main__":
    sys.exit(main())
