"""Checks that the journal of a completed run has all that every such run reports, and that it fits the plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlperf_mobile.plan import PYTHON, Plan
from mlperf_mobile.results import interruptions, store
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.results.observed import OBSERVED, TELEMETRY
from mlperf_mobile.results.recompose import Journal
from mlperf_mobile_rounds.official.checks.own_rules import is_simulated
from mlperf_mobile_rounds.official.checks.own_scenarios import LOADGEN_SCENARIOS
from mlperf_mobile_rounds.official.findings import Place, Report

NATIVE = "native"
"""The name of the native runner."""
_ALONE = ("single-stream", "sustained")
"""Scenarios that answer one sample at a time, on one session."""
_NOBODY: dict[str, list[list[float]]] = {"stopped": [], "gaps": []}
"""The observations of a launcher that saw nothing."""


def check(folder: Path, plan: Plan, result: Result, journal: Journal, report: Report) -> None:
    """Compare a journal with the plan, and report what is missing in that of a completed run.

    Args:
        folder: Of the result.
        plan: Of the run.
        result: What it says.
        journal: Of the run.
        report: Takes the findings.
    """
    place = Place(folder / store.EVENTS)
    for text in _models(plan, result):
        report.error("own-plan", Place(place.path, key="model.sha256"), text)
    end = journal.concluded
    if end is not None:
        name = Path(end.directory).name
        wrong = f"the run {plan.run_id} ended in the folder of {name!r}"
        report.require("own-dates", not name or name == plan.run_id, Place(folder / store.PLAN, key="run_id"), wrong)
    if result.status is not Status.COMPLETED or result.origin is not None or is_simulated(result):
        return
    if plan.runner not in (PYTHON, NATIVE):
        return  # others may report less
    found = [*_missing(plan, result, journal), *_system(plan, result)]
    for text in found:
        report.error("own-journal", place, text)
    if not found:
        report.passed["own-journal"] += 1
    measured_by = result.versions.get("mlperf-mobile")
    if end is not None and measured_by and end.program and end.program != f"mlperf-mobile {measured_by}":
        text = f"the result was composed by {end.program}, but measured by mlperf-mobile {measured_by}"
        report.warning("own-journal", place, text)


def _models(plan: Plan, result: Result) -> Iterator[str]:
    """Models other than those that the plan names by their digests; a run refuses them."""
    pairs = [("the model", plan.model.sha256, result.model.sha256)]
    files = result.model.files
    if files:
        pairs += [(n, one.sha256, files[n].sha256 if n in files else None) for n, one in plan.model.files.items()]
    for name, expected, found in pairs:
        if expected is not None and found is not None and found != expected:
            yield f"{name} has the SHA-256 {found}, the plan asks for {expected}"


def _missing(plan: Plan, result: Result, journal: Journal) -> Iterator[str]:
    """What a run always reports."""
    if journal.concluded is not None and journal.started is None:
        yield "it does not say who began the run"
    if not journal.ended:
        yield "the worker did not report the end of a run that is said to be completed"
    for name, numbers in (("performance", result.performance), ("accuracy", result.accuracy)):
        if numbers is not None and name not in journal.phases:
            yield f"there are numbers of the phase {name}, which did not begin"
    if result.model.sha256 is None:
        yield "the digest of the model is missing"
    if result.performance is None:
        return
    yield from _unseen(plan, result, journal)
    if "repeated" not in journal.parts:
        yield "the responses that were repeated after the timed run are missing"
    if OBSERVED not in journal.parts and TELEMETRY not in journal.parts and "observers" in plan.model_fields_set:
        yield "the parts of the observers are missing"
    elif _is_recorded(plan, result) and result.telemetry is None:
        yield "the plan asks for telemetry, but there is none, and no warning says why"


def _unseen(plan: Plan, result: Result, journal: Journal) -> Iterator[str]:
    """Interruptions are looked for in every timed run.

    A launcher that died did not report what it saw, and that of a run on a device sees nothing.
    """
    worker, launcher = journal.parts.get("interruptions"), journal.parts.get("stops")
    if interruptions.found(worker, _NOBODY) is None:
        yield "what the worker saw of interruptions of the timed run is missing"
        return
    due = launcher is not None or result.environment.get("os.system") == "Linux"
    if result.interruptions is None and due and plan.device is None and plan.runner == PYTHON:
        yield "what was seen of interruptions of the timed run is incomplete"


def _is_recorded(plan: Plan, result: Result) -> bool:
    """Whether the readings of the device during the timed run must be there."""
    if TELEMETRY not in plan.observers or plan.device is not None or plan.telemetry_interval_s <= 0:
        return False
    return not any(text.startswith(f"observer {TELEMETRY} ") for text in result.warnings)


def _system(plan: Plan, result: Result) -> Iterator[str]:
    """Accelerators, sessions and batch as the plan has them."""
    system = result.system
    if system is None or plan.scenario not in LOADGEN_SCENARIOS:
        return
    alone = plan.scenario in _ALONE
    if system.batch is not None and system.batch != (expected := 1 if alone else plan.batch):
        yield f"the batch was {system.batch}, by the plan it is {expected}"
    if not system.accelerators:
        return
    planned = plan.accelerators
    if alone and plan.has_performance:
        planned = dict.fromkeys([*planned][:1], 1)
    if system.accelerators.keys() != planned.keys():
        yield f"it ran on {', '.join(system.accelerators)}, the plan asks for {', '.join(planned)}"
    for name, count in planned.items():
        if count is not None and system.accelerators.get(name, count) != count:
            yield f"{system.accelerators[name]} sessions ran on {name}, by the plan {count}"
    if system.sessions is not None and sum(system.accelerators.values()) != system.sessions:
        yield f"there were {system.sessions} sessions, but the accelerators had {sum(system.accelerators.values())}"
