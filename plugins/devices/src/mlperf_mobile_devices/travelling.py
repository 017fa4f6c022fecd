"""The plan as a device gets it: the paths of files that travel are those in the device's store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import ModelError
from mlperf_mobile.plan import PYTHON, CompilePlan
from mlperf_mobile.worker.used_files import data, libraries
from mlperf_mobile_devices.host_files import Digests, Item


def travelling(plan: CompilePlan) -> Iterator[Path]:
    """The host's files and folders that a plan names: its model, data, and the files among its options."""
    yield from plan.model.paths
    for _, path in (*libraries(plan), *data(plan)):
        yield path


def digested(plan: CompilePlan, results: Path) -> list[Item]:
    """The files that travel, each once.

    Args:
        plan: The plan.
        results: The folder for results, which may be inside a data folder.

    Raises:
        DataError: One cannot be read.
        ModelError: The model cannot be read.
    """
    for path in plan.model.paths:
        if not path.exists():
            raise ModelError("model-missing", f"cannot read {path}: it does not exist", "check --model")
    with Digests(plan.cache / "device-digests.sqlite") as digests:
        return [digests.item(path, results) for path in dict.fromkeys(travelling(plan))]


def for_device(plan: CompilePlan, places: Mapping[str, str], root: str) -> bytes:
    """A plan for the worker on a device, as one JSON line.

    Args:
        plan: The host's plan.
        places: Paths on the device, by paths on the host.
        root: The folder for our files there.
    """
    found = _replaced(plan.to_json(), places) | {"cache": f"{root}/cache", "device": None, "runner": PYTHON}
    return json.dumps(found).encode() + b"\n"


def _replaced(found: dict[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """The plan's data with paths replaced in the sections that name files."""

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [replace(inner) for inner in value]
        return places.get(value, value) if isinstance(value, str) else value

    named = ("model", "dataset", "performance_dataset", "backend_options", "task_options")
    return found | {key: replace(found[key]) for key in named if key in found}
