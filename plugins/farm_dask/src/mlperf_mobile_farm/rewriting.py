"""The files that a plan names: found on the client, replaced by their places on a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile.plan import Plan

_FILES = (
    "model", "dataset", "performance_dataset", "backend_options", "task_options", "scenario_options", "observers",
)  # fmt: skip


def named(plan: Plan) -> set[str]:
    """The absolute paths of all files and folders that the plan names."""
    data = plan.to_json()
    return {path for key in _FILES for path in _paths(data.get(key))}


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner)
    elif isinstance(value, str) and value.startswith("/") and "\0" not in value and Path(value).exists():
        yield value


def rewritten(plan: Plan, places: Mapping[str, Path], cache: Path) -> Plan:
    """The plan with the files at other places, and another cache."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [moved(inner) for inner in value]
        return str(places[value]) if isinstance(value, str) and value in places else value

    data = plan.to_json()
    data |= {key: moved(data[key]) for key in _FILES if key in data}
    return Plan.model_validate(data | {"cache": str(cache)})
