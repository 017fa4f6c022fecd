"""Reads the observers' parts of a run whose worker could not, each in a separate process that it may crash."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.launch.separate import Crashed, measured_by
from mlperf_mobile.plan import Plan
from mlperf_mobile.plugin import ObserverInfo
from mlperf_mobile.registry import Offer, installed_plugins
from mlperf_mobile.results.observed import READ_S, Observed, warning

START_S = 30.0
"""Seconds that the process may take besides the reading."""


def read_parts(plan: Plan, folder: Path) -> Observed:
    """The parts of a plan's observers; a warning names each observer that crashes, hangs or fails.

    Args:
        plan: The plan of the run.
        folder: The folder of the run, with its plan and journal.
    """
    found, offers = Observed(), installed_plugins().observers
    for name in plan.observers:
        if offer := offers.get(name):
            found.add(name, _read_one(offer, folder))
    return found


def _read_one(offer: Offer[ObserverInfo], folder: Path) -> Observed:
    arguments = ["--directory", str(folder), offer.info.name]
    try:
        return Observed.model_validate(measured_by("mlperf_mobile.worker.observed", arguments, READ_S + START_S))
    except TimeoutError:
        why = f"its part could not be read within {READ_S:g} s"
    except (Crashed, ValueError):
        why = "its part cannot be made: reading its file crashed the process"
    return Observed(warnings=[warning(offer, why)])
