"""The contract of a plugin's own part of a result: its fields, and how terminal, tables and reports show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from mlperf_mobile.plugin import Remark


@dataclass(frozen=True, slots=True)
class Listing:
    """A table about a run."""

    title: str
    """The table's heading."""
    head: Sequence[str]
    """The headings of the columns."""
    rows: Sequence[Sequence[str | float | None]]
    """The cells, as many in each row as in ``head``; None is shown empty."""


@dataclass(frozen=True, slots=True)
class Curves:
    """A chart of numbers against another number: lines with the same unit."""

    title: str
    """The chart's heading."""
    along: str
    """What the numbers across are, with the unit: ``"tokens of the prompt"``."""
    unit: str
    """The unit of all lines: ``"tokens/s"``."""
    lines: Mapping[str, Sequence[tuple[float, float]]]
    """The points of each line, by its name, in order of the numbers across."""


class ResultPart(BaseModel):
    """Base class for a plugin's part of a result: finite numbers, texts, lists and mappings of them.

    The methods derive remarks, cells and tables from the fields.
    """

    model_config = ConfigDict(extra="forbid")

    title: ClassVar[str] = ""
    """The part's heading in reports; if empty, the plugin's name for it."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Columns for the tables of ``report``: each name with a description and unit."""

    def lines(self) -> Iterable[Remark]:
        """Lines for the result card on the terminal."""
        return ()

    def facts(self) -> Iterable[Remark]:
        """Lines for a report, which has more room."""
        return self.lines()

    def values(self) -> Mapping[str, float | int | str | bool | None]:
        """The cells of :attr:`columns`, by their names."""
        return {}

    def listings(self) -> Iterable[Listing]:
        """Tables at the end of the part in a report."""
        return ()


class ScenarioPart(ResultPart):
    """Base class for what only one scenario measures: ``Measurement.part``, ``performance.part`` in the result.

    ``ScenarioInfo.part`` names the class. Its tables are on the result card, too.
    """

    def curves(self) -> Iterable[Curves]:
        """Charts for a report."""
        return ()
