"""Compares runs over transports with local ones: their p50 in alternating runs, what was copied, and when.

The devices are this machine: an ssh server on loopback, and the stand-in for a phone's adbd with the real adb client.
So the same Python worker does the same work everywhere, and what differs is what the transport adds to the timed run:
nothing, if no command reaches the device meanwhile. The counters say so: commands that the stand-in served while the
timed run was under way, from its own count. A stand-in shows nothing about a phone's speed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from mlperf_mobile.testing.command import Command
from mlperf_mobile_device_adb.testing import StandIns
from mlperf_mobile_devices.testing import set_up


class Counting(threading.Thread):
    """Notes, about ten times a second, when a timed run goes on at the stand-in, and its count of commands then."""

    def __init__(self, stand_ins: StandIns, root: Path) -> None:
        super().__init__(daemon=True)
        self._stand_ins, self._root, self._over = stand_ins, root, threading.Event()
        self.during = 0
        """Commands between the first and the last look within a timed run."""
        self.looks = 0

    def run(self) -> None:
        first = last = None
        while not self._over.wait(0.1):
            if self._is_timed():
                last = int(self._stand_ins.state()["commands"])
                first = last if first is None else first
                self.looks += 1
        self.during = (last or 0) - (first or 0)

    def end(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join()

    def _is_timed(self) -> bool:
        for journal in (self._root / "runs").glob("*/events.jsonl"):
            with suppress(OSError):
                text = journal.read_bytes()
                # Progress is reported once the samples are encoded, which is part of the phase.
                return b'"phase":"performance"' in text and b'"part":"performance"' not in text
        return False


def measured(command: Command, words: list[str], device: str | None) -> dict[str, Any]:
    """The result of one run."""
    there = ["--device", device, "--runner", "python"] if device else []
    done = command("run", *words, "--quiet", "--json", *there, timeout=3600)
    (result,) = json.loads(done.stdout)["results"]
    if result["error"]:
        raise SystemExit(f"{device or 'local'}: {result['error']}")
    return dict(result)


def main() -> None:
    """Print the p50 of each way, its ratio to that of local runs, the bytes copied, and the commands meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a .tflite file of an image classifier; default: the quickstart's")
    parser.add_argument("--ssh", metavar="TARGET", help="HOST:PORT of an ssh server on this machine, set up for runs")
    parser.add_argument("--runs", type=int, default=5, help="runs of each way")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of a timed run")
    args = parser.parse_args()
    words = ["image_classification", "--mode", "performance", "--rules", "rapid", "--set", "threads=1"]
    words += ["--set", f"min_duration_s={args.seconds}", "--set", "max_duration_s=3600"]
    if args.model:
        words = [*words, "--model", str(args.model.resolve())]
    with ExitStack() as after:
        folder = Path(after.enter_context(tempfile.TemporaryDirectory(prefix="transports-")))
        stand_ins = after.enter_context(StandIns(charger="none"))
        root = Path(stand_ins.state()["tmp"]) / "mlperf-mobile"
        set_up(root)
        command = Command(folder, {**stand_ins.env, "XDG_STATE_HOME": str(folder / "state")})
        ways: dict[str, str | None] = {"local": None, "adb": f"adb:{stand_ins.serials[0]}"}
        if args.ssh:
            ways["ssh"] = f"ssh:{args.ssh}"
        p50: dict[str, list[float]] = {name: [] for name in ways}
        pushed: dict[str, list[int]] = {name: [] for name in ways}
        during, looks = 0, 0
        for _ in range(args.runs):
            for name, device in ways.items():
                counting = Counting(stand_ins, root) if name == "adb" else None
                if counting:
                    counting.start()
                result = measured(command, words, device)
                if counting:
                    counting.end()
                    during, looks = during + counting.during, looks + counting.looks
                p50[name].append(float(result["performance"]["latency_ns"]["p50"]))
                pushed[name].append(int(((result["device"] or {}).get("more") or {}).get("pushed_bytes", 0)))
        print(f"load: {os.getloadavg()[0]:.1f}; {args.runs} alternating runs of {args.seconds:g} s each")
        for name, values in p50.items():
            ratios = sorted(each / local for each, local in zip(values, p50["local"], strict=True))
            print(
                f"{name:6} p50 {statistics.median(values) / 1e3:10.1f} us   ratio to local: median "
                f"{statistics.median(ratios):.4f}, {ratios[0]:.4f} to {ratios[-1]:.4f}   bytes copied: "
                f"{pushed[name][0]} in the first run, {max(pushed[name][1:], default=0)} at most later"
            )
        print(f"adb: {during} commands at the device in {looks} looks within timed runs")


if __name__ == "__main__":
    main()
