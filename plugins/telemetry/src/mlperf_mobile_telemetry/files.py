"""Files of sysfs and procfs that are kept open and read repeatedly; reading never raises."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Values = dict[str, float]
"""Finite numbers by the name of their series; the unit is the name's last part: ``frequency.policy0_mhz``."""

MOST_FILES = 256
"""Maximum files of one folder; a phone has about a hundred thermal zones."""

_MOST_BYTES = 4096
_MOST_NAME = 48
_NUMBER = re.compile(rb"[+-]?[0-9]{1,18}")


class OpenFile:
    """One open file; sysfs and procfs generate its content at each read from the start."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError: It cannot be opened."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def bytes(self) -> bytes:
        """The first 4096 bytes; empty if it cannot be read, as of an offline CPU or a sleeping sensor."""
        try:
            return os.pread(self._fd, _MOST_BYTES, 0)
        except OSError:
            return b""

    def number(self) -> int | None:
        """Its content as an integer; None if it is not one."""
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
        """The value in the unit of its series; None if it is missing or implausible."""
        number = self.file.number()
        if number is None:
            return None
        scaled = number * self.scale
        return scaled if self.low <= scaled <= self.high else None


class Gauges:
    """A source of numbers, each in its own file."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}

    def add(
        self, series: str, unit: str, path: Path, scale: float = 1.0, low: float = 0.0, high: float = 2.0**53
    ) -> float | None:
        """Add a file if it has a plausible number now, and return that number.

        Args:
            series: The name of the series; numbered if it exists already: ``acpitz``, ``acpitz.2``.
            unit: The unit of the series, which ends its name.
            path: The file.
            scale: Factor from the file's unit to that of the series.
            low: The smallest plausible value, in the unit of the series.
            high: The largest plausible value; by default the largest exact integer of a float.
        """
        opened = open_file(path)
        if opened is None:
            return None
        gauge = Gauge(opened, scale, low, high)
        value = gauge.value()
        if value is None:
            opened.close()
            return None
        name, count = f"{series}_{unit}", 1
        while name in self._gauges:
            count += 1
            name = f"{series}.{count}_{unit}"
        self._gauges[name] = gauge
        return value

    def values(self) -> Values:
        found = ((name, gauge.value()) for name, gauge in self._gauges.items())
        return {name: value for name, value in found if value is not None}

    def close(self) -> None:
        for gauge in self._gauges.values():
            gauge.file.close()


def open_file(path: Path) -> OpenFile | None:
    """The open file; None if it cannot be opened."""
    try:
        return OpenFile(path)
    except (OSError, ValueError):
        return None


def text(path: Path) -> str:
    """The content of a file as a name: stripped printable ASCII; empty if it cannot be read."""
    opened = open_file(path)
    if opened is None:
        return ""
    data = opened.bytes()
    opened.close()
    return name(data.decode("ascii", errors="replace"))


def number(path: Path) -> int | None:
    """The integer in a file, or None."""
    opened = open_file(path)
    if opened is None:
        return None
    found = opened.number()
    opened.close()
    return found


def name(raw: str) -> str:
    """A series name from a file name or content: at most 48 characters, others than ASCII letters replaced."""
    return re.sub(r"[^A-Za-z0-9 ,:@()+._-]", "_", raw.strip()[:_MOST_NAME])


def folders(parent: Path, pattern: str) -> Iterator[Path]:
    """Paths in a folder by a pattern, in numeric order; at most 256."""
    try:
        found = sorted(parent.glob(pattern), key=_by_number)
    except OSError:
        return
    yield from found[:MOST_FILES]


def _by_number(path: Path) -> list[tuple[int, str]]:
    pieces = re.split(r"([0-9]+)", str(path))
    return [(int(piece[:18]), "") if piece.isdigit() else (-1, piece) for piece in pieces]
