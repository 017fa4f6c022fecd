"""Starts campaigns, for the command and for Python: from a request to plans, to runs in order, to results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING

from mlperf_mobile.config.resolve import PlannedRuns, resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import UsageError
from mlperf_mobile.registry import installed_plugins

if TYPE_CHECKING:
    from mlperf_mobile.campaigns.campaign import Campaign
    from mlperf_mobile.campaigns.run import Show
    from mlperf_mobile.results.model import Result

MOST_REPEATS = 100


def planned(request: Request, repeat: int = 1) -> PlannedRuns:
    """The plans of a request; planning imports plugins, whose output goes to standard error.

    Raises:
        MobileError: As :func:`mlperf_mobile.config.resolve.resolve`; or there are too many repetitions.
    """
    if not 1 <= repeat <= MOST_REPEATS:
        raise UsageError("bad-value", f"--repeat {repeat} is not 1 to {MOST_REPEATS}", "write --repeat 5")
    with redirect_stdout(sys.stderr):
        return resolve(installed_plugins(), request, repeat)


def campaign_of(resolved: PlannedRuns, repeat: int = 1) -> Campaign:
    """A new campaign of all runs, in their order."""
    from mlperf_mobile.campaigns.campaign import Campaign
    from mlperf_mobile.campaigns.order import ordered

    rest = resolved.rest
    plans = ordered(resolved.plans, repeat, resolved.sweep_seed)
    return Campaign.of(plans, resolved.output, resolved.mode, rest.kind, rest.seconds)


def owned(campaign: Campaign) -> AbstractContextManager[None]:
    """A context in which no other process works on the campaign; one run alone is not kept, and needs no lock."""
    return campaign.owned() if len(campaign.steps) > 1 else nullcontext()


def measured(campaign: Campaign, show: Show) -> Iterator[Result]:
    """The results of the pending runs of a campaign, as they end; several runs are kept in a file to be resumed.

    Raises:
        OutputError: A result or the campaign cannot be stored.
    """
    from mlperf_mobile.campaigns.run import CampaignRunner

    keep = len(campaign.steps) > 1
    if keep:
        campaign.save()
    yield from CampaignRunner(campaign, show, keep=keep).run()
