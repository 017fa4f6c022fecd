"""Updates a campaign's record from its results, because the command may have died at any moment."""

from __future__ import annotations

from mlperf_mobile.campaigns.campaign import Campaign, State, Step
from mlperf_mobile.errors import OutputError
from mlperf_mobile.launch.recover import recover, sweep
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result, Status

STATES = {
    Status.COMPLETED: State.DONE,
    Status.FAILED: State.FAILED,
    Status.INTERRUPTED: State.INTERRUPTED,
}


def settle(campaign: Campaign) -> list[Result]:
    """Look for the result of every pending run; interrupted runs are recovered.

    The campaign has to be owned. Its record is changed, and not written.

    Returns:
        The results that the record did not know.

    Raises:
        OutputError: ``run-alive``: a run is being recovered by another command.
        Unstored: There is no room for the result of a run that was cut short.
    """
    found = []
    for step in campaign.steps:
        cut_short = store.partial(campaign.output / step.plan.run_id).is_dir()
        if (step.state is State.PENDING or cut_short) and (result := _found(campaign, step)):
            found.append(result)
            step.result, step.state = result.run_id, STATES[result.status]
    return found


def _found(campaign: Campaign, step: Step) -> Result | None:
    """The result of the last attempt of a run; None if there is none."""
    final = campaign.output / step.plan.run_id
    hidden = store.partial(final)
    try:
        if hidden.is_dir():
            return recover(hidden)
        sweep(final.with_name(f".{final.name}{store.STARTING}"))
        if (final / store.RESULT).is_file():
            return store.read(final)
    except store.Unstored:
        raise
    except OutputError as error:
        if error.code == "run-alive":
            raise
        step.state = State.INTERRUPTED  # what is there cannot be read: the next try gets a name of its own
    return None
