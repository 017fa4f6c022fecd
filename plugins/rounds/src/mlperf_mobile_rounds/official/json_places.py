"""The position of each key of a JSON file, and contents that readers interpret differently or not at all."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_TOKENS = 400_000
MAX_PROBLEMS = 50
_TOKEN = re.compile(r'[ \t\r\n]*(?:([{}\[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}\[\],:"]+))', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """A duplicate key, or an invalid number."""

    key: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of all keys, as ``results[0].throughput.value``, and the problems."""

    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, key: str) -> int | None:
        """Where a key stands, or the nearest one around it."""
        while key and key not in self.lines:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self.lines.get(key)


@dataclass(slots=True)
class _Level:
    """An object or a list that is being read."""

    key: str
    is_list: bool
    index: int = 0
    name: str | None = None
    seen: set[str] = field(default_factory=set)

    def child(self) -> str:
        return f"{self.key}[{self.index}]" if self.is_list else f"{self.key}.{self.name}".lstrip(".")


def scan(text: str) -> Places:
    """The places in a text that is JSON; of one that is not, and of one without end, those up to there."""
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    levels: list[_Level] = []
    line, at = 1, 0
    for count, token in enumerate(_TOKEN.finditer(text)):
        if count > MAX_TOKENS:
            break
        start = token.end() - len(token[1] or token[2] or token[3])
        line += text.count("\n", at, start)
        at = start
        mark, string, word = token.groups()
        level = levels[-1] if levels else None
        if string is not None and level and not level.is_list and level.name is None:
            level.name = _text(string)
            if level.name in level.seen and len(problems) < MAX_PROBLEMS:
                problems.append(Problem(level.child(), line, "duplicate key; which value a reader takes is undefined"))
            level.seen.add(level.name)
            lines.setdefault(level.child(), line)
        elif mark in ("{", "["):
            key = level.child() if level else ""
            lines.setdefault(key, line)
            levels.append(_Level(key, mark == "["))
        elif mark in ("}", "]"):
            levels = levels[:-1]
        elif mark == "," and level:
            level.index, level.name = level.index + 1, None
        elif word is not None and len(problems) < MAX_PROBLEMS and (wrong := _wrong(word)):
            problems.append(Problem(level.child() if level else "", line, wrong))
        if level and level.is_list and mark != ",":
            lines.setdefault(level.child(), line)
    return Places(lines, tuple(problems))


def _text(string: str) -> str:
    try:
        return str(json.loads(string))
    except ValueError:
        return string[1:-1]


def _wrong(word: str) -> str:
    """What is wrong with a number; empty if nothing is."""
    if word in ("true", "false", "null"):
        return ""
    if word in ("NaN", "Infinity", "-Infinity"):
        return f"{word} is not a JSON number"
    try:
        if len(word) > 40 or not math.isfinite(float(word)) or abs(float(word)) >= 2**64:
            return f"the number {word[:20]}{'…' if len(word) > 20 else ''} does not fit into 64 bits"
    except (ValueError, OverflowError):
        return f"{word[:20]!r} is not a number"
    return ""
