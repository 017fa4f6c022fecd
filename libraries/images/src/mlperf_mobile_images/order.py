"""Whether the numbers in file names agree with the order of the files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

NUMBERED = re.compile(r"(.*?)([0-9]{1,18})", re.DOTALL)


def misnumbered(names: Sequence[str]) -> tuple[int, int] | None:
    """The first place, from 0, where a file's number disagrees, and the number; None if all agree or have none.

    Names have numbers if they differ only in a number at the end, suffix aside: ``val_00000007.JPEG``. They agree with
    the order if the numbers run from 0 or from 1 without a gap.
    """
    numbers = _numbers(names)
    if numbers is None:
        return None
    first = numbers[0] if numbers[0] in (0, 1) else 1
    wrong = (place for place, number in enumerate(numbers) if number != place + first)
    return next(((place, numbers[place]) for place in wrong), None)


def mispaired(ones: Sequence[str], others: Sequence[str]) -> int | None:
    """The first place where two lists of numbered names diverge; None if they run in parallel or have no numbers."""
    here, there = _numbers(ones), _numbers(others)
    if here is None or there is None:
        return None
    offset = there[0] - here[0] if abs(there[0] - here[0]) <= 1 else 0
    pairs = enumerate(zip(here, there, strict=True))
    return next((place for place, (one, other) in pairs if other - one != offset), None)


def _numbers(names: Sequence[str]) -> list[int] | None:
    found = [NUMBERED.fullmatch(PurePath(name).stem) for name in names]
    if not all(found) or len({each[1] for each in found if each}) != 1:
        return None
    return [int(each[2]) for each in found if each]
