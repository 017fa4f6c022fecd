"""Findings of a check, with rule, severity and place, and what could not be checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

MAX_FINDINGS = 10_000
"""More than these are counted and not kept."""


def printable(text: str) -> str:
    """A text in one line without control characters: checked files may hold anything."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


class Severity(StrEnum):
    """How bad a finding is; only errors make a check fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where: a file or folder, and in a file the line, or the key of a JSON file."""

    path: Path
    line: int | None = None
    column: int | None = None
    key: str = ""

    def text(self, root: Path | None = None) -> str:
        """The place as ``file:line:column`` or ``file: key``, from ``root`` on."""
        path = self.path
        if root is not None and path.is_relative_to(root) and path != root:
            path = path.relative_to(root)
        where = ":".join(str(part) for part in (path, self.line, self.column) if part is not None)
        return printable(f"{where}: {self.key}" if self.key else where)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    rule: str
    severity: Severity
    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class SkippedRule:
    """A rule that could not be checked, and why."""

    rule: str
    place: Place
    why: str


@dataclass(slots=True)
class Report:
    """All findings about one tree."""

    root: Path
    round: str | None = None
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[SkippedRule] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    """How often each rule was met."""
    signatures: dict[str, list[str]] = field(default_factory=dict)
    """Results of this program by their signatures: ``unsigned``, ``wrong``, ``by NAME``, or signed by one not known."""
    dropped: int = 0

    def add(self, rule: str, severity: Severity, place: Place, text: str) -> None:
        """Record a finding."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(rule, severity, place, printable(text)))
        else:
            self.dropped += 1

    def error(self, rule: str, place: Place, text: str) -> None:
        """Record an error."""
        self.add(rule, Severity.ERROR, place, text)

    def warning(self, rule: str, place: Place, text: str) -> None:
        """Record a warning."""
        self.add(rule, Severity.WARNING, place, text)

    def note(self, rule: str, place: Place, text: str) -> None:
        """Record a note."""
        self.add(rule, Severity.NOTE, place, text)

    def skip(self, rule: str, place: Place, why: str) -> None:
        """Record that a rule was not checked."""
        if len(self.unchecked) < MAX_FINDINGS:
            self.unchecked.append(SkippedRule(rule, place, printable(why)))
        else:
            self.dropped += 1

    def require(
        self, rule: str, ok: bool | None, place: Place, wrong: str, severity: Severity = Severity.ERROR
    ) -> None:
        """Count a rule that is met, note one that is not; None: it could not be checked, for the reason ``wrong``."""
        if ok is None:
            self.skip(rule, place, wrong)
        elif ok:
            self.passed[rule] += 1
        else:
            self.add(rule, severity, place, wrong)

    def count(self, severity: Severity) -> int:
        """How many findings there are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def clean(self) -> bool:
        """Whether something was checked, without an error."""
        return not self.count(Severity.ERROR) and not self.dropped and bool(self.passed)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-serialisable data."""
        return {
            "schema": 1,
            "directory": str(self.root),
            "round": self.round,
            "clean": self.clean,
            "counts": {severity.value: self.count(severity) for severity in Severity}
            | {"not_checked": len(self.unchecked), "passed": sum(self.passed.values()), "not_shown": self.dropped},
            "findings": [
                {"rule": f.rule, "severity": f.severity.value, **self._place(f.place), "text": f.text}
                for f in self.findings
            ],
            "not_checked": [{"rule": u.rule, **self._place(u.place), "why": u.why} for u in self.unchecked],
            "passed": dict(sorted(self.passed.items())),
            "signatures": self.signatures,
        }

    def _place(self, place: Place) -> dict[str, Any]:
        file = Place(place.path).text(self.root)
        return {"file": file, "line": place.line, "column": place.column, "key": printable(place.key) or None}
