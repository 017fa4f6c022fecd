"""``mlperf-mobile farm serve``: the devices of this host, for everybody who has the farm's token."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from pathlib import Path

from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.placing import place
from mlperf_mobile.errors import ExitCode, UsageError
from mlperf_mobile.names import as_file_name
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile_farm import labels, token
from mlperf_mobile_farm.connection import is_loopback, parse, security_for
from mlperf_mobile_farm.dask_settings import configure
from mlperf_mobile_farm.host import Host
from mlperf_mobile_farm.serving import NewScheduler, serve

MOST_SIMULATED = 1000


def handle(args: argparse.Namespace) -> int:
    """Serve until stopped."""
    if bool(args.scheduler) == args.new:
        raise UsageError("farm-address", "name a farm to join, or start one", "farm serve tls://HOST:8786, or --new")
    if not (0 < args.every <= 3600):
        raise UsageError("bad-value", f"--every {args.every:g} is not more than 0 and at most 3600", "--every 10")
    name = as_file_name(args.name or platform.node() or "host")
    own = labels.parse(args.label, "--label")
    registry = installed_plugins()
    addresses = [*args.device, *_simulated(args.simulate, name)]
    for address in addresses:
        place(registry, {"device": Setting(address, "--device")})
    configure(debug=args.debug)
    scheduler, security = _new(args) if args.new else _joined(args)

    def log(line: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)

    def host_of(address: str) -> Host:
        folder = args.directory.absolute()
        return Host(name, address, security, folder, own, addresses, not args.no_discovery, log, registry=registry)

    asyncio.run(serve(host_of, scheduler, security, args.every, log))
    return ExitCode.OK


def _new(args: argparse.Namespace):  # type: ignore[no-untyped-def]
    """The scheduler to start; beyond loopback with the user's token, which is made if there is none."""
    path: Path | None = token.find(args.token)
    if args.insecure or (is_loopback(args.listen) and args.token is None):
        if not is_loopback(args.listen):
            line = "everybody who reaches this port can run code as this user, because of --insecure"
            print(f"mlperf-mobile: warning: {line}", file=sys.stderr)
        return NewScheduler(args.listen, args.port, "tcp"), None
    if path is None:
        path = token.default()
        token.make(path)
        print(f"made the token of this farm, {path}: copy it to its hosts and users", file=sys.stderr)
    return NewScheduler(args.listen, args.port, "tls"), token.read(path)


def _joined(args: argparse.Namespace):  # type: ignore[no-untyped-def]
    address = parse(args.scheduler, has_token=token.find(args.token) is not None)
    return address, security_for(address, args.token)


def _simulated(text: str | None, host: str) -> list[str]:
    """The addresses of ``N[?OPTIONS]`` simulated devices."""
    if text is None:
        return []
    count, mark, options = text.partition("?")
    if not (count.isdigit() and 1 <= int(count) <= MOST_SIMULATED):
        raise UsageError("bad-value", f"--simulate {text[:40]} is not 1 to {MOST_SIMULATED}", "--simulate 4?lasts=20")
    return [f"simulated:{host[:50]}-{number}{mark}{options}" for number in range(1, int(count) + 1)]
