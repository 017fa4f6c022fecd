"""What plugins tell the user: lines about a result, and facts about the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """One line that a plugin adds to a displayed result: ``Remark("stands", "3rd of 11 published results")``.

    An ``alarm`` is displayed prominently.
    """

    label: str
    """At most a few words, at the beginning of the line."""
    text: str
    """The rest of the line."""
    alarm: bool = False
    """Whether it must not be overlooked."""


@dataclass(frozen=True, slots=True)
class EnvFact:
    """One fact about the machine, written into every result: ``EnvFact("snpe.version", "2.21")``."""

    key: str
    """Unique, with the plugin in it: ``"snpe.version"``."""
    value: str | int | float | bool
    """A number must be finite."""
