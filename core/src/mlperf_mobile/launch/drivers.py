"""Which module carries out a run: the core's worker, or the driver of another runner."""

from __future__ import annotations

from mlperf_mobile.picking import pick
from mlperf_mobile.plan import PYTHON, CompilePlan
from mlperf_mobile.registry import installed_plugins

WORKER = "mlperf_mobile.worker"


def driver_of(plan: CompilePlan) -> str:
    """The module to start for a plan.

    Raises:
        UsageError: The runner is not installed any more.
    """
    if plan.device is None and plan.runner == PYTHON:
        return WORKER
    registry = installed_plugins()
    return pick("runner", plan.runner, registry.runners, registry).info.driver
