"""A plugin's table on a result card."""

from __future__ import annotations

from rich.table import Table

from mlperf_mobile.contracts import Listing
from mlperf_mobile.terminal.console import text

MOST_ROWS = 100
_LONGEST = 80


def listed(listing: Listing) -> Table:
    """The table with its title; columns of numbers are aligned to the right, and further rows are counted."""
    table = Table(title=text(listing.title[:_LONGEST]), title_justify="left", title_style="bold",
                  box=None, padding=(0, 1, 0, 0), header_style="bold")  # fmt: skip
    rows = list(listing.rows)
    for place, name in enumerate(listing.head):
        numeric = any(isinstance(row[place], int | float) for row in rows if place < len(row))
        table.add_column(text(name[:_LONGEST]), justify="right" if numeric else "left")
    for row in rows[:MOST_ROWS]:
        table.add_row(*(text(_cell(cell)) for cell in row))
    if len(rows) > MOST_ROWS:
        table.add_row(text(f"and {len(rows) - MOST_ROWS} more rows"))
    return table


def _cell(cell: str | float | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell[:_LONGEST]
    return f"{cell:.0f}" if 1000 <= abs(cell) < 1e9 else f"{cell:.4g}"
