"""HTML elements: every text is escaped, and attribute names come from this package alone."""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

_DEEPEST = 8
LONGEST = 600
"""The longest text of a result; a hostile one may be megabytes long."""
MOST_ROWS = 250
"""Of one table."""
_VOID = frozenset({"meta", "br", "hr", "img"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(value: str) -> Markup:
    """Text as HTML, without control characters, direction marks, and invalid characters."""
    return Markup(
        html.escape("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in value))
    )


def cut(value: str, most: int = LONGEST) -> str:
    """Text of a length that a page can show."""
    return value if len(value) <= most else f"{value[: most - 1]}…"


def shown(value: object, depth: int = 0) -> str:
    """Any value of a result as readable text; deep levels are left out."""
    if depth > _DEEPEST:
        return "…"
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return cut(", ".join(shown(each, depth + 1) for each in value[:50])) or "none"
    if isinstance(value, dict):
        return cut(", ".join(f"{key}: {shown(each, depth + 1)}" for key, each in [*value.items()][:50])) or "none"
    return cut(str(value))


def element(tag: str, /, *children: object, **attributes: object) -> Markup:
    """An element: children are escaped unless they are markup, and attributes always.

    An attribute that is None or False is left out; ``class_`` is ``class``, and ``aria_label`` ``aria-label``.
    """
    written = "".join(
        f" {key}" if value is True else f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    inner = "".join(child if isinstance(child, Markup) else escape(shown(child)) for child in children)
    return Markup(f"<{tag}{written}>" if tag in _VOID else f"<{tag}{written}>{inner}</{tag}>")


def join(parts: Iterable[Markup], between: str = "\n") -> Markup:
    """Markup after markup."""
    return Markup(between.join(parts))


@dataclass(frozen=True, slots=True)
class Number:
    """A formatted number, aligned with others."""

    text: str


def finite(value: object) -> float | None:
    """A value of a foreign result as a number; None if it is not one, or too large to compute with."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e300 else None


def number(value: float | None, digits: int = 6) -> Number:
    """A number with this many significant digits; a dash if it is not finite."""
    if value is None or not math.isfinite(value):
        return Number("–")
    return Number(f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else _plain(value, digits))


def milliseconds(nanoseconds: float | None) -> Number:
    """Nanoseconds as milliseconds, with four significant digits at least."""
    if nanoseconds is None or not math.isfinite(nanoseconds):
        return Number("–")
    value = nanoseconds / 1e6
    return Number(f"{value:,.3f}" if abs(value) >= 1 else _plain(value, 4))


def _plain(value: float, digits: int) -> str:
    if value == 0 or not 1e-6 < abs(value) < 1e12:
        return f"{value:.{digits}g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    wide: bool = False,
    marked: Collection[int] = (),
) -> Markup:
    """A table in a scrolling box; the first cell of each row is its head.

    Args:
        caption: What it is, for everybody.
        head: Names of the columns; those of numbers are aligned with them, and those of empty columns left out.
        rows: Cells: text, numbers, or markup. More than :data:`MOST_ROWS` are counted, not shown.
        wide: It will not fit most screens: the box can be reached with the keyboard, and its first column stays.
        marked: Numbers of the rows that stand out.
    """
    used = [n for n in range(len(head)) if n == 0 or any(row[n] != "" for row in rows)]
    head, rows = [head[n] for n in used], [[row[n] for n in used] for row in rows]
    numeric = [any(isinstance(row[n], Number) for row in rows) for n in range(len(head))]
    heads = [element("th", name, scope="col", class_="number" if numeric[n] else None) for n, name in enumerate(head)]
    lines = [element("tr", *heads)]
    body = [
        element("tr", *(_cell(n, cell) for n, cell in enumerate(row)), class_="marked" if place in marked else None)
        for place, row in enumerate(rows[:MOST_ROWS])
    ]
    if len(rows) > MOST_ROWS:
        body.append(element("tr", element("td", f"and {len(rows) - MOST_ROWS} more rows", colspan=len(head))))
    inner = element("table", element("caption", caption), element("thead", *lines), element("tbody", join(body)))
    if not wide:
        return element("div", inner, class_="scroll")
    return element("div", inner, class_="scroll wide", tabindex=0, role="region", aria_label=caption)


def _cell(place: int, cell: object) -> Markup:
    kind = {"class_": "number"} if isinstance(cell, Number) else {}
    inner = cell.text if isinstance(cell, Number) else cell
    return element("th", inner, scope="row") if place == 0 else element("td", inner, **kind)


def details(summary: str, *children: Markup, class_: str | None = None) -> Markup:
    """A part that the reader can open."""
    return element("details", element("summary", summary), *children, class_=class_)


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """Names and values."""
    return element(
        "dl",
        join(join((element("dt", name), element("dd", value)), "") for name, value in rows if value not in ("", None)),
    )


def section(title: str, parts: Sequence[Markup]) -> Markup:
    """A part of a result, under its heading."""
    return element("section", element("h3", title), join(parts))
