"""The flags of ``mlperf-mobile run`` for a farm; imports nothing heavy, because every run adds them."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of ``run``."""
    group = parser.add_argument_group("on a farm (with --farm)")
    group.add_argument(
        "--where", metavar="KEY=VALUE", action="append", help="only devices with this label, such as soc=SM8750"
    )
    group.add_argument(
        "--count", metavar="N|all", help="run N times, each on a different device, or once on every device"
    )
    group.add_argument("--wait", metavar="SECONDS", help="how long to wait for a device that matches (default: 300)")
    group.add_argument("--token", metavar="FILE", type=Path, help="the token of the farm")
