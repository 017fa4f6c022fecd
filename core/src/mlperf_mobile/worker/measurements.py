"""What a scenario plans to answer, has answered and measured, for the worker's events and for other runners."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from mlperf_mobile import events
from mlperf_mobile.contracts import GroupingScenario, Measurement, PlannedScenario, Scenario, SearchingScenario
from mlperf_mobile.worker.blame import blame


def answered(scenario: Scenario, latencies: array[int]) -> Callable[[], int]:
    """The number of samples answered so far."""
    if isinstance(scenario, SearchingScenario):
        return lambda: scenario.answered
    return lambda: len(latencies)


def planned(scenario: Scenario, least: int) -> int | Callable[[], int]:
    """The samples of the whole run: the load's minimum, or what the scenario plans."""
    if isinstance(scenario, PlannedScenario):
        return lambda: scenario.planned or least
    return least


def samples_per_query(scenario: Scenario) -> int:
    """The samples of each query; 0 if one query has all of them."""
    return scenario.samples_per_query if isinstance(scenario, GroupingScenario) else 1


def as_json(scenario: str, measured: Measurement) -> dict[str, Any]:
    """A scenario's measurement as JSON data.

    Raises:
        BackendError: ``scenario-failed``: it is not a valid measurement.
    """
    with blame("scenario", scenario):
        if not isinstance(measured, Measurement):
            raise TypeError(f"run returned {type(measured).__name__}, not a Measurement")
        data = asdict(replace(measured, answered=(), arrivals_ns=None, part=None))
        del data["answered"], data["arrivals_ns"]
        data["part"] = measured.part.model_dump(mode="json", warnings="error") if measured.part else {}
        for name in ("queries", "samples", "duration_s"):
            if data[name] <= 0:
                raise ValueError(f"Measurement.{name} is {data[name]}, not a positive number")
        events.encode(events.Measured(part="performance", value=data))
    return data
