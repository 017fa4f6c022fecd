"""``mlperf-mobile farm serve|status|drain|certificate``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(command: argparse.ArgumentParser) -> None:
    """Add the commands."""
    command.description = "A farm: devices on many hosts, and one scheduler. See also mlperf-mobile run --farm."
    parts = command.add_subparsers(dest="farm_command", metavar="serve|status|drain|certificate", required=True)
    token = {
        "metavar": "FILE",
        "type": Path,
        "help": "the token of the farm (default: ~/.config/mlperf-mobile/farm.pem)",
    }

    serve = parts.add_parser("serve", help="serve the devices of this host")
    serve.description = "Serve the devices of this host to a farm, and with --new start the farm's scheduler here."
    serve.add_argument("scheduler", nargs="?", metavar="SCHEDULER", help="the farm to join, such as tls://HOST:8786")
    serve.add_argument("--new", action="store_true", help="start a scheduler on this host, too")
    serve.add_argument("--listen", metavar="HOST", default="127.0.0.1", help="where --new listens (default: loopback)")
    serve.add_argument("--port", type=int, default=8786, help="the port of --new (default: 8786)")
    serve.add_argument("--insecure", action="store_true", help="let --new listen without TLS beyond loopback")
    serve.add_argument("--token", **token)  # type: ignore[arg-type]
    serve.add_argument("--device", metavar="ADDRESS", action="append", default=[], help="a device to serve, as for run")
    serve.add_argument("--no-discovery", action="store_true", help="serve only the devices given with --device")
    serve.add_argument("--simulate", metavar="N[?OPTIONS]", help="serve N simulated devices, which measure nothing")
    label = "a label for all devices of this host"
    serve.add_argument("--label", metavar="KEY=VALUE", action="append", default=[], help=label)
    serve.add_argument("--name", metavar="NAME", help="the name of this host (default: its host name)")
    directory = Path("mlperf-mobile-farm")
    serve.add_argument("--directory", metavar="DIR", type=Path, default=directory, help="folder for this host's files")
    serve.add_argument("--every", metavar="SECONDS", type=float, default=10.0, help="how often to look for devices")
    serve.set_defaults(handler=_serve)

    status = parts.add_parser("status", help="show hosts, devices, and what runs where")
    status.description = "Show the hosts and devices of a farm, and what runs where."
    address = "address of the farm (default: loopback)"
    status.add_argument("address", nargs="?", default="127.0.0.1", metavar="ADDRESS", help=address)
    status.add_argument("--token", **token)  # type: ignore[arg-type]
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(handler=_status)

    drain = parts.add_parser("drain", help="assign no more device jobs to a host or a device")
    drain.description = "Assign no more device jobs to a host or a device; those in progress end as usual."
    drain.add_argument("what", metavar="HOST|DEVICE", help="the name of a host, or the address of a device")
    drain.add_argument("--farm", dest="address", default="127.0.0.1", metavar="ADDRESS", help=address)
    drain.add_argument("--undo", action="store_true", help="offer it again")
    drain.add_argument("--token", **token)  # type: ignore[arg-type]
    drain.set_defaults(handler=_drain)

    certificate = parts.add_parser("certificate", help="create the token of a new farm")
    certificate.description = "Create the token of a new farm, which its hosts and users need."
    certificate.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the token to write")
    certificate.set_defaults(handler=_certificate)


def _serve(args: argparse.Namespace) -> int:
    from mlperf_mobile_farm.commands.serve import handle

    return handle(args)


def _status(args: argparse.Namespace) -> int:
    from mlperf_mobile_farm.commands.status import status

    return status(args)


def _drain(args: argparse.Namespace) -> int:
    from mlperf_mobile_farm.commands.status import drain

    return drain(args)


def _certificate(args: argparse.Namespace) -> int:
    from mlperf_mobile_farm import token

    path = args.file or token.default()
    token.make(path)
    print(f"{path}: copy it to every host and user of the farm, and to nobody else")
    return 0
