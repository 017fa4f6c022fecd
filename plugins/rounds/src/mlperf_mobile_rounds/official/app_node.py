"""One value of a result file, with its key: parsed strictly; problems are recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile_rounds.official import json_files
from mlperf_mobile_rounds.official.app_results import FormError

MAX_RESULTS = 1000
MAX_FACTS = 100_000
_PLAIN = re.compile(r"\d{1,18}(\.\d{1,18})?(e-?\d{1,2})?")
"""A number as text in the forms of v1.1 and v2.0."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the key that leads to it."""

    path: Path
    key: str
    value: Any
    problems: list[tuple[str, str]]
    """Of the whole file: keys, and what is wrong with their values."""

    def wrong(self, expected: str) -> FormError:
        return FormError(self.path, self.key, f"expected {expected}, found {str(self.value)[:60]!r}")

    def get(self, name: str, *others: str) -> Node:
        """The value under a name, or under a name in older forms; a node of None without one."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        found = next((each for each in (name, *others) if each in self.value), name)
        return Node(self.path, f"{self.key}.{found}".lstrip("."), self.value.get(found), self.problems)

    def items(self) -> list[Node]:
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [Node(self.path, f"{self.key}[{n}]", value, self.problems) for n, value in enumerate(self.value)]

    @property
    def there(self) -> bool:
        return self.value is not None

    def text(self) -> str:
        if self.value is None:
            return ""
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return json_files.clean(self.value[:2000])

    def number(self) -> float | None:
        """A finite number of zero or more; anything else in its place is a problem and counts as missing.

        ``N/A`` means that it is missing. Forms of text have ``Infinity`` for the rate of a run that was not timed.
        """
        value = self.value
        if value is None or value == "N/A" or (value == "Infinity" and self.key.endswith(".score")):
            return None
        if isinstance(value, str):
            return self._of_text(value)
        if isinstance(value, bool):
            self._problem("a boolean instead of a number")
            return None
        if not isinstance(value, int | float):
            raise self.wrong("a number")
        if not abs(value) < 2**64:  # NaN is not, either
            self._problem(f"{str(value)[:20]} is not a finite 64-bit number")
            return None
        if value < 0:
            self._problem(f"{value:.10g} is below zero")
            return None
        return float(value)

    def _of_text(self, value: str) -> float | None:
        if not _PLAIN.fullmatch(value):
            try:
                float(value)
            except ValueError:
                raise self.wrong("a number") from None
            self._problem(f"{value[:30]!r} is not a number as the app writes it")
            return None
        if not self.key.startswith("["):
            self._problem(f"{value!r} is a string instead of a number")
            return None
        return float(value)

    def _problem(self, text: str) -> None:
        self.problems.append((self.key, text))

    def integer(self) -> int | None:
        number = self.number()
        if number is not None and not number.is_integer():
            raise self.wrong("a whole number")
        return None if number is None else int(number)

    def flag(self) -> bool | None:
        if self.value is None or isinstance(self.value, bool):
            return self.value
        raise self.wrong("true or false")


def facts(top: Node) -> tuple[tuple[str, str], ...]:
    """Every string, number and boolean of the file by its key, for comparisons."""
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, Any]] = [(top.key, top.value)]
    while waiting and len(found) < MAX_FACTS:
        key, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{key}.{plain(name)}".lstrip("."), each) for name, each in value.items()]
        elif isinstance(value, list) and value:
            waiting += [(f"{key}[{n}]", each) for n, each in enumerate(value[:MAX_RESULTS])]
        else:
            found.append((key, "" if value is None or value in ([], {}) else plain(value)))
    return tuple(sorted(found))


def empty(top: Node) -> tuple[str, ...]:
    """The keys of every null and every empty object of the file."""
    found: list[str] = []
    waiting: list[tuple[str, Any]] = [(top.key, top.value)]
    while waiting and len(found) < MAX_RESULTS:
        key, value = waiting.pop()
        if value is None or value == {}:
            found.append(key)
        elif isinstance(value, dict):
            waiting += [(f"{key}.{plain(name)}".lstrip("."), each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{key}[{n}]", each) for n, each in enumerate(value[:MAX_RESULTS])]
    return tuple(sorted(found))


def plain(value: object) -> str:
    """A value as short printable text."""
    return json_files.clean(str(value)[:200])
