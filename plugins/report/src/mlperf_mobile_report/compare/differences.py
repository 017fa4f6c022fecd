"""In what, other than the number, results differ: each difference by name, with both values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlperf_mobile_report.compare.entry import OPTION, Entry

_CHANGES_BY_ITSELF = frozenset(
    f"environment.{name}" for name in ("cpu.load_1min", "cpu.mhz", "memory.available_bytes", "clock.resolution_s")
)


_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that is not the same everywhere."""

    name: str
    values: tuple[tuple[str, tuple[str, ...]], ...]
    """Each value as text, with the labels of those that have it."""

    @property
    def text(self) -> str:
        """``environment.cpu.governor differs: performance (A), powersave (B, C)``."""
        return f"{self.name} differs: " + ", ".join(f"{value} ({', '.join(who)})" for value, who in self.values)

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {"name": self.name, "values": {value: list(who) for value, who in self.values}}


def differences(entries: Iterable[Entry]) -> list[Difference]:
    """Between results of ours; of published ones no environment is known.

    What changes from minute to minute, such as the load, is not looked at.
    """
    ours = [entry for entry in entries if not entry.official]
    names = dict.fromkeys(name for entry in ours for name in entry.facts)
    found = []
    for name in names:
        if name in _CHANGES_BY_ITSELF:
            continue
        values: dict[str, list[str]] = {}
        for entry in ours:
            value = entry.facts.get(name, "default" if name.startswith(OPTION) else None)
            values.setdefault(_text(value), []).append(entry.label)
        if len(values) > 1:
            found.append(Difference(name, tuple((value, tuple(who)) for value, who in values.items())))
    return found


def _text(value: object) -> str:
    """In at most some 80 characters; long texts that differ anywhere stay different."""
    text = "unknown" if value is None else str(value)
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 24]}… (sha256 {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]})"
