"""``mlperf-mobile attach``: takes up runs that are still on their devices."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from mlperf_mobile.errors import ExitCode, MobileError, OutputError

_OUTPUT = Path("mlperf-mobile-results")
_EPILOG = """A run on a device goes on when this machine is switched off, or when the command is killed. This command
follows it to its end, and stores the same result as if nothing had happened. It picks up runs whose command is gone,
and runs whose result says device-lost. Where the device cannot be reached, everything stays as it is.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Pick up runs that are still on their devices."
    command.epilog = _EPILOG
    command.add_argument(
        "run", type=Path, nargs="*", metavar="RUN", default=[_OUTPUT],
        help=f"the folder of a run, hidden or not, or a folder of results (default: {_OUTPUT})",
    )  # fmt: skip
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; the exit code reports whether everything was taken up, not whether the results are valid."""
    from mlperf_mobile.results.model import Result, Status
    from mlperf_mobile.terminal.card import print_result
    from mlperf_mobile.terminal.progress import listener
    from mlperf_mobile_devices.attach import attach

    results: list[Result] = []
    errors: list[MobileError] = []
    for place, folder in _places(args.run, errors):
        try:
            with listener(_title(folder), quiet=args.quiet or args.json) as listen:
                results.append(attach(folder, listen))
        except MobileError as error:
            if error.code != "run-alive" or folder == place:
                errors.append(error)
        if results and results[-1].status is Status.INTERRUPTED:
            break
    for each in errors:
        print(f"mlperf-mobile: {each.line()}", file=sys.stderr)
    if args.json:
        output = {"schema": 1, "results": [result.to_json() for result in results]}
        print(json.dumps(output | {"errors": [each.record() for each in errors]}, indent=2))
    else:
        for result in results:
            print_result(result)
        if not results and not errors:
            print("no runs to pick up")
    if results and results[-1].status is Status.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return errors[0].exit_code if errors else ExitCode.OK


def _places(arguments: list[Path], errors: list[MobileError]) -> Iterator[tuple[Path, Path]]:
    """Each argument with the folders of runs that it names; where there is none, the error is added to the others."""
    for place in arguments:
        try:
            folders = _folders(place)
        except MobileError as error:
            errors.append(error)
        else:
            yield from ((place, folder) for folder in folders)


def _folders(place: Path) -> list[Path]:
    """The folders of runs that an argument names.

    Raises:
        OutputError: It does not exist.
    """
    from mlperf_mobile.results import store
    from mlperf_mobile.user_paths import expand
    from mlperf_mobile_devices.attach import attachable

    place = expand(place, "RUN").resolve()
    for folder in (place, store.partial(place)):
        if (folder / store.PLAN).is_file():
            return [folder]
    if not place.is_dir():
        if place == _OUTPUT.resolve():
            return []
        raise OutputError(
            "no-result", f"the folder {place} does not exist", "give the folder of a run, or a folder of results"
        )
    return attachable(place)


def _title(folder: Path) -> str:
    from mlperf_mobile.results import store

    try:
        return store.read_plan(folder).benchmark
    except MobileError:
        return folder.name
