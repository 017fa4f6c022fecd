"""The parser of the command line, which reports a mistake as an error with a code, and similar flags."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from mlperf_mobile.errors import UsageError

_GIVEN = "_given"
"""The attribute of parsed arguments with the flags that were given."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps help at the terminal's width; argparse would import ``shutil`` for that with every command."""

    def __init__(self, prog: str) -> None:
        columns = os.environ.get("COLUMNS", "")
        try:
            width = int(columns) if columns.isdecimal() else os.get_terminal_size(1).columns
        except OSError:
            width = 0
        super().__init__(prog, width=(width or 80) - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Wrap a text of one line; a text of several lines has its own layout."""
        wrapped = argparse.HelpFormatter if "\n" not in text else argparse.RawDescriptionHelpFormatter
        return wrapped._fill_text(self, text, width, indent)


class _Once(argparse.Action):
    """Stores a value; a flag that is given again is an error, because the first value would be lost."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given: frozenset[str] = getattr(namespace, _GIVEN, frozenset())
        if option_string and self.dest in given:
            parser.error(f"{option_string} is given twice")
        setattr(namespace, _GIVEN, given | {self.dest})
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Parses the arguments of the program or of one command."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **settings)
        for action in (None, "store"):
            self.register("action", action, _Once)
        self._is_mixing = False

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments.

        Raises:
            UsageError: ``bad-arguments``: an argument is unknown, missing, or has a value of another type.
        """
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            command = self._command(parsed)
            command.refuse(f"unrecognized arguments: {' '.join(unknown)}", command.similar(unknown))
        return parsed

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the known arguments; flags may stand between positional arguments, as in ``compare A --json B``."""
        if self._is_mixing or "--" in (args or ()) or not self._is_mixable():
            return super().parse_known_args(args, namespace)
        before = self.usage
        self.usage = before or self.format_usage().removeprefix("usage: ").replace("%", "%%")  # argparse formats it
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing, self.usage = False, before

    def _is_mixable(self) -> bool:
        """Whether argparse can do that: there is an argument list, and no further command or remainder."""
        positional = {action.nargs for action in self._get_positional_actions()}
        exclusive = [action for group in self._mutually_exclusive_groups for action in group._group_actions]
        if {argparse.PARSER, argparse.REMAINDER} & positional or not all(each.option_strings for each in exclusive):
            return False
        return bool({"*", "+", "?"} & positional)

    def error(self, message: str) -> NoReturn:
        """Refuse the command line; called by argparse.

        Raises:
            UsageError: ``bad-arguments``.
        """
        self.refuse(message)

    def refuse(self, summary: str, hint: str = "") -> NoReturn:
        """Print the usage, and raise the error.

        Raises:
            UsageError: ``bad-arguments``.
        """
        self.print_usage(sys.stderr)
        raise UsageError("bad-arguments", summary, hint or f"see {self.prog} --help")

    def similar(self, words: Iterable[str]) -> str:
        """A hint with the flags that resemble the unknown ones, or empty."""
        import difflib

        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        flags = sorted(flag for action in shown for flag in action.option_strings)
        names = [word.partition("=")[0] for word in words if word.startswith("-")]
        found = [near for name in names for near in difflib.get_close_matches(name, flags, n=3, cutoff=0.6)]
        return f"did you mean {' or '.join(dict.fromkeys(found))}?" if found else ""

    def _command(self, parsed: argparse.Namespace) -> Parser:
        """The parser of the command that was parsed, or this one."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found = action.choices.get(getattr(parsed, action.dest))
                return found if isinstance(found, Parser) else self
        return self


def debugging(args: argparse.Namespace) -> bool:
    """Whether tracebacks are shown: ``--debug``, or ``MLPERF_MOBILE_DEBUG``."""
    return bool(getattr(args, "debug", False) or os.environ.get("MLPERF_MOBILE_DEBUG"))
