"""The entry point: parses the command line, runs one command, and prints every error as one line."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
from contextlib import suppress
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
        top.description = f"{top.description}\n\n{_listing()}"
    return top


def _find(name: str) -> CommandInfo:
    """The command of a name; those of the core are found without loading plugins.

    Raises:
        UsageError: ``unknown-command``, or ``not-installed`` for a command of a distribution that is not installed.
    """
    own = {info.name: info for info in mlperf_mobile_commands()}
    if name in own:
        return own[name]
    if name in ELSEWHERE and not distribution(home := f"mlperf-mobile-{ELSEWHERE[name]}"):
        summary = f"the command {name!r} is in {home}, which is not installed"
        raise UsageError("not-installed", summary, f"pip install {home}")
    registry = Registry()
    return pick("command", name, registry.commands, registry, also=own).info


def _complete(command: argparse.ArgumentParser, info: CommandInfo) -> None:
    """Let the command add its arguments.

    Raises:
        UsageError: ``command-failed``: a plugin's code raised.
    """
    try:
        info.command.load()(command)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise anything while it is imported
        summary = f"the command {info.name!r} cannot be loaded: {described(error)}"
        raise UsageError("command-failed", summary, "update or uninstall the distribution it comes from") from error
    command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _listing() -> str:
    """All commands by group: the core's first, in its order, then those of plugins."""
    own = {info.name: info for info in mlperf_mobile_commands()}
    groups: dict[str, list[CommandInfo]] = {}
    for info in (*own.values(), *(offer.info for name, offer in Registry().commands.items() if name not in own)):
        groups.setdefault(info.group, []).append(info)
    width = max(len(info.name) for infos in groups.values() for info in infos) + 2
    return "\n\n".join(
        "\n".join([f"{group}:", *(f"  {info.name:{width}}{info.summary}" for info in infos)])
        for group, infos in groups.items()
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the process's exit code."""
    with standard(), cleaned_output():
        return _main(argv)


def command() -> NoReturn:
    """The command as a process; it exits without shutting down the interpreter, which takes longer than starting it."""
    try:
        code: object = main()
    except SystemExit as error:  # from argparse, which has printed its text
        code = error.code
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else ExitCode.OK)


def _main(argv: list[str] | None) -> int:
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")  # otherwise it reads all distributions in each process
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, _terminate)
    given = sys.argv[1:] if argv is None else argv
    args = argparse.Namespace(debug="--debug" in given, json="--json" in given)  # until parsed
    try:
        args = _parsed(parser(next((word for word in given if not word.startswith("-")), "")), given)
        code = int(args.handler(args))
        sys.stdout.flush()  # here, where a closed pipe is not an error
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader of standard output has exited, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  a defect is printed as one line, too
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


def _version(args: argparse.Namespace) -> int:
    print(f"mlperf-mobile {version('mlperf-mobile')}")
    return ExitCode.OK


def _help(top: argparse.ArgumentParser) -> int:
    top.print_help()
    return ExitCode.USAGE


def _defect(error: Exception, command: str) -> MobileError:
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
