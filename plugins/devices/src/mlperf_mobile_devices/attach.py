"""Takes up runs that are still on their devices after their launcher died, or lost the device for too long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.contracts.transport import DeviceLost
from mlperf_mobile.errors import MobileError, OutputError
from mlperf_mobile.launch.endings import LOST
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.launch.local import Run, close
from mlperf_mobile.launch.process import end_abandoned
from mlperf_mobile.launch.recover import left_over
from mlperf_mobile.plan import Plan
from mlperf_mobile.processes import is_alive
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.recompose import Ending, program, read_journal


def attachable(output: Path) -> list[Path]:
    """The folders in a folder of results whose runs may still be on their devices, oldest first."""
    found = [folder for folder in left_over(output) if _plan_of(folder)]
    with suppress(OSError):
        shown = [folder for folder in sorted(output.iterdir()) if not folder.name.startswith(".")]
        found += [folder for folder in shown if _plan_of(folder) and _was_lost(folder)]
    return found


def attach(place: Path, listen: Callable[[events.Event], None]) -> Result:
    """Follow a run on its device to its end, and store its result.

    Args:
        place: The run's folder, hidden, or with a result that says that its device was lost.
        listen: Called with every event, from the first one on.

    Raises:
        OutputError: ``run-alive``: a command still works on it. ``not-attachable``: it did not run on a device, or its
            result is complete.
        DeviceLost: The device cannot be reached; the folder stays as it is, to be taken up later.
        Unstored: There is not enough disk space.
    """
    plan = store.read_plan(place)
    final = place.with_name(place.name.removeprefix(".").removesuffix(store.PARTIAL))
    if plan.device is None or (place == final and not _was_lost(place)):
        why = "did not run on a device" if plan.device is None else "has a complete result"
        raise OutputError("not-attachable", f"the run in {place} {why}", "see mlperf-mobile show or recover")
    if place == final:
        _hide(place)
    folder = store.Folder.adopt(store.partial(final))
    try:
        _check_alone(folder, plan)
        with store.output_errors(folder.path):
            folder.journal.drop_torn_line()
        with Interrupts() as interrupts:
            run = Run(plan, folder.path, listen, folder.journal, attach=True)
            status, error = run.until_ended(interrupts)
            if error and error.code == LOST:
                raise DeviceLost(error.summary, error.hint)
            return close(folder, plan, run.journal, Ending(status, error, str(folder.final), program()))
    finally:
        folder.close()


def _check_alone(folder: store.Folder, plan: Plan) -> None:
    """End what the run's launcher left on this machine.

    Raises:
        OutputError: ``run-alive``: the launcher is still working on it.
    """
    started = read_journal(folder.path / store.EVENTS).started
    if started is None:
        return
    if not folder.journal.locked and is_alive(started.launcher, started.launcher_created):
        summary = f"process {started.launcher} is still working on {folder.path}"
        raise OutputError("run-alive", summary, "wait for it")
    end_abandoned(started.pid, started.created, plan.run_id)


def _hide(final: Path) -> None:
    """Turn the folder of a result into that of a run in progress."""
    folder = store.Folder.adopt(final)
    try:
        with store.output_errors(final):
            folder.journal.drop_end()
            final.rename(store.partial(final))
            (store.partial(final) / store.RESULT).unlink()
    finally:
        folder.close()


def _plan_of(folder: Path) -> Plan | None:
    """The plan of a run on a device; None for everything else."""
    try:
        plan = store.read_plan(folder)
    except (MobileError, OSError):
        return None
    return plan if plan.device is not None else None


def _was_lost(folder: Path) -> bool:
    """Whether a result says that the device was lost."""
    try:
        error = store.read(folder).error
    except (MobileError, OSError):
        return False
    return error is not None and error.code == LOST
