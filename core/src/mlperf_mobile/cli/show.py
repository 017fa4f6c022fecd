"""``mlperf-mobile show RESULT``: shows a stored result."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mlperf_mobile.errors import ExitCode


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Show a stored result in full."
    command.add_argument("result", metavar="RESULT", type=Path, help="a result folder, or its result.json")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.results.store import read

    result = read(args.result)
    if args.json:
        print(json.dumps(result.to_json(), indent=2))
    else:
        from mlperf_mobile.terminal.card import print_result

        print_result(result, full=True)
    return ExitCode.OK
