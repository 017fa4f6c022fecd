"""Estimates how long a campaign takes, from the run rules, and then also from its results so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile.plan import Plan

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

SETUP_S = 5.0
"""Seconds for loading, warm-up and scoring of a run: a low guess."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A minimum in seconds; ``unknown`` counts the accuracy runs whose duration is not known yet."""

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
    """The remaining time of a campaign.

    Args:
        campaign: Its runs.
        results: Performance results so far, by benchmark, from which the duration of accuracy runs follows.
        is_first: Whether the next performance run is the first since the start or resume, and needs no rest.
        places: Indices of the runs; all pending ones by default.
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
    """The minimum duration of the timed run, by the run rules, and by the expected latency if the plan has one."""
    expected = plan.load.expected_latency_ns
    queries = plan.load.min_query_count * expected / 1e9 if expected else 0.0
    longest = plan.load.max_duration_s or float("inf")
    return min(longest, max(plan.load.min_duration_s, queries))


def accuracy_s(result: Result | None) -> float | None:
    """The duration of an accuracy run, from an earlier result; None if unknown."""
    accuracy = result.accuracy if result else None
    return accuracy.duration_s if accuracy else None
