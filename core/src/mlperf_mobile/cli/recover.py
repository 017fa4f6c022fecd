"""``mlperf-mobile recover``: makes results of runs that were cut short, or found no room for their results."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import ExitCode, MobileError, OutputError

_EPILOG = """A run's folder has the hidden name .RUN-ID.partial until its result is written. What its worker measured is
in it, whatever became of the command: it was killed, the disk filled up, the machine lost power. Folders that a
command still works on are left alone. Recovering twice changes nothing.
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "recover",
        help="make results of runs that were cut short",
        description="Make the result of a run whose command was killed, or had no room to write it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "folder", type=Path, nargs="+", metavar="FOLDER", help="a hidden run folder, or a folder for results"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; the exit code tells whether everything was recovered, not whether the numbers count."""
    from mlperf_mobile.report.terminal import print_result
    from mlperf_mobile.results.model import Result

    results: list[Result] = []
    errors: list[MobileError] = []
    for folder in args.folder:
        for found in _recover(folder):
            if isinstance(found, Result):
                results.append(found)
            else:
                errors.append(found)
                print(f"mlperf-mobile: {found.line()}", file=sys.stderr)
    if args.json:
        told = {"schema": 1, "results": [result.to_json() for result in results]}
        print(json.dumps(told | {"errors": [error.record() for error in errors]}, indent=2))
    else:
        for result in results:
            print_result(result)
        if not results and not errors:
            print("nothing to recover")
    return errors[0].exit_code if errors else ExitCode.OK


def _recover(folder: Path) -> list[Any]:
    """What recovering one argument gives: results, and errors."""
    from mlperf_mobile.launch.recover import recover, recover_all
    from mlperf_mobile.results import store

    folder = folder.expanduser().resolve()
    final = folder.with_name(folder.name.removeprefix(".").removesuffix(store.PARTIAL))
    try:
        if folder != final:
            if folder.is_dir():
                return [found] if (found := recover(folder)) else [store.read(final)]
            return [store.read(final)]  # recovered before
        if (folder / store.RESULT).is_file():
            return [store.read(folder)]
        if store.partial(folder).is_dir():
            return [found] if (found := recover(store.partial(folder))) else []
        if not folder.is_dir():
            raise OutputError("no-result", f"there is no folder {folder}", "name a run's folder, or one for results")
        return list(recover_all(folder))
    except OutputError as error:
        return [error]
