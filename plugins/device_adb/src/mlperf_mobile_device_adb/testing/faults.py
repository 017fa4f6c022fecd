"""When a fault happens: after bytes of a file, or some time after a command began."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Happens = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in what a host does with a device. It happens once."""

    kind: str
    """``push``, ``pull`` or ``command``."""
    after: float = 0
    """Bytes of one file, or seconds after the command began."""
    matching: str = ""
    """A regular expression for the path or the command line."""

    def __post_init__(self) -> None:
        """Raises: ValueError: A field is not valid."""
        if self.kind not in ("push", "pull", "command") or not 0 <= self.after < 1e15:
            raise ValueError("a moment is a push, a pull or a command, and 0 or more bytes or seconds")
        try:
            re.compile(self.matching)
        except re.error as error:
            raise ValueError(f"{self.matching!r} is not a regular expression: {error}") from error


class Moments:
    """The moments at which something still has to happen."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Moment, Happens]] = []

    def add(self, moment: Moment, happens: Happens) -> None:
        self._waiting.append((moment, happens))

    def __len__(self) -> int:
        return len(self._waiting)

    def moved(self, direction: str, path: str, count: int) -> list[Happens]:
        """What happens now that ``count`` bytes of a file were moved."""
        return [happens for _, happens in self._due(direction, path, count)]

    def command(self, line: str) -> list[tuple[float, Happens]]:
        """What happens how many seconds after a command has begun."""
        return [(moment.after, happens) for moment, happens in self._due("command", line, float("inf"))]

    def _due(self, kind: str, text: str, amount: float) -> list[tuple[Moment, Happens]]:
        due = [
            entry
            for entry in self._waiting
            if entry[0].kind == kind and amount >= entry[0].after and re.search(entry[0].matching, text)
        ]
        self._waiting = [entry for entry in self._waiting if entry not in due]
        return due
