"""Updates a campaign from its result folders, because the command may have died at any moment."""

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

    The campaign must be owned. It is changed but not saved.

    Returns:
        The results that the campaign did not have.

    Raises:
        OutputError: ``run-alive``: a run is being recovered by another command.
        Unstored: The disk has no space for the result of an interrupted run.
    """
    found = []
    for step in campaign.steps:
        is_partial = store.partial(campaign.output / step.plan.run_id).is_dir()
        if (step.state is State.PENDING or is_partial) and (result := _result(campaign, step)):
            found.append(result)
            step.result, step.state = result.run_id, STATES[result.status]
    return found


def _result(campaign: Campaign, step: Step) -> Result | None:
    """The result of the last attempt of a run, or None."""
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
        step.state = State.INTERRUPTED  # unreadable; the next try gets a new run ID
    return None
