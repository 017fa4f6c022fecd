"""``mlperf-mobile farm status`` and ``drain``."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from mlperf_mobile.errors import ExitCode, UsageError
from mlperf_mobile.terminal.console import CleanConsole, text
from mlperf_mobile_farm import labels
from mlperf_mobile_farm.connection import Farm


def status(args: argparse.Namespace) -> int:
    """Show the farm."""
    found = asyncio.run(_look(args))
    if args.json:
        print(json.dumps({"schema": 1, **found}, indent=2))
    else:
        for line in _lines(found):
            CleanConsole().print(text(line), soft_wrap=True)
    return ExitCode.OK


def drain(args: argparse.Namespace) -> int:
    """Drain a host or a device, or offer it again."""
    known = asyncio.run(_drain(args))
    if not any(known.values()):
        hint = f"hosts: {', '.join(sorted(known)) or 'none'}; mlperf-mobile farm status shows their devices"
        raise UsageError("farm-unknown", f"the farm has no host and no device {args.what[:100]!r}", hint)
    print(f"{args.what} {'is offered again' if args.undo else 'gets no more sessions'}")
    return ExitCode.OK


async def _look(args: argparse.Namespace) -> dict[str, Any]:
    async with Farm(args.address, args.token, debug=args.debug) as farm:
        return {"address": farm.address, "hosts": await farm.look(), "jobs": await farm.jobs()}


async def _drain(args: argparse.Namespace) -> dict[str, bool]:
    async with Farm(args.address, args.token, debug=args.debug) as farm:
        return {
            host: bool((await farm.ask(host, "drain", name=args.what, undo=args.undo))["known"]) for host in farm.hosts
        }


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"farm at {found['address']}"]
    for host in found["hosts"]:
        states = [device["state"] for device in host["devices"]]
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no devices"
        lines.append(f"host {host['host']}: {counts}{', drained' if host['drained'] else ''}")
        lines += [f"  {_device(device)}" for device in host["devices"]]
    if not found["hosts"]:
        lines.append("no hosts: mlperf-mobile farm serve ADDRESS on each")
    for job in found["jobs"]:
        counts = ", ".join(f"{job[key]} {key}" for key in ("waiting", "running", "done", "failed") if job[key])
        lines.append(f"job {job['job']} of {job['user']}: {counts}")
        lines += [f"  waits: {reason}" for reason in job["reasons"]]
    return lines


def _device(device: dict[str, Any]) -> str:
    shown = {key: value for key, value in device["labels"].items() if key not in (labels.DEVICE, "host", "kind")}
    line = f"{device['address']}  {device['state']}  {labels.text(shown)}"
    if session := device["session"]:
        minutes = (time.time() - session["since"]) / 60
        share = f" {session['fraction']:.0%}" if session.get("fraction") else ""
        line += f"  {session['user']}: {session['session']} {session.get('phase', '')}{share}, {minutes:.0f} min"
    return line + (f"  {device['reason']}" if device["reason"] and device["state"] == "lost" else "")
