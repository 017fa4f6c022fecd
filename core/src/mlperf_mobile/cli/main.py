"""The entry point: parses the command line, runs one command, and tells every error in one line."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib import import_module
from types import FrameType

from mlperf_mobile.errors import ExitCode, MobileError
from mlperf_mobile.printing import cleaned_output
from mlperf_mobile.streams import standard

COMMANDS = {
    "run": "run", "audit": "audit", "comply": "comply",
    "score": "score", "show": "show", "report": "report", "compare": "compare", "leaderboard": "leaderboard",
    "recover": "recover", "check": "check", "sign": "sign", "import": "import_results", "export": "export",
    "fetch": "fetch", "compile": "compiling", "cache": "cache",
    "list-backends": "lists", "list-tasks": "lists", "list-datasets": "lists", "list-scenarios": "lists",
    "list-suites": "lists", "list-plugins": "lists",
    "doctor": "doctor",
}  # fmt: skip
"""The module of each command, in the order of the help."""


def parser(command: str = "") -> argparse.ArgumentParser:
    """The command line: of one command, where it is known which, so that nothing else is imported; else the whole."""
    top = argparse.ArgumentParser(
        prog="mlperf-mobile",
        description="MLPerf Mobile as plugins: benchmark the inference of models on this device.",
        epilog="'mlperf-mobile run' alone measures the quickstart. See 'mlperf-mobile COMMAND --help'.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for module in dict.fromkeys([COMMANDS[command]] if command in COMMANDS else COMMANDS.values()):
        import_module(f"mlperf_mobile.cli.{module}").add(commands)
    for each in set(commands.choices.values()):
        each.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the process's exit code."""
    with standard(), cleaned_output():
        return _main(argv)


def _main(argv: list[str] | None) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, _terminate)
    given = sys.argv[1:] if argv is None else argv
    top = parser(next((word for word in given if not word.startswith("-")), ""))
    args = argparse.Namespace()
    try:
        args = _parsed(top, given)
        code = int(args.handler(args))
        sys.stdout.flush()  # here, where a reader that has gone is no error
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  a defect, too, is told in one line
        if getattr(args, "debug", False) or os.environ.get("MLPERF_MOBILE_DEBUG"):
            import traceback

            traceback.print_exc()
        told = error if isinstance(error, MobileError) else _defect(error)
        _tell(told, args)
        return told.exit_code


def _parsed(top: argparse.ArgumentParser, given: list[str]) -> argparse.Namespace:
    try:
        args = top.parse_args(given)
    except SystemExit:
        sys.stdout.flush()  # of --help; here, where a reader that has gone is no error
        raise
    if args.version:
        args.handler = _version
    elif args.command is None:
        args.handler = lambda args: _help(top)
    return args


def _version(args: argparse.Namespace) -> int:
    from importlib.metadata import version

    print(f"mlperf-mobile {version('mlperf-mobile')}")
    return ExitCode.OK


def _help(top: argparse.ArgumentParser) -> int:
    top.print_help()
    return ExitCode.USAGE


def _defect(error: Exception) -> MobileError:
    summary = f"{type(error).__name__}: {error}"
    return MobileError("internal", summary, "this is a defect; --debug shows where", ExitCode.INTERNAL)


def _tell(error: MobileError, args: argparse.Namespace) -> None:
    if getattr(args, "json", False):
        import json

        print(json.dumps({"schema": 1, "error": error.record()}, indent=2))
    print(f"mlperf-mobile: {error.line()}", file=sys.stderr)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
