"""Runs a campaign: each run in a separate process, with a rest before it; completed runs are not repeated."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.campaigns import cooldown, device_lock, estimate
from mlperf_mobile.campaigns.campaign import Campaign, State, again
from mlperf_mobile.campaigns.settle import STATES, settle
from mlperf_mobile.contracts import Baseline
from mlperf_mobile.errors import MobileError, OutputError
from mlperf_mobile.launch.local import launch
from mlperf_mobile.plan import CampaignRef, Plan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.terms import Cooldown

Listen = Callable[[events.Event], None]
Show = Callable[[Plan, int, int, estimate.Estimate], AbstractContextManager[Listen]]
"""Shows one run, given its plan, its position from 1, the number of runs, and the remaining time."""

Launch = Callable[[Plan, Path, Listen], Result]
"""Carries out a plan, stores its result in a folder, and returns it; see :func:`mlperf_mobile.launch.local.launch`."""

REST = "cool-down"
"""The phase between runs."""


@dataclass
class CampaignRunner:
    """Runs a campaign from its start, or resumes it.

    Args:
        campaign: The campaign, which is updated.
        show: Shows a run.
        keep: Whether to save the campaign before and after each run.
        launch: Carries out one run.
    """

    campaign: Campaign
    show: Show
    keep: bool = True
    launch: Launch = launch

    def run(self) -> Iterator[Result]:
        """The results of the pending runs, as they end; stops after the first that the user interrupts.

        Raises:
            OutputError: A result cannot be stored.
            DeviceError: ``device-busy``: another campaign has the device.
        """
        with device_lock.held({step.plan.device for step in self.campaign.steps}):
            yield from self._run()

    def _run(self) -> Iterator[Result]:
        campaign, results = self.campaign, self._earlier()
        rested = False
        needs_rest = campaign.cooldown_s > 0 and sum(step.plan.has_performance for step in campaign.steps) > 1
        looks = needs_rest and campaign.cooldown is Cooldown.BASELINE
        baseline = self._look() if looks else {}
        places = campaign.pending
        for done, place in enumerate(places):
            step = campaign.steps[place]
            remaining = estimate.left(campaign, results, is_first=not rested, places=places[done:])
            with self.show(step.plan, place + 1, len(campaign.steps), remaining) as listen:
                try:
                    if step.plan.has_performance and rested and needs_rest:
                        self._rest(place, baseline, listen)
                    result = self.launch(self._planned(place), campaign.output, listen)
                except KeyboardInterrupt:
                    settle(campaign)  # the result may be stored already
                    if step.state is State.PENDING:
                        step.state = State.INTERRUPTED
                    self._save()
                    raise
            rested = rested or step.plan.has_performance
            step.result = Path(result.directory).name
            step.state, unsaved = STATES[result.status], None
            try:
                self._save()
            except OutputError as error:
                unsaved = error
            yield result
            if unsaved:  # the result is stored and shown; resuming finds it
                raise unsaved
            if result.status is Status.INTERRUPTED:
                return
            if result.status is Status.COMPLETED:
                results[result.benchmark] = result

    def _rest(self, place: int, baseline: Mapping[str, Baseline], listen: Listen) -> None:
        step, campaign = self.campaign.steps[place], self.campaign
        listen(events.Phase(name=REST, step=campaign.cooldown.value))

        def tick(waited_s: float, limit_s: float) -> None:
            listen(
                events.Progress(
                    phase=REST,
                    done=int(waited_s),
                    total=int(limit_s),
                    fraction=waited_s / limit_s,
                    elapsed_s=waited_s,
                    left_s=limit_s - waited_s,
                )
            )

        rested = cooldown.rest(campaign.cooldown, campaign.cooldown_s, baseline, tick, partial(self._look, baseline))
        step.rested_s, step.rested_until = rested.seconds, rested.reason

    def _look(self, names: Container[str] | None = None) -> Mapping[str, Baseline]:
        """The current state of the measured device; of this machine only by the named observers."""
        device = next((step.plan.device for step in self.campaign.steps), None)
        registry = installed_plugins()
        return cooldown.look_at_device(registry, device) if device else cooldown.look(registry, names)

    def _planned(self, place: int) -> Plan:
        """The plan of a run, with its place in the campaign, and with a new run ID for each try."""
        campaign, step = self.campaign, self.campaign.steps[place]
        reference = CampaignRef(
            id=campaign.id,
            mode=campaign.mode,
            position=place + 1,
            runs=len(campaign.steps),
            resumed=campaign.interruptions > 0,
            cooldown_s=step.rested_s,
        )
        plan = step.plan if step.state is State.PENDING else again(step.plan)
        step.plan = plan.model_copy(update={"session": reference if self.keep else None})
        step.state = State.PENDING
        self._save()  # before the run starts, so that a resumed campaign finds its folder
        return step.plan

    def _save(self) -> None:
        if self.keep:
            self.campaign.save()

    def _earlier(self) -> dict[str, Result]:
        """Results of runs that are done, by benchmark."""
        return {result.benchmark: result for result in results_of(self.campaign) if result.status is Status.COMPLETED}


def results_of(campaign: Campaign) -> list[Result]:
    """The last result of each run of a campaign, in order; those that cannot be read are left out."""
    found = []
    for step in campaign.steps:
        if step.result:
            with suppress(MobileError):
                found.append(store.read(campaign.output / step.result))
    return found
