"""Pairs low-resolution with high-resolution images by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.order import mispaired

RESOLUTION_WORDS = frozenset({"lr", "hr", "low", "high", "gt", "x2", "x3", "x4"})
"""Words of a file name that denote the resolution, not the image."""


def pair(low: Sequence[Path], high: Sequence[Path]) -> list[Path]:
    """The high-resolution image of each of ``low``.

    Both lists are sorted by name. Corresponding names decide: ``7.png`` and ``7.png``, or ``0801x2.png`` and
    ``0801.png``, ``a_LR.png`` and ``a_HR.png``. If none correspond, images are paired in order, as the reference app
    does with any names.

    Raises:
        DataError: An image has no partner; the message names it.
    """
    for key in (_stem, _image_name):
        if (pairs := _by_name(low, high, key)) is not None:
            return pairs
    if len(low) != len(high):
        reason = f"{low[0].parent} has {len(low)} images, {high[0].parent} has {len(high)}"
        raise DataError("pairs", reason, "each low-resolution image needs a high-resolution image")
    return list(high)


def mispaired_files(low: Sequence[Path], high: Sequence[Path]) -> str:
    """The first pair in order whose names have different numbers; empty if names pair them or have no numbers."""
    if _image_name(low[0]) == _image_name(high[0]):
        return ""
    place = mispaired([path.name for path in low], [path.name for path in high])
    return "" if place is None else f"{low[place].name} with {high[place].name}"


def _by_name(low: Sequence[Path], high: Sequence[Path], key: Callable[[Path], str]) -> list[Path] | None:
    """Pairs by a key of the name; None where keys are ambiguous or have nothing in common."""
    lows, highs = {key(path): path for path in low}, {key(path): path for path in high}
    if len(lows) < len(low) or len(highs) < len(high) or not lows.keys() & highs.keys():
        return None
    for mine, theirs, folder in ((lows, highs, high[0].parent), (highs, lows, low[0].parent)):
        if alone := next((path for name, path in mine.items() if name not in theirs), None):
            reason = f"{alone} has no image of the same name in {folder}"
            raise DataError(
                "pairs", reason, "add it, or remove the image; images of the two folders are paired by name"
            )
    return [highs[key(path)] for path in low]


def _stem(path: Path) -> str:
    return path.stem


def _image_name(path: Path) -> str:
    """The name without suffix, case and resolution: ``0801x2`` is ``0801``, ``city-LR`` is ``city``."""
    words = re.split(r"[-_. ]+", re.sub(r"(?<=\d)x[2-4]$", "", path.stem.lower()))
    return "_".join(word for word in words if word not in RESOLUTION_WORDS)
