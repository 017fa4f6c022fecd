"""Small charts as SVG: in their final size, coloured by the style sheet, with a description in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlperf_mobile_report.html.axis import Axis
from mlperf_mobile_report.html.markup import Markup, details, element, join

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 24, 40
COLUMNS = WIDTH - LEFT - RIGHT
"""Pixels across at the size of the drawing: finer than that, nothing is seen."""
SERIES = 5
"""The most lines of one chart, each with its own colour and dashes."""
_LINE, _CHARACTER = 12, 6.5


class Chart:
    """A frame with two axes; what is added first is drawn first."""

    def __init__(self, key: str, title: str, description: str, x: Axis, y: Axis, *, rows: Sequence[str] = ()) -> None:
        """Nothing is drawn but the axes.

        Args:
            key: Makes the ids on the page unique.
            title: What it shows, for those who do not see it.
            description: What is to be seen in it, for the same.
            x: The axis across.
            y: The axis upwards; with ``rows`` its ticks are their numbers.
            rows: Names beside the ticks of ``y``, for a chart of one row each.
        """
        self.x_axis, self.y_axis, self._rows = x, y, tuple(rows)
        self._key, self._title, self._description = key, title, description
        self._left, self._right = (112, WIDTH - 58) if rows else (LEFT, WIDTH - RIGHT)
        self._height = TOP + BOTTOM + 26 * len(rows) if rows else HEIGHT
        self._parts: list[Markup] = []

    def x(self, value: float) -> float:
        """Where a value is, from the left."""
        return self._left + self.x_axis.share(value) * (self._right - self._left)

    def y(self, value: float) -> float:
        """Where a value is, from the top."""
        return self._height - BOTTOM - self.y_axis.share(value) * (self._height - TOP - BOTTOM)

    def line(self, points: Iterable[tuple[float, float]], style: int = 1) -> None:
        """Through all points; the style is one of 1 to :data:`SERIES`."""
        self._add("path", d=self._path(points), class_=f"line line{style}")

    def median(self, points: Iterable[tuple[float, float]]) -> None:
        """A line that is seen on a band."""
        self._add("path", d=self._path(points), class_="median")

    def band(self, lower: Sequence[tuple[float, float]], upper: Sequence[tuple[float, float]]) -> None:
        """The area between two lines."""
        self._add("path", d=f"{self._path([*upper, *reversed(lower)])}Z", class_="band")

    def bar(self, low: tuple[float, float], high: tuple[float, float], style: str = "bar") -> None:
        """A rectangle between two corners; what is not empty is a pixel high and wide at least."""
        left, right = self.x(low[0]), self.x(high[0])
        top, bottom = self.y(high[1]), self.y(low[1])
        wide, tall = max(right - left, 1.0), max(bottom - top, 1.0)
        self._add("rect", x=_n(left), y=_n(bottom - tall), width=_n(wide), height=_n(tall), class_=style)

    def upright(self, value: float, label: str, row: int = 0) -> None:
        """A line from top to bottom at a value, with its name; names side by side go into rows of their own."""
        at = self.x(value)
        self._add("path", d=f"M{_n(at)} {TOP}V{self._height - BOTTOM}", class_="mark")
        fits = at + 4 + len(label) * _CHARACTER < WIDTH
        place, anchor = (at + 4, "start") if fits else (at - 4, "end")
        self._parts.append(_text(place, TOP + 10 + row * _LINE, label, anchor, "marked"))

    def beside(self, y: float, words: str) -> None:
        """A text right of the drawing, at a row of a chart that has them."""
        self._parts.append(_text(WIDTH - 4, self.y(y) + 4, words, "end", "marked"))

    def svg(self) -> Markup:
        """The drawing."""
        title, text = f"{self._key}-title", f"{self._key}-text"
        return element(
            "svg",
            element("title", self._title, id=title),
            element("desc", self._description, id=text),
            element("g", *self._grid(), class_="axes", aria_hidden="true"),
            element("g", *self._parts, aria_hidden="true"),
            viewBox=f"0 0 {WIDTH} {self._height}", role="img",
            aria_labelledby=f"{title} {text}",
        )  # fmt: skip

    def _grid(self) -> Iterable[Markup]:
        bottom = self._height - BOTTOM
        for place, tick in enumerate(self.y_axis.ticks):
            at = self.y(tick)
            yield element("path", d=f"M{self._left} {_n(at)}H{_n(self._right)}", class_="grid")
            name = self._rows[place] if self._rows else self.y_axis.text(tick)
            yield _text(self._left - 6, at + 4, name, "end")
        last = float("-inf")
        for tick in self.x_axis.ticks:
            at, name = self.x(tick), self.x_axis.text(tick)
            yield element("path", d=f"M{_n(at)} {bottom}v4", class_="grid")
            half = len(name) * _CHARACTER / 2
            centre = min(at, WIDTH - half)
            if centre - half > last + 4:
                yield _text(centre, bottom + 16, name, "middle")
                last = centre + half
        yield element("path", d=f"M{self._left} {TOP}V{bottom}H{_n(self._right)}", class_="frame")
        yield _text(self._right, self._height - 6, self.x_axis.label, "end")
        yield _text(2, TOP - 10, self.y_axis.label, "start")

    def _path(self, points: Iterable[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{x} {y}" for x, y in self._places(points))

    def _places(self, points: Iterable[tuple[float, float]]) -> Iterable[tuple[str, str]]:
        """Points that are drawn at the same place are drawn once."""
        last = None
        for x, y in points:
            place = _n(self.x(x)), _n(self.y(y))
            if place != last:
                yield place
            last = place

    def _add(self, name: str, **attributes: object) -> None:
        self._parts.append(element(name, **attributes))


def figure(
    title: str, drawing: Markup, *, note: str = "", legend: Sequence[str] = (), data: Markup | None = None
) -> Markup:
    """A chart with its title, the names of its lines, what is to be kept in mind, and its numbers as a table."""
    names = (
        element("ul", *(_named(style, name) for style, name in enumerate(legend, 1)), class_="legend")
        if legend
        else None
    )
    parts = [
        element("figcaption", title), names, drawing, element("p", note, class_="note") if note else None,
        details("Numbers", data) if data else None,
    ]  # fmt: skip
    return element("figure", join(part for part in parts if part is not None))


def _named(style: int, name: str) -> Markup:
    line = element("path", d="M0 5H26", class_=f"line line{style}")
    return element("li", element("svg", line, viewBox="0 0 26 10", class_="swatch", aria_hidden="true"), name)


def _text(x: float, y: float, words: str, anchor: str, class_: str | None = None) -> Markup:
    return element("text", words, x=_n(x), y=_n(y), text_anchor=anchor, class_=class_)


def _n(value: float) -> str:
    """A tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")
