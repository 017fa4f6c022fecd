"""The same runs on several devices at once: one process of this command for each device."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlperf_mobile.cli.flags import flags
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import ExitCode, UsageError

MOST_DEVICES = 256
_START = "from mlperf_mobile.cli.main import command; command()"


def devices_of(request: Request) -> list[str]:
    """The addresses in the setting ``device``: one, or several in a list.

    Raises:
        UsageError: They are not texts, or too many.
    """
    setting = request.merged().get("device")
    if setting is None or setting.value is None:
        return []
    found = setting.value if isinstance(setting.value, list) else [setting.value]
    if not all(isinstance(each, str) for each in found) or len(found) > MOST_DEVICES:
        hint = f"give one address, or a list of at most {MOST_DEVICES}"
        raise UsageError("bad-device", f"{setting.source}: device is not an address or a list of them", hint)
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Ended:
    device: str
    exit_code: int
    printed: dict[str, Any]
    """The JSON object that it printed; empty if it printed none."""


def run_on_each(args: argparse.Namespace, devices: Sequence[str]) -> int:
    """Run the command once for each device, all at the same time.

    Args:
        args: The command line.
        devices: The addresses.

    Returns:
        The exit code of the first device, in the given order, whose runs failed or are not valid.
    """
    started = [_start(args, device) for device in devices]
    with _forwarding(started), ThreadPoolExecutor(len(devices)) as pool:
        ended = list(pool.map(_until_ended, devices, started))
    _show(args, ended)
    return next((each.exit_code for each in ended if each.exit_code), ExitCode.OK)


def _start(args: argparse.Namespace, device: str) -> subprocess.Popen[bytes]:
    words = ["run", *args.tasks, "--device", device, "--json", "--repeat", str(args.repeat)]
    for name, setting in flags(args).items():
        if setting.source == f"--{name.removeprefix('sweep.').replace('_', '-')}" and name != "device":
            values = setting.value if isinstance(setting.value, list) else [setting.value]
            words += [word for value in values for word in (setting.source, str(value))]
    for flag in ("set", "sweep"):
        words += [word for each in getattr(args, flag) for word in (f"--{flag}", each)]
    if args.config:
        words += ["--config", str(args.config)]
    words += [flag for flag, given in (("--dry-run", args.dry_run), ("--quiet", args.quiet)) if given]
    return subprocess.Popen(  # noqa: S603  our own interpreter and command
        [sys.executable, "-P", "-c", _START, *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def _until_ended(device: str, process: subprocess.Popen[bytes]) -> _Ended:
    """Print the process's messages with the device's address, and return its output when it has ended."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process, ThreadPoolExecutor(1) as pool:
        output = pool.submit(process.stdout.read)
        for line in process.stderr:
            text = line.decode(errors="replace").rstrip().removeprefix("mlperf-mobile: ")
            print(f"[{device}] {text}", file=sys.stderr, flush=True)
        printed = output.result()
    try:
        found = json.loads(printed)
    except ValueError:
        found = {}
    code = process.wait()
    return _Ended(device, code if code >= 0 else ExitCode.INTERRUPTED, found if isinstance(found, dict) else {})


@contextmanager
def _forwarding(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Pass the signals that stop a run on to the processes, and wait for their results."""

    def forward(number: int, _frame: object) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(args: argparse.Namespace, ended: Sequence[_Ended]) -> None:
    lists: dict[str, list[Any]] = {}
    for each in ended:
        for name, value in each.printed.items():
            if isinstance(value, list):
                lists.setdefault(name, []).extend(value)
    if args.json:
        devices = [
            {"device": each.device, "exit_code": each.exit_code, "error": each.printed.get("error")} for each in ended
        ]
        report = {"schema": 1} | ({} if args.dry_run else {"results": []}) | lists | {"devices": devices}
        print(json.dumps(report, indent=2))
    elif args.dry_run:
        from mlperf_mobile.plan import Plan
        from mlperf_mobile.terminal.plans import plan_text

        plans = [{key: value for key, value in plan.items() if key != "estimated_s"} for plan in lists.get("plans", ())]
        print("\n\n".join(plan_text(Plan.model_validate(plan)) for plan in plans))
    else:
        from mlperf_mobile.results.model import Result
        from mlperf_mobile.terminal.card import print_results

        print_results([Result.model_validate(each) for each in lists.get("results", ())])
