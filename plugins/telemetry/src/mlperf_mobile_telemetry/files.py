"""Files of sysfs and procfs that are opened once and read again and again; whatever they hold, reading never raises."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Values = dict[str, float]
"""Finite numbers by the name of their series; the unit is the name's last part: ``frequency.policy0_mhz``."""

MOST_FILES = 256
"""In one folder: a phone has some hundred thermal zones."""

_MOST_BYTES = 4096
_MOST_NAME = 48
_NUMBER = re.compile(rb"[+-]?[0-9]{1,18}")


class OpenFile:
    """One file, kept open; sysfs and procfs make its contents anew at each read from its start."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError: It cannot be opened."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def bytes(self) -> bytes:
        """The first 4096 bytes; empty when it cannot be read now: a processor may be offline, a sensor asleep."""
        try:
            return os.pread(self._fd, _MOST_BYTES, 0)
        except OSError:
            return b""

    def number(self) -> int | None:
        """The whole number that it holds; None for anything else."""
        text = self.bytes().strip()
        return int(text) if _NUMBER.fullmatch(text) else None

    def close(self) -> None:
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number in one file, as a series."""

    file: OpenFile
    scale: float
    low: float
    high: float

    def value(self) -> float | None:
        """In the unit of its series; None when it is not there or cannot be true."""
        number = self.file.number()
        if number is None:
            return None
        scaled = number * self.scale
        return scaled if self.low <= scaled <= self.high else None


class Gauges:
    """A source of numbers that stand in a file each."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}

    def add(
        self, wanted: str, unit: str, path: Path, scale: float = 1.0, low: float = 0.0, high: float = 2.0**53
    ) -> float | None:
        """Read this file from now on, if it holds a number now that can be true; returns that number.

        Args:
            wanted: The name of the series; numbered where it is taken: ``acpitz``, ``acpitz.2``.
            unit: Of the series: the end of its name.
            path: Of the file.
            scale: From the file's unit to that of the series.
            low: The least that can be true, in the unit of the series.
            high: The most; by default the largest count that a float tells from its neighbours.
        """
        opened = open_file(path)
        if opened is None:
            return None
        gauge = Gauge(opened, scale, low, high)
        value = gauge.value()
        if value is None:
            opened.close()
            return None
        name, count = f"{wanted}_{unit}", 1
        while name in self._gauges:
            count += 1
            name = f"{wanted}.{count}_{unit}"
        self._gauges[name] = gauge
        return value

    def values(self) -> Values:
        found = ((name, gauge.value()) for name, gauge in self._gauges.items())
        return {name: value for name, value in found if value is not None}

    def close(self) -> None:
        for gauge in self._gauges.values():
            gauge.file.close()


def open_file(path: Path) -> OpenFile | None:
    """The file, kept open; None when it cannot be opened."""
    try:
        return OpenFile(path)
    except (OSError, ValueError):
        return None


def text(path: Path) -> str:
    """What stands in a file, as a name: printable ASCII without blanks around it; empty when there is none."""
    opened = open_file(path)
    if opened is None:
        return ""
    data = opened.bytes()
    opened.close()
    return name(data.decode("ascii", errors="replace"))


def number(path: Path) -> int | None:
    """The whole number in a file, read once."""
    opened = open_file(path)
    if opened is None:
        return None
    found = opened.number()
    opened.close()
    return found


def name(raw: str) -> str:
    """A name out of what a file or folder is called: at most 48 characters, strange ones replaced."""
    return re.sub(r"[^A-Za-z0-9 ,:@()+._-]", "_", raw.strip()[:_MOST_NAME])


def folders(parent: Path, pattern: str) -> Iterator[Path]:
    """What is in a folder by a pattern, in the order of the numbers in the names; at most 256."""
    try:
        found = sorted(parent.glob(pattern), key=_by_number)
    except OSError:
        return
    yield from found[:MOST_FILES]


def _by_number(path: Path) -> list[tuple[int, str]]:
    pieces = re.split(r"([0-9]+)", str(path))
    return [(int(piece[:18]), "") if piece.isdigit() else (-1, piece) for piece in pieces]
