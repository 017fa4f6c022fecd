"""Differences between results other than their scores, by name, with both values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlperf_mobile_report.compare.entry import OPTION, ComparedResult

_CHANGES_BY_ITSELF = frozenset(
    f"environment.{name}" for name in ("cpu.load_1min", "cpu.mhz", "memory.available_bytes", "clock.resolution_s")
)


_LONGEST = 80


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """One setting that differs between results."""

    name: str
    values: tuple[tuple[str, tuple[str, ...]], ...]
    """Each value as text, with the labels of its results."""

    @property
    def text(self) -> str:
        """``environment.cpu.governor differs: performance (A), powersave (B, C)``."""
        return f"{self.name} differs: " + ", ".join(f"{value} ({', '.join(who)})" for value, who in self.values)

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {"name": self.name, "values": {value: list(who) for value, who in self.values}}


def differences(entries: Iterable[ComparedResult]) -> list[SettingDifference]:
    """Differences between own results; the environment of published ones is not known.

    Values that change from minute to minute, such as the load, are ignored.
    """
    ours = [entry for entry in entries if not entry.published]
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
            found.append(SettingDifference(name, tuple((value, tuple(who)) for value, who in values.items())))
    return found


def _text(value: object) -> str:
    """In about 80 characters; long texts that differ stay different."""
    text = "unknown" if value is None else str(value)
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 24]}… (sha256 {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:12]})"
