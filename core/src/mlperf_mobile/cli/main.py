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

from mlperf_mobile.cli.arguments import Parser, debugging
from mlperf_mobile.cli.plugin import mlperf_mobile_commands
from mlperf_mobile.command_loading import complete
from mlperf_mobile.errors import ExitCode, MobileError, UsageError, described, interrupted
from mlperf_mobile.installed import distribution, version
from mlperf_mobile.picking import pick
from mlperf_mobile.plugin import CommandInfo
from mlperf_mobile.printing import cleaned_output
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.staying import kept_alive
from mlperf_mobile.streams import ReaderGone, standard

ELSEWHERE = {
    "check": "rounds", "import": "rounds", "export": "rounds", "comply": "rounds", "audit": "rounds", "sign": "rounds",
    "report": "report", "compare": "report", "leaderboard": "report", "fetch": "fetch", "farm": "farm",
    "diff": "diff", "new": "authoring", "verify-plugin": "authoring", "devices": "devices", "attach": "devices",
}  # fmt: skip
"""Commands in this project's other distributions, ``mlperf-mobile-NAME``."""

OTHER = "other commands"
"""The heading of commands whose group is empty."""
_COMMAND, _VERSION = "_command", "_version"
"""Attributes of parsed arguments; their names are not those of a command's own arguments."""
_OWN = {info.name: info for info in mlperf_mobile_commands()}
"""The commands of the core."""


class _Top(Parser):
    """The parser of the program. Only its help lists the commands, because that loads all plugins."""

    def format_help(self) -> str:
        text = f"{self.description}\n\n{_listing()}"
        about = self.description
        self.description = text.replace("%", "%%") if "%(prog)" in text else text  # only then argparse formats it
        try:
            return super().format_help()
        finally:
            self.description = about


def parser(command: str = "") -> argparse.ArgumentParser:
    """The command line parser, with the command of this name; no other is imported."""
    top = _Top(
        prog="mlperf-mobile",
        description="Benchmark the inference of models on this device with the rules of MLPerf Mobile.",
        epilog="'mlperf-mobile run' without arguments runs the suite 'quickstart'. See 'mlperf-mobile COMMAND --help'.",
        usage="%(prog)s [-h] [--version] [--debug] COMMAND ...",
    )
    top.add_argument("--version", dest=_VERSION, action="store_true", help="print the version and exit")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(
        dest=_COMMAND, metavar="COMMAND", prog="mlperf-mobile", help=argparse.SUPPRESS, parser_class=Parser
    )
    if command:
        info = _find(command)
        complete(commands.add_parser(info.name), info)
    return top


def _find(name: str) -> CommandInfo:
    """The command of a name; those of the core are found without loading plugins.

    Raises:
        UsageError: ``unknown-command``, or ``not-installed`` for a command of a distribution that is not installed.
    """
    if name in _OWN:
        return _OWN[name]
    registry = installed_plugins()
    home = f"mlperf-mobile-{ELSEWHERE.get(name)}"
    if name in ELSEWHERE and name not in registry.commands and not distribution(home):
        summary = f"the command {name!r} is in {home}, which is not installed"
        raise UsageError("not-installed", summary, f"pip install {home}")
    return pick("command", name, registry.commands, registry, also=_OWN).info


def _listing() -> str:
    """All commands by group: the core's first, in its order, then those of plugins."""
    groups: dict[str, list[CommandInfo]] = {}
    offered = [offer.info for name, offer in installed_plugins().commands.items() if name not in _OWN]
    for info in (*_OWN.values(), *offered):
        groups.setdefault(info.group.strip() or OTHER, []).append(info)
    width = max(len(info.name) for infos in groups.values() for info in infos) + 2
    return "\n\n".join(
        "\n".join([f"{group}:", *(f"  {info.name:{width}}{' '.join(info.summary.split())}" for info in infos)])
        for group, infos in groups.items()
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the process's exit code."""
    with standard(), cleaned_output(), kept_alive():
        return _main(argv)


def command() -> NoReturn:
    """The command as a process; it exits without shutting down the interpreter, which takes longer than starting it."""
    try:
        code = main()
    except SystemExit as end:  # from argparse, which has printed its text
        code = int(end.code or 0)
    if threading := sys.modules.get("threading"):
        with suppress(KeyboardInterrupt):
            threading._shutdown()  # waits for the threads of a plugin's command
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
    args = argparse.Namespace(debug="--debug" in given, json="--json" in given, **{_COMMAND: name})  # until parsed
    try:
        args = _parsed(parser(name), given)
        code = _handled(args)
        sys.stdout.flush()  # here, where a closed pipe is not an error
        return code
    except KeyboardInterrupt:
        stopped = interrupted()
        _report(stopped, args)
        return stopped.exit_code
    except ReaderGone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except SystemExit:  # from argparse
        raise
    except BaseException as error:  # noqa: BLE001  a defect is printed as one line, too
        if debugging(args):
            import traceback

            traceback.print_exc()
        reported = error if isinstance(error, MobileError) else _defect(error, getattr(args, _COMMAND))
        _report(reported, args)
        return reported.exit_code


def _parsed(top: argparse.ArgumentParser, given: list[str]) -> argparse.Namespace:
    try:
        args = top.parse_args(given)
    except SystemExit:
        sys.stdout.flush()  # of --help; here, where a closed pipe is not an error
        raise
    if getattr(args, _VERSION):
        args.handler = _version
    elif getattr(args, _COMMAND) is None:
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
    if command and command not in _OWN:
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
