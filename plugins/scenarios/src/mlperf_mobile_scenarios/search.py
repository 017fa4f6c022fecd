"""Finds the highest rate that holds: bounds first, then halves of the range between them.

The rules of MLPerf Inference describe the search (mlcommons/inference_policies, inference_rules.adoc, "Scenarios"): a
binary search finds a candidate, and if a run at that rate fails, the rate is lowered a little, and it is tried again.
LoadGen has a search of its own (``TestMode.FindPeakPerformance``), which logs no step, and needs a valid rate to begin.
"""

from __future__ import annotations

from collections.abc import Callable

CONFIRMATIONS = 5
"""Most runs by the run's own rules, each at a lower rate than the one before."""


def candidate(
    holds: Callable[[float], bool],
    low: float,
    high: float,
    *,
    lowest: float | None,
    highest: float | None,
    precision: float,
    trials: int,
) -> float:
    """The highest rate found for which a short trial holds; the lowest one tried if none does.

    Args:
        holds: Tries a rate.
        low: The first rate to try.
        high: The second, if the first one holds; above ``low``.
        lowest: No lower rate is tried; None to go on halving.
        highest: No higher rate is tried; None to go on doubling.
        precision: The search ends when the range is this narrow, as a share of its upper end.
        trials: Most trials.
    """
    left = trials

    def tried(rate: float) -> bool:
        nonlocal left
        left -= 1
        return holds(rate)

    above: float | None = None
    while not tried(low):
        if left <= 0 or low == lowest:
            return low
        low, above = max(low / 2, lowest or 0.0), low
    while above is None and left > 0:
        if not tried(high):
            above = high
        elif high == highest:
            return high
        else:
            low, high = high, min(2 * high, highest or 2 * high)
    while above is not None and left > 0 and above - low > precision * above:
        middle = (low + above) / 2
        low, above = (middle, above) if tried(middle) else (low, middle)
    return low


def confirmed(holds: Callable[[float], bool], rate: float, *, lowest: float | None, precision: float) -> bool:
    """Try a rate by the run's own rules, and lower it a little until one holds.

    Args:
        holds: Runs at a rate.
        rate: The candidate.
        lowest: No lower rate is tried.
        precision: How much lower the next rate is, as a share.

    Returns:
        Whether the last rate tried held.
    """
    for _ in range(CONFIRMATIONS):
        if holds(rate):
            return True
        if rate == lowest:
            return False
        rate = max(rate * (1 - precision), lowest or 0.0)
    return False
