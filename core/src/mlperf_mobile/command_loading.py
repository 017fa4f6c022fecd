"""Lets commands add their arguments to a parser, and finds those that cannot, or that nothing would carry out."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout

from mlperf_mobile.errors import UsageError, described
from mlperf_mobile.plugin import CommandInfo


def complete(parser: argparse.ArgumentParser, info: CommandInfo) -> None:
    """Let the command add its arguments.

    Raises:
        UsageError: ``command-failed``: a plugin's code raised, or sets no handler.
    """
    try:
        _add(parser, info)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise anything while it is imported
        summary = f"the command {info.name!r} cannot be loaded: {described(error)}"
        raise UsageError("command-failed", summary, "update or uninstall the distribution it comes from") from error


def check(info: CommandInfo) -> None:
    """Make a command's parser and its help, which otherwise only calling the command does; raises what it raises."""
    parser = argparse.ArgumentParser(prog=f"mlperf-mobile {info.name}")
    _add(parser, info)
    parser.format_help()  # argparse formats the help of arguments as late as here


def _add(parser: argparse.ArgumentParser, info: CommandInfo) -> None:
    with redirect_stdout(sys.stderr):
        info.command.load()(parser)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    if not _has_handler(parser):
        raise TypeError("it sets no handler; call set_defaults(handler=...) of the parser")


def _has_handler(parser: argparse.ArgumentParser) -> bool:
    """Whether the parser sets a handler, itself or in each of the subcommands, one of which must be given."""
    if callable(parser.get_default("handler")):
        return True
    return any(
        action.required and all(map(_has_handler, action.choices.values()))
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
