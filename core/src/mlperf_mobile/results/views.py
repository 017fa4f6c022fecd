"""What a plugin's part of a result shows. A method that fails hides no other, and the card or the page says so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar

from mlperf_mobile.contracts.part import ResultPart
from mlperf_mobile.errors import described
from mlperf_mobile.plugin import Remark

_MOST_SHOWN = 1000

PartT = TypeVar("PartT", bound=ResultPart)
T = TypeVar("T")


@dataclass(slots=True)
class LoadedPart(Generic[PartT]):
    """A part of a result, loaded by its plugin."""

    name: str
    """The name of the scenario or the observer."""
    part: PartT
    failures: dict[str, str] = field(default_factory=dict)
    """What the methods that failed raised, by their names."""

    def view(self, method: str, view: Callable[[PartT], Iterable[T]]) -> list[T]:
        """A view of the part, made by its ``method``; empty if that fails. Its output goes to standard error."""
        try:
            with redirect_stdout(sys.stderr):
                return list(islice(view(self.part), _MOST_SHOWN))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  a plugin may do anything
            self.failures[method] = described(error)
            return []

    @property
    def lines(self) -> list[Remark]:
        """Its lines for the card, and one if they failed."""
        return [*self.view("lines", lambda part: remarks(part.lines())), *self.failed("lines")]

    def failed(self, *methods: str) -> list[Remark]:
        """A remark on each of the methods that failed, by default on all."""
        return [
            Remark(self.name, f"{method}() failed: {why}")
            for method, why in self.failures.items()
            if method in methods or not methods
        ]


def remarks(given: Any) -> list[Remark]:
    """The remarks of a plugin.

    Raises:
        TypeError: An item is not a remark.
    """
    items = list(islice(given, _MOST_SHOWN))
    for each in items:
        if not (isinstance(each, Remark) and isinstance(each.label, str) and isinstance(each.text, str)):
            raise TypeError(f"expected a Remark, got {each!r:.100}")
    return items
