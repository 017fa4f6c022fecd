"""The order of a campaign's runs: repetitions follow each other, and a sweep is mixed so that drift is spread.

A device that warms up, or a machine that others use, changes slowly. Each repetition of a sweep is a block in which
every combination occurs once, in a random order (a randomised complete block design: Fisher, The Design of Experiments,
1935). So a drift adds to all combinations alike, instead of to those that come last.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from mlperf_mobile.campaigns.campaign import again
from mlperf_mobile.plan import Plan


def ordered(plans: Sequence[Plan], repeat: int, seed: int) -> list[Plan]:
    """All runs of a campaign.

    Args:
        plans: Each run once.
        repeat: How often each is measured.
        seed: Of the order of a sweep; plans without swept settings keep theirs.
    """
    found: list[Plan] = []
    for block in range(repeat):
        runs = [again(plan) for plan in plans] if block else list(plans)
        if any(plan.swept for plan in plans):
            random.Random(f"{seed}/{block}").shuffle(runs)  # noqa: S311  an order, not a secret
        found += runs
    return found
