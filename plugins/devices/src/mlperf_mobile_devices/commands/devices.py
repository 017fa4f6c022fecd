"""``mlperf-mobile devices``: lists devices, sets them up, and removes what is on them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from mlperf_mobile.errors import ExitCode, MobileError

_ACTIONS = {
    "list": "show the devices, and what can run on them (the default)",
    "setup": "create the environment for the Python worker, with the versions of this machine",
    "prune": "remove files from the device's store that no run uses",
    "restore": "restore settings of the device that an interrupted run changed",
}
_DAY_S = 86400


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    actions = "\n".join(f"  {name:10}{what}" for name, what in _ACTIONS.items())
    command.description = f"List devices, set them up, and clean them. ACTION is one of:\n\n{actions}"
    command.add_argument("action", nargs="?", metavar="ACTION", default="list", help="what to do")
    command.add_argument("address", nargs="*", metavar="ADDRESS", help="a device: ssh:HOST, adb:SERIAL")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.add_argument("--days", type=float, default=0.0, metavar="N", help="prune: only files unused for N days")
    command.add_argument(
        "--keep-mb", type=float, default=0.0, metavar="N", help="prune: keep the N MB used most recently"
    )
    command.add_argument("--runs", action="store_true", help="prune: also the folders of runs that have ended")
    command.add_argument("--dry-run", action="store_true", help="prune: remove nothing")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.errors import UsageError, did_you_mean

    if ":" in args.action:
        args.action, args.address = "list", [args.action, *args.address]
    if args.action not in _ACTIONS:
        summary = f"devices has no action {args.action!r}"
        raise UsageError("unknown-action", summary, did_you_mean(args.action, _ACTIONS))
    if args.action == "list":
        return _list(args)
    if not args.address:
        hint = f"mlperf-mobile devices {args.action} ADDRESS; see mlperf-mobile devices"
        raise UsageError("missing-argument", f"devices {args.action} needs the address of a device", hint)
    act = {"setup": _setup, "prune": _prune, "restore": _restore}[args.action]
    records, code = [], int(ExitCode.OK)
    for address in args.address:
        record: dict[str, Any] = {"address": address, "error": None}
        try:
            record |= act(args, address)
        except MobileError as error:
            record["error"] = error.record()
            code = code or error.exit_code
            print(f"mlperf-mobile: {error.line()}", file=sys.stderr)
        records.append(record)
    if args.json:
        print(json.dumps({"schema": 1, "devices": records}, indent=2))
    return code


def _list(args: argparse.Namespace) -> int:
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.terminal.columns import table
    from mlperf_mobile_devices import listing

    devices, troubles = listing.look(installed_plugins(), args.address)
    if args.json:
        problems = [{"transport": each.transport, "reason": each.reason, "fix": each.fix} for each in troubles]
        print(json.dumps({"schema": 1, "devices": [each.record() for each in devices], "problems": problems}, indent=2))
    else:
        if devices:
            print(table(listing.HEAD, listing.rows(devices)))
        else:
            print("no devices; name one: mlperf-mobile devices ssh:HOST", file=sys.stderr)
        for seen in devices:
            if not seen.facts.usable:
                print(f"{seen.facts.address}: {seen.facts.reason}; {seen.facts.fix}")
            for runner in seen.runners:
                if not runner.usable:
                    print(f"{seen.facts.address}: runner {runner.runner}: {runner.reason}; {runner.fix}")
        for trouble in troubles:
            print(f"{trouble.transport}: {trouble.reason}; {trouble.fix}", file=sys.stderr)
    named_but_bad = args.address and any(not seen.facts.usable for seen in devices)
    return ExitCode.DEVICE if named_but_bad else ExitCode.OK


def _linked(address: str) -> Any:
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile_devices import listing
    from mlperf_mobile_devices.link import Control, Link

    transport = listing.transport_of(installed_plugins(), address)
    return Link(transport, address, 30.0, Control(None))


def _setup(args: argparse.Namespace, address: str) -> dict[str, Any]:
    from mlperf_mobile_devices.setup import set_up

    link = _linked(address)
    say = _teller(args)
    try:
        done = set_up(link, lambda text: say(f"{address}: {text}"))
    finally:
        link.close()
    if not args.json:
        print(f"{address}: {len(done.installed)} distributions, {done.pushed / 1e6:,.1f} MB copied")
    return {"installed": done.installed, "pushed_bytes": done.pushed, "python": done.python}


def _prune(args: argparse.Namespace, address: str) -> dict[str, Any]:
    from mlperf_mobile.printing import counted
    from mlperf_mobile_devices.kept_runs import ended_runs, remove_run
    from mlperf_mobile_devices.store import Store, to_prune

    link = _linked(address)
    try:
        runs = ended_runs(link) if args.runs else []
        if not args.dry_run:
            for run in runs:
                remove_run(link, run)
        store = Store(link)
        found = store.all()
        chosen = to_prune(found, args.days * _DAY_S, int(args.keep_mb * 1e6))
        for item in chosen:
            if not args.dry_run:
                store.remove(item)
    finally:
        link.close()
    freed, left = sum(item.bytes for item in chosen), sum(item.bytes for item in found)
    if not args.json:
        verb = "would be removed" if args.dry_run else "removed"
        also = f"{counted(len(runs), 'run')} and " if args.runs else ""
        print(
            f"{address}: {also}{len(chosen)} of {len(found)} files, {freed / 1e6:,.1f} of {left / 1e6:,.1f} MB {verb}"
        )
    sizes = {"freed_bytes": freed, "kept_bytes": left - freed}
    return {"removed": [item.sha256 for item in chosen], "removed_runs": runs} | sizes


def _restore(args: argparse.Namespace, address: str) -> dict[str, Any]:
    link = _linked(address)
    try:
        restored = link.do(lambda transport: transport.restore() if hasattr(transport, "restore") else ())
    finally:
        link.close()
    names = [str(name) for name in restored]
    if not args.json:
        print(f"{address}: {', '.join(names) or 'nothing'} restored")
    return {"restored": names}


def _teller(args: argparse.Namespace) -> Callable[[str], None]:
    if args.quiet or args.json:
        return lambda text: None
    return lambda text: print(text, file=sys.stderr, flush=True)
