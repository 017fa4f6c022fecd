"""Kills a campaign's launcher at every single write, or fills the disk from there on, and checks that nothing is lost.

``python benchmarks/kill_points.py [--every N]`` runs a campaign of two runs with an instant stand-in for the worker, in
a child process that is killed at its first write, its second, and so on until it completes. The campaign is then
resumed, every other time with a second kill on the way. Then each run of the campaign must have one completed result,
every run that had measured anything a result with all latencies, and no hidden files may be left. This is repeated with
a disk that is full from the Nth write on, and has room again when the campaign is resumed.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import signal
import struct
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlperf_mobile import events
from mlperf_mobile.campaigns.campaign import Campaign, again, read
from mlperf_mobile.cli import run as command
from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import OutputError
from mlperf_mobile.launch import local
from mlperf_mobile.launch.process import Exit
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Status
from mlperf_mobile.terms import Cooldown

LATENCIES = 40
_PATCHED = ("open", "write", "fsync", "ftruncate", "rename", "replace", "mkdir", "unlink", "rmdir", "chmod")
_NEED_ROOM = ("open", "write", "fsync", "mkdir")
_LOG = ':::MLLOG {"key": "loadgen_version", "value": "6"}\n:::MLLOG {"key": "result_validity", "value": "VALID"}\n'


@dataclass
class Tally:
    """The points tried, and the losses."""

    points: int = 0
    measurements: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0


class InstantWorker:
    """Reports and writes immediately what a worker does; replaces ``launch.process.Worker``."""

    measures = True

    def __init__(self, folder: Path, mark: str, module: str, attach: bool = False) -> None:
        self.process = SimpleNamespace(pid=0, poll=lambda: 0)
        self.log = SimpleNamespace(trim=lambda: None)
        with _untouched():
            self._write_files(folder)
            self.events_fd, writing = os.pipe()
            os.write(writing, b"".join(map(events.encode, _reported())))
            os.close(writing)

    def _write_files(self, folder: Path) -> None:
        (folder / store.WORKER_LOG).write_text("the last words\n")
        (folder / "latencies.bin").write_bytes(struct.pack(f"<{LATENCIES}q", *range(1, LATENCIES + 1)))
        for part in ("performance", "accuracy"):
            (folder / part).mkdir()
            (folder / part / "mlperf_log_detail.txt").write_text(_LOG)

    def tell(self, line: bytes) -> None:
        """Nothing to do: it has finished."""

    def wait(self, seconds: float) -> None:
        """Nothing to do: it has ended."""

    def end(self) -> Exit:
        return Exit(0, killed=False, out_of_memory=False, left_behind=())


def _reported() -> Iterator[events.Event]:
    """All events of a worker in a run of performance and accuracy."""
    yield events.Phase(name="load")
    yield events.Measured(part="environment", value={"cpu.model": "none"})
    yield events.Phase(name="performance")
    yield events.Progress(phase="performance", done=LATENCIES, total=LATENCIES, fraction=1.0, elapsed_s=1.0)
    numbers = {"latency_ns": {"p50": 20.0, "p90": 36.0}, "throughput": 40.0, "queries": LATENCIES,
               "samples": LATENCIES, "duration_s": 1.0}  # fmt: skip
    yield events.Measured(part="performance", value=numbers)
    yield events.Phase(name="accuracy")
    yield events.Measured(
        part="accuracy", value={"metric": "m", "value": 1.0, "samples": 3, "duration_s": 0.1, "details": {}}
    )
    yield events.Ended()


class _Touched:
    """Counts the calls that change files, and injects a fault at one of them."""

    def __init__(self) -> None:
        self.count, self.at, self.fault, self.on = 0, 0, "", False
        self.real = {name: getattr(os, name) for name in _PATCHED}
        self.real_open = io.open

    def install(self, at: int, fault: str) -> None:
        """From now on ``fault`` (``kill`` or ``full``) happens at the call number ``at``."""
        self.count, self.at, self.fault, self.on = 0, at, fault, True
        for name in _PATCHED:
            setattr(os, name, self._wrapped(name))
        io.open = self._open

    def _wrapped(self, name: str) -> Callable[..., Any]:
        real = self.real[name]

        def call(*args: Any, **more: Any) -> Any:
            if self.on and not (name == "open" and not args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)):
                self._reached(name, args)
            return real(*args, **more)

        return call

    def _open(self, file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if self.on and set(mode) & set("wax+"):
            self._reached("open", (file,))
        return self.real_open(file, mode, *args, **more)

    def _reached(self, name: str, args: tuple[Any, ...]) -> None:
        self.count += 1
        if self.fault == "kill" and self.count == self.at:
            if name == "write":
                self.real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])  # torn
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "full" and self.count >= self.at > 0 and name in _NEED_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


TOUCHED = _Touched()
BROKEN = 99
"""Exit code of an attempt that raised."""


@contextlib.contextmanager
def _untouched() -> Iterator[None]:
    before, TOUCHED.on = TOUCHED.on, False
    try:
        yield
    finally:
        TOUCHED.on = before


def plan() -> Plan:
    """Any plan of performance and accuracy; it is not executed."""
    given = {"tasks": "image_classification", "telemetry_interval_s": "0"}
    return resolve(Registry(), Request(flags=from_assignments(f"{k}={v}" for k, v in given.items()))).plans[0]


def attempt(place: Path, first: Plan | None, at: int, fault: str) -> tuple[int, int]:
    """Begin the campaign in ``place``, or resume it, in a child; returns its exit status, and its number of calls."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = BROKEN
        try:
            os.close(reading)
            local.Worker = InstantWorker  # type: ignore[assignment,attr-defined]
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
            TOUCHED.install(at, fault)
            code = _carry_out(place, first)
        finally:
            TOUCHED.on = False
            os.write(writing, str(TOUCHED.count).encode())
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        calls = int(pipe.read() or 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), calls


def _carry_out(place: Path, first: Plan | None) -> int:
    arguments = argparse.Namespace(resume=None, json=True, quiet=True)
    try:
        if first:
            campaign = Campaign.of([again(first), again(first)], place, "both", Cooldown.FIXED, 0.0)
            with campaign.owned():
                return int(command._carry_out(arguments, campaign))
        kept = sorted(place.glob("*.session.json"))
        if not kept:
            return 3
        arguments.tasks, arguments.set, arguments.config, arguments.dry_run = [], [], None, False
        arguments.resume, arguments.repeat = kept[0], 1
        return int(command._resume(arguments))
    except OutputError as error:
        return int(error.exit_code)


def measured(place: Path) -> set[str]:
    """The runs that have measured anything."""
    folders = [path for path in place.glob("*") if (path / "latencies.bin").exists()]
    folders += [path for path in place.glob(".*") if (path / "latencies.bin").exists()]
    return {path.name.removeprefix(".").removesuffix(store.PARTIAL) for path in folders}


def losses(place: Path, before: set[str]) -> list[str]:
    """The losses of a finished campaign."""
    found = []
    if hidden := [path.name for path in place.glob(".*")]:
        found.append(f"left behind: {hidden}")
    results = {path.name: store.read(path) for path in place.iterdir() if path.is_dir() and path.name[0] != "."}
    for run in sorted(before):
        performance = results[run].performance if run in results else None
        if performance is None or performance.samples != LATENCIES:
            found.append(f"{run} had measured, and has {'no numbers' if run in results else 'no result'}")
    for name, result in results.items():
        values = array("q", (place / name / "latencies.bin").read_bytes()) if result.performance else ()
        if name != result.run_id or (result.performance and list(values) != [*range(1, LATENCIES + 1)]):
            found.append(f"{name} is not the result of its folder")
        if (place / name / store.EVENTS).read_text().count('"event":"concluded"') != 1:
            found.append(f"{name} does not have exactly one end")
    (kept,) = place.glob("*.session.json")
    steps = read(kept).steps
    final = [results.get(step.result or "") for step in steps]
    if any(step.state != "done" for step in steps) or len({step.result for step in steps}) != len(steps):
        found.append(f"the campaign is not done: {[(str(step.state), step.result) for step in steps]}")
    if any(result is None or result.status is not Status.COMPLETED or not result.accuracy for result in final):
        found.append("a run of the campaign has no completed result")
    if sum(result.status is Status.COMPLETED for result in results.values()) != len(steps):
        found.append("a run was measured twice")
    return found


def try_all(fault: str, every: int = 1, offset: int = 0) -> Tally:
    """Try ``fault`` at every call that changes files, or at each ``every``-th."""
    tally, first, began = Tally(), plan(), time.monotonic()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="kill-points-", dir=memory) as folder:
        for at in range(1 + offset, 100_000, every):
            place = Path(folder) / str(at)
            place.mkdir()
            code, _ = attempt(place, first, at, fault)
            if code in (0, 1):
                break
            tally.points += 1
            known = measured(place)
            if list(place.glob("*.session.json")):
                if at % 2:
                    attempt(place, None, 1 + at * 7 % 90, fault)
                    known |= measured(place)
                for _ in range(3):
                    code, _ = attempt(place, None, 0, "")
                if code == BROKEN:
                    raise RuntimeError("a campaign without faults raises; this script may be behind the launcher")
                if code not in (0, 1):
                    tally.lost.append(f"{fault} at {at}: it cannot be resumed, exit code {code}")
                    continue
                tally.measurements += len(known)
                tally.lost += [f"{fault} at {at}: {loss}" for loss in losses(place, known)]
            elif known:
                tally.lost.append(f"{fault} at {at}: measured without a campaign")
    tally.seconds = time.monotonic() - began
    return tally


def main() -> int:
    """Print the points tried and the losses; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth point")
    args = parser.parse_args()
    lost = 0
    for fault in ("kill", "full"):
        tally = try_all(fault, args.every)
        for text in tally.lost:
            print(text)
        lost += len(tally.lost)
        print(
            f"{fault}: {tally.points} points tried, {tally.measurements} measurements made before them, "
            f"{len(tally.lost)} lost, {tally.seconds:.0f} s"
        )
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
