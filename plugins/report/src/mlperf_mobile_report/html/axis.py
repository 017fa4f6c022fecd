"""Axes of charts: bounds and ticks at round numbers, linear or by powers of ten."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUND = (1.0, 2.0, 5.0, 10.0)
_FINER = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
_LOG_FROM = 4.0
"""From this ratio of largest to smallest on, the axis is logarithmic."""
_MARGIN = 1.03
_LEAST, _MOST = 1e-12, 1e24


@dataclass(frozen=True, slots=True)
class Axis:
    """Values between two bounds, in the order of the ticks."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """The position of a value: 0 at the lower bound, 1 at the upper one; values outside are clamped."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def text(self, tick: float) -> str:
        """A tick's number, with as many decimals as its neighbours."""
        if self.log:
            return _plain(tick)
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{tick:,.{min(decimals, 9)}f}"


def linear(label: str, low: float, high: float, *, count: int = 5, widen: bool = True) -> Axis:
    """Ticks at multiples of 1, 2 or 5 times a power of ten.

    Args:
        label: What is shown, with its unit.
        low: The smallest value.
        high: The largest one.
        count: So many ticks, about.
        widen: Move the bounds out to ticks; else they stay, and ticks lie between them.
    """
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-12 + 1e-15:
        room = size * 0.05 if size > _LEAST else 1.0
        low, high, widen = low - room, high + room, True
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * part for part in _ROUND if power * part >= raw * 0.7)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(n * step for n in range(first, last + 1))
    if widen:
        return Axis(label, ticks[0], ticks[-1], ticks)
    room = (high - low) * 1e-9
    return Axis(label, low, high, tuple(tick for tick in ticks if low - room <= tick <= high + room))


def logarithmic(label: str, low: float, high: float) -> Axis:
    """Bounds a little outside of the values; ticks between them, the fewer the more powers of ten there are.

    Raises:
        ValueError: A bound is not above zero.
    """
    if not 0 < low <= high:
        raise ValueError(f"{low} to {high} has no logarithm")
    low, high = low / _MARGIN, high * _MARGIN
    decades = math.log10(high / low)
    parts = _FINER if decades < 1 else _ROUND[:3] if decades < 2.5 else _ROUND[:1]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = tuple(part * 10.0**power for power in powers for part in parts if low <= part * 10.0**power <= high)
    return Axis(label, low, high, ticks, log=True)


def drawable(value: float | None) -> bool:
    """Whether a number is finite, above zero, and of a size that an axis can show."""
    return value is not None and _LEAST < value < _MOST


def spread(label: str, low: float, high: float, *, count: int = 5) -> Axis:
    """Logarithmic if the values are far apart, else linear."""
    return (
        logarithmic(label, low, high) if low > 0 and high > low * _LOG_FROM else linear(label, low, high, count=count)
    )


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:.9f}".rstrip("0").rstrip(".")
