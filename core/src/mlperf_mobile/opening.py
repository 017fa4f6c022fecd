"""Opens what a plan names: the scenario, the task, and the data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlperf_mobile.contracts import CheckingScenario, Dataset, Scenario, Task
from mlperf_mobile.errors import NOT_FOREIGN, SEE_LOG, DataError, UsageError, described
from mlperf_mobile.options import constructed
from mlperf_mobile.picking import pick
from mlperf_mobile.plan import DatasetRef, Plan
from mlperf_mobile.registry import Registry


def open_scenario(registry: Registry, plan: Plan) -> Scenario:
    """Construct the scenario of a plan; exceptions from its code propagate.

    Raises:
        UsageError: ``several-accelerators``.
    """
    offer = pick("scenario", plan.scenario, registry.scenarios, registry)
    scenario: Scenario = constructed("scenario", offer, plan.scenario_options)
    if len(plan.accelerators) > 1 and not scenario.parallel:
        summary = f"scenario {plan.scenario} uses one accelerator, not {plan.accelerator}"
        raise UsageError("several-accelerators", summary, "choose one, or --scenario offline")
    return scenario


def check_load(plan: Plan, scenario: Scenario) -> None:
    """Let a scenario refuse the load or the batch of a timed run."""
    if plan.has_performance and isinstance(scenario, CheckingScenario):
        scenario.check(plan.load, plan.batch)


def open_task(registry: Registry, name: str, options: Mapping[str, Any]) -> Task:
    """Construct a task with its options; exceptions from its code propagate."""
    offer = pick("task", name, registry.tasks, registry)
    task: Task = constructed("task", offer, options)
    return task


def open_dataset(registry: Registry, reference: DatasetRef) -> Dataset:
    """Open a data set.

    Raises:
        DataError: It has no samples, or cannot be read.
    """
    offer = pick("dataset", reference.offer, registry.datasets, registry)
    try:
        dataset: Dataset = constructed("dataset", offer, reference.options, reference.path)
        total = len(dataset)
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        summary = f"dataset {reference.name} failed: {described(error)}"
        raise DataError("dataset-failed", summary, SEE_LOG) from error
    if not total:
        raise DataError("data-empty", f"data set {reference.name} has no samples", "check --data-path")
    return dataset
