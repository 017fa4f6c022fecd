"""The entry point: parses the command line, runs one command, and prints every error as one line."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
import threading
from contextlib import redirect_stdout, suppress
from types import FrameType
from typing import NoReturn

from mlperf_mobile.cli.plugin import mlperf_mobile_commands
from mlperf_mobile.errors import ExitCode, MobileError, UsageError, described
from mlperf_mobile.installed import distribution, version
from mlperf_mobile.picking import pick
from mlperf_mobile.plugin import CommandInfo
from mlperf_mobile.printing import cleaned_output
from mlperf_mobile.registry import Registry
from mlperf_mobile.streams import standard

ELSEWHERE = {
    "check": "rounds", "import": "rounds", "export": "rounds", "comply": "rounds", "audit": "rounds", "sign": "rounds",
    "report": "report", "compare": "report", "leaderboard": "report",
}  # fmt: skip
"""Commands in this project's other distributions, ``mlperf-mobile-NAME``."""


def parser(command: str = "") -> argparse.ArgumentParser:
    """The command line parser: with one command if its name is known, so that no other is imported; else with all."""
    top = argparse.ArgumentParser(
        prog="mlperf-mobile",
        description="Benchmark the inference of models on this device with the rules of MLPerf Mobile.",
        epilog="'mlperf-mobile run' without arguments runs the suite 'quickstart'. See 'mlperf-mobile COMMAND --help'.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [-h] [--version] [--debug] COMMAND ...",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", prog="mlperf-mobile", help=argparse.SUPPRESS)
    if command:
        info = _find(command)
        each = commands.add_parser(info.name, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
        _complete(each, info)
    else:
        text = f"{top.description}\n\n{_listing()}"
        top.description = text.replace("%", "%%") if "%(prog)" in text else text  # only then argparse formats it
    return top


def _find(name: str) -> CommandInfo:
    """The command of a name; those of the core are found without loading plugins.

    Raises:
        UsageError: ``unknown-command``, or ``not-installed`` for a command of a distribution that is not installed.
    """
    own = {info.name: info for info in mlperf_mobile_commands()}
    if name in own:
        return own[name]
    registry = Registry()
    home = f"mlperf-mobile-{ELSEWHERE.get(name)}"
    if name in ELSEWHERE and name not in registry.commands and not distribution(home):
        summary = f"the command {name!r} is in {home}, which is not installed"
        raise UsageError("not-installed", summary, f"pip install {home}")
    return pick("command", name, registry.commands, registry, also=own).info


def _complete(command: argparse.ArgumentParser, info: CommandInfo) -> None:
    """Let the command add its arguments.

    Raises:
        UsageError: ``command-failed``: a plugin's code raised.
    """
    try:
        with redirect_stdout(sys.stderr):
            info.command.load()(command)
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise anything while it is imported
        summary = f"the command {info.name!r} cannot be loaded: {described(error)}"
        raise UsageError("command-failed", summary, "update or uninstall the distribution it comes from") from error


def _listing() -> str:
    """All commands by group: the core's first, in its order, then those of plugins."""
    own = {info.name: info for info in mlperf_mobile_commands()}
    groups: dict[str, list[CommandInfo]] = {}
    for info in (*own.values(), *(offer.info for name, offer in Registry().commands.items() if name not in own)):
        groups.setdefault(info.group, []).append(info)
    width = max(len(info.name) for infos in groups.values() for info in infos) + 2
    return "\n\n".join(
        "\n".join([f"{group}:", *(f"  {info.name:{width}}{' '.join(info.summary.split())}" for info in infos)])
        for group, infos in groups.items()
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the process's exit code."""
    with standard(), cleaned_output():
        return _main(argv)


def command() -> NoReturn:
    """The command as a process; it exits without shutting down the interpreter, which takes longer than starting it."""
    try:
        code = main()
    except SystemExit as end:  # from argparse, which has printed its text
        code = int(end.code or 0)
    with suppress(KeyboardInterrupt):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads of a plugin's command
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _main(argv: list[str] | None) -> int:
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")  # otherwise it reads all distributions in each process
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, _terminate)
    given = sys.argv[1:] if argv is None else argv
    name = next((word for word in given if not word.startswith("-")), "")
    args = argparse.Namespace(debug="--debug" in given, json="--json" in given, command=name)  # until parsed
    try:
        args = _parsed(parser(name), given)
        code = _handled(args)
        sys.stdout.flush()  # here, where a closed pipe is not an error
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader of standard output has exited, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except SystemExit:  # from argparse
        raise
    except BaseException as error:  # noqa: BLE001  a defect is printed as one line, too
        if getattr(args, "debug", False) or os.environ.get("MLPERF_MOBILE_DEBUG"):
            import traceback

            traceback.print_exc()
        reported = error if isinstance(error, MobileError) else _defect(error, getattr(args, "command", ""))
        _report(reported, args)
        return reported.exit_code


def _parsed(top: argparse.ArgumentParser, given: list[str]) -> argparse.Namespace:
    try:
        args = top.parse_args(given)
    except SystemExit:
        sys.stdout.flush()  # of --help; here, where a closed pipe is not an error
        raise
    if args.version:
        args.handler = _version
    elif args.command is None:
        args.handler = lambda args: _help(top)
    return args


def _handled(args: argparse.Namespace) -> int:
    """Run the command, and return its exit code; :func:`sys.exit` ends it as it ends a program.

    Raises:
        TypeError: It returns something else.
    """
    try:
        code = args.handler(args)
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    if not (isinstance(code, int) and 0 <= code <= 255):
        raise TypeError(f"its exit code is {code!r:.100}, not a number from 0 to 255")
    return code


def _version(args: argparse.Namespace) -> int:
    print(f"mlperf-mobile {version('mlperf-mobile')}")
    return ExitCode.OK


def _help(top: argparse.ArgumentParser) -> int:
    top.print_help()
    return ExitCode.USAGE


def _defect(error: BaseException, command: str) -> MobileError:
    """The error for an unexpected exception; it names the command if that is a plugin's."""
    if command and command not in {info.name for info in mlperf_mobile_commands()}:
        summary = f"the command {command!r} failed: {described(error)}"
        return MobileError("command-failed", summary, "report it to its author; --debug shows where", ExitCode.INTERNAL)
    return MobileError("internal", described(error), "this is a defect; --debug shows where", ExitCode.INTERNAL)


def _report(error: MobileError, args: argparse.Namespace) -> None:
    if getattr(args, "json", False):
        import json

        print(json.dumps({"schema": 1, "error": error.record()}, indent=2))
    print(f"mlperf-mobile: {error.line()}", file=sys.stderr)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    command()
