"""Counts how runs on a stand-in for a phone end when something happens to it, at many moments of the run.

Each trial runs a quickstart benchmark on the stand-in, with the real adb client and the Python worker, and lets one
fault strike at one moment. Every end must be the right result, or an error that names the fault; ``device-lost`` is
taken up with ``attach``. Afterwards nothing of the run may be left on the device, its settings must be restored, and a
next run must be valid. Two devices of one serial cannot be had over TCP: a test of the transport covers them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile.testing.command import Command
from mlperf_mobile_device_adb.testing import StandIns
from mlperf_mobile_devices.testing import set_up

TASK = "question_answering"
FAST = (
    "--runner",
    "python",
    "--rules",
    "rapid",
    "--set",
    "min_duration_s=2",
    "--set",
    "warmup_s=0.1",
    "--set",
    "device_timeout_s=4",
)
SETTINGS = "settings get global stay_on_while_plugged_in; dumpsys deviceidle enabled; dumpsys power | grep mWake"
WAIT_S = 600.0


@dataclass(frozen=True)
class Fault:
    """Something that happens to a device.

    Args:
        strikes: The line that controls the stand-in; ``{}`` is the moment's share, from 0 to 1, of ``most``.
        undo: The line that ends it; empty if it ends by itself.
        codes: The errors that name it.
        most: What the share is of; 0 if the fault strikes at that share of a run's time.
    """

    strikes: str
    undo: str = ""
    codes: tuple[str, ...] = ()
    most: float = 0


FAULTS = {
    "drop in mid-push": Fault("0 drop when push {}", codes=("device-lost",), most=4_000_000),
    "drop in mid-run": Fault("0 drop"),
    "reboot": Fault("0 reboot 1", codes=("device-rebooted", "device-run-gone", "device-command", "worker-died")),
    "full storage": Fault("0 fill 0", "0 empty", ("device-storage", "disk-full", "device-command", "worker-died")),
    "rc without ended": Fault("0 lose-end", codes=("worker-died",)),
    "slow link": Fault("0 slow {}", "0 slow 0", most=2_000_000),
    "permission denied": Fault("0 deny", "0 allow", ("device-command", "worker-died", "output-unwritable")),
    "offline": Fault("0 offline", "0 online"),
    "unauthorised": Fault("0 unauthorise", "0 authorise", ("device-unusable",)),
}  # fmt: skip


class Phone:
    """A stand-in that was set up for the Python worker, and the command."""

    def __init__(self, stand_ins: StandIns, folder: Path) -> None:
        self.stand_ins, self.address = stand_ins, f"adb:{stand_ins.serials[0]}"
        self.root = Path(stand_ins.state()["tmp"]) / "mlperf-mobile"
        set_up(self.root)
        self.command = Command(folder, {**stand_ins.env, "XDG_STATE_HOME": str(folder / "state")})

    def run(self, fault: Fault | None = None, share: float = 0.0, lasts_s: float = 0.0) -> dict[str, Any]:
        """The result of a run during which a fault strikes."""
        process = self.command.start("run", TASK, "--quiet", "--json", "--device", self.address, *FAST)
        if fault:
            if not fault.most:
                time.sleep(share * lasts_s)
            self.stand_ins.control(fault.strikes.format(round(max(share, 0.01) * fault.most)))
        out, error = process.communicate(timeout=WAIT_S)
        try:
            (result,) = json.loads(out)["results"]
        except ValueError:
            return {"error": {"code": f"no result: {error.strip()[-200:]}"}, "accuracy": None, "valid": False}
        return dict(result)

    def settle(self, fault: Fault) -> None:
        """End the fault, and wait until the device answers."""
        if fault.undo:
            self.stand_ins.control(fault.undo)
        self.stand_ins.connect()

    def settings(self) -> list[str]:
        """What a run changes."""
        return self.stand_ins.run("-s", self.stand_ins.serials[0], "shell", SETTINGS).stdout.split()

    def left(self) -> list[str]:
        """What is on the device that no run needs."""
        found = [f"runs/{each.name}" for each in (self.root / "runs").glob("*")]
        found += [f"process {pid}" for pid in self.stand_ins.state()["processes"]]
        return found + [each.name for each in self.root.glob("settings.json")]


def trial(phone: Phone, fault: Fault, share: float, expected: float, lasts_s: float) -> tuple[str, list[str]]:
    """How a run ended, and what was wrong with it or after it."""
    if fault.strikes.startswith("0 drop when push"):
        phone.command("devices", "prune", phone.address)
    before, wrong = phone.settings(), []
    result = phone.run(fault, share, lasts_s)
    phone.settle(fault)
    code = (result["error"] or {}).get("code", "")
    end = code or "right"
    if code == "device-lost":
        taken_up, _ = phone.command.json("attach", timeout=WAIT_S)
        result = taken_up["results"][0] if taken_up["results"] else result
        code = (result["error"] or {}).get("code", "")
        end = f"device-lost, then {code or 'right'}"
    if not code and (result["accuracy"]["value"] != expected or not result["valid"]):
        wrong.append(f"the result is wrong: {result['accuracy']}, {result['valid']}")
    if code and code not in (*fault.codes, "device-lost", "device-run-gone"):
        wrong.append(f"the error is {code}: {(result['error'] or {}).get('summary')}")
    phone.command("devices", phone.address)  # connecting restores what a run that has ended left
    if phone.settings() != before:
        wrong.append("settings are not restored")
    following = phone.run()
    if following["error"] or following["accuracy"]["value"] != expected:
        wrong.append(f"the next run is harmed: {following['error']}")
    if left := phone.left():
        wrong.append(f"left behind: {', '.join(left)}")
    return end, wrong


def main() -> int:
    """Print how many runs ended how, and everything that was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"one of: {', '.join(FAULTS)} (default: all)")
    parser.add_argument("--moments", type=int, default=10, help="moments of each fault")
    args = parser.parse_args()
    failures = 0
    for name in args.faults or FAULTS:
        with tempfile.TemporaryDirectory(prefix="device-faults-") as folder, StandIns(charger="none") as stand_ins:
            phone = Phone(stand_ins, Path(folder))
            expected = phone.run()["accuracy"]["value"]
            began = time.monotonic()
            phone.run()
            lasts_s = time.monotonic() - began
            ends: Counter[str] = Counter()
            for number in range(args.moments):
                share = (number + 0.5) / args.moments
                end, wrong = trial(phone, FAULTS[name], share, expected, lasts_s)
                ends[end] += 1
                failures += bool(wrong)
                for each in wrong:
                    print(f"  {name} at {share:.0%}: {each}", flush=True)
            counts = ", ".join(f"{count} {end}" for end, count in ends.most_common())
            print(f"{name:20} {args.moments} moments of {lasts_s:.1f} s: {counts}", flush=True)
    print(f"{failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
