"""How long a campaign takes: before it starts from what the rules ask for, and later also from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile.plan import Plan

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

SETUP_S = 5.0
"""Loading, warming up and scoring of a run: a guess, on the short side."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds, at least; ``unknown`` are the accuracy runs of which nothing is known yet."""

    seconds: float
    unknown: int = 0

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        text = (
            f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
        )
        runs = f"{self.unknown} accuracy run{'s' if self.unknown > 1 else ''}"
        return f"{text} and {runs} of unknown length" if self.unknown else text


def left(
    campaign: Campaign, results: Mapping[str, Result], *, is_first: bool = True, places: Sequence[int] | None = None
) -> Estimate:
    """What is left of a campaign.

    Args:
        campaign: Its runs.
        results: Performance results so far, by benchmark: they tell how long the accuracy run takes.
        is_first: Whether no performance run has been made in this sitting, so that the first needs no rest.
        places: The runs that are meant; all that are left by default.
    """
    seconds, unknown = 0.0, 0
    for place in campaign.pending if places is None else places:
        plan = campaign.steps[place].plan
        if plan.has_performance:
            seconds += 0.0 if is_first else campaign.cooldown_s
            is_first = False
            seconds += timed_s(plan) + plan.warmup_s
        if plan.has_accuracy:
            known = accuracy_s(results.get(plan.benchmark))
            seconds += known or 0.0
            unknown += known is None
        seconds += SETUP_S
    return Estimate(seconds, unknown)


def timed_s(plan: Plan) -> float:
    """The timed run's shortest duration: no less than the rules ask for, and than its queries take if that is told."""
    expected = plan.load.expected_latency_ns
    queries = plan.load.min_query_count * expected / 1e9 if expected else 0.0
    longest = plan.load.max_duration_s or float("inf")
    return min(longest, max(plan.load.min_duration_s, queries))


def accuracy_s(result: Result | None) -> float | None:
    """How long an accuracy run takes at the speed that was measured; None where that is not known."""
    accuracy = result.accuracy if result else None
    return accuracy.duration_s if accuracy else None
