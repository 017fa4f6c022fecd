"""A text table, as CSV or Markdown; no text of a result is read as markup."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlperf_mobile.printing import clean

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Characters that begin a formula in a spreadsheet (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A title, column heads, and rows of as many cells."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grid(title: str, head: Iterable[str], rows: Iterable[Sequence[str]]) -> Grid:
    """A grid, without control characters, and without the columns that are empty in all rows."""
    heads, kept = tuple(head), [tuple(clean(cell) for cell in row) for row in rows]
    used = [n for n in range(len(heads)) if any(row[n] for row in kept)]
    return Grid(clean(title), tuple(clean(heads[n]) for n in used), tuple(tuple(row[n] for n in used) for row in kept))


def markdown(grids: Iterable[Grid]) -> str:
    """GitHub's tables, each under its title."""
    parts = []
    for each in grids:
        lines = [each.head, tuple("---" for _ in each.head), *each.rows]
        table = "\n".join("| " + " | ".join(escape(cell) for cell in row) + " |" for row in lines)
        parts.append(f"### {escape(each.title)}\n\n{table}")
    return "\n\n".join(parts)


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180, with plain line ends, and no cell that a spreadsheet reads as a formula."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([guarded(cell) for cell in row] for row in rows)
    return file.getvalue().removesuffix("\n")


def guarded(cell: object) -> object:
    """Text with an apostrophe in front if a spreadsheet would read it as a formula. Numbers stay numbers."""
    if not isinstance(cell, str):
        return cell
    text = clean(cell)
    return f"'{text}" if cell.startswith(_FORMULA) or text.startswith(_FORMULA) else text


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\`*{}[]<>#|" else c for c in text)
