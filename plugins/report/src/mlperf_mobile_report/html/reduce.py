"""Reduces many values to what the pixels can show, without losing extremes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """The values in one column of pixels."""

    at: float
    """Its middle."""
    count: int
    least: float
    median: float
    greatest: float


def envelope(places: Floats, values: Floats, columns: int) -> list[Column]:
    """Minimum, median and maximum of every column with values.

    Args:
        places: Where each value is drawn, in order, from 0 up.
        values: As many.
        columns: How many there are, from 0 to the last place.
    """
    if not len(values):
        return []
    width = float(places[-1]) / columns or 1.0
    numbers = np.minimum((places / width).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts[1:], len(values))
    least, greatest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return [
        Column(
            (float(numbers[start]) + 0.5) * width, int(end - start), float(low), float(np.median(values[start:end])),
            float(high),
        )
        for start, end, low, high in zip(starts, ends, least, greatest, strict=True)
    ]  # fmt: skip


def extremes(times: Sequence[float], values: Sequence[float], columns: int) -> list[tuple[float, float]]:
    """The visible points of a line: first, minimum, maximum and last of each column (M4; Jugel et al., VLDB 2014)."""
    if len(times) <= 4 * columns:
        return list(zip(times, values, strict=True))
    t, v = np.asarray(times, float), np.asarray(values, float)
    width = float(t[-1] - t[0]) / columns or 1.0
    numbers = np.minimum(((t - t[0]) / width).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    kept: list[int] = []
    for start, end in zip(starts, np.append(starts[1:], len(v)), strict=True):
        part = v[start:end]
        kept += sorted({int(start), int(start + part.argmin()), int(start + part.argmax()), int(end - 1)})
    return [(float(t[n]), float(v[n])) for n in kept]
