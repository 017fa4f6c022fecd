"""``mlperf-mobile recover``: creates the results of runs that were interrupted or ran out of disk space."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import ExitCode, MobileError, OutputError

_EPILOG = """Until a run's result is written, its folder has the hidden name .RUN-ID.partial. It holds everything that
was measured, even if the command was killed, the disk filled up, or the machine lost power. Folders that another
command is still using are skipped. Recovering twice changes nothing.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Create the results of runs whose command was killed or ran out of disk space."
    command.epilog = _EPILOG
    command.add_argument(
        "folder", type=Path, nargs="+", metavar="RUN", help="the hidden folder of a run, or a folder of results"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; the exit code reports whether everything was recovered, not whether the results are valid."""
    from mlperf_mobile.results.model import Result
    from mlperf_mobile.terminal.card import print_result

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
        output = {"schema": 1, "results": [result.to_json() for result in results]}
        print(json.dumps(output | {"errors": [error.record() for error in errors]}, indent=2))
    else:
        for result in results:
            print_result(result)
        if not results and not errors:
            print("nothing to recover")
    return errors[0].exit_code if errors else ExitCode.OK


def _recover(folder: Path) -> list[Any]:
    """The results and errors of one argument."""
    from mlperf_mobile.launch.recover import recover, recover_all
    from mlperf_mobile.results import store
    from mlperf_mobile.user_paths import expand

    folder = expand(folder, "RUN").resolve()
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
            raise OutputError(
                "no-result", f"the folder {folder} does not exist", "give the folder of a run, or a folder of results"
            )
        return list(recover_all(folder))
    except OutputError as error:
        return [error]
