"""What cannot work, as far as plugins and files show it before a runtime loads the model."""

from __future__ import annotations

from collections.abc import Callable

from mlperf_mobile.contracts import GeneratingTask, TextTask
from mlperf_mobile.errors import NOT_FOREIGN, MobileError
from mlperf_mobile.opening import check_load, open_dataset, open_scenario, open_task
from mlperf_mobile.picking import pick, require_language_model, require_tokens
from mlperf_mobile.plan import CHOSEN_LATER, PYTHON, Plan
from mlperf_mobile.registry import Registry


def foreseen(plan: Plan, registry: Registry, *, data: bool = True) -> MobileError | None:
    """Why the run cannot work; None if nothing is known against it.

    With the Python worker, the scenario checks the load; another runner checks the whole plan. The inputs and outputs
    that a backend can read from the file without its runtime are checked against the task with its options, and against
    the first sample. A missing file, which may yet be fetched, is not checked.

    Args:
        plan: The plan.
        registry: The installed plugins.
        data: Whether the data sets are there.
    """
    return _found(lambda: _check_plan(plan, registry)) or _found(lambda: _check_files(plan, registry, data=data))


def _found(check: Callable[[], None]) -> MobileError | None:
    """Why a check refuses; None if it does not."""
    try:
        check()
    except MobileError as error:
        return error
    except NOT_FOREIGN:
        raise
    except Exception:  # noqa: BLE001  a plugin's defect is found when it runs
        return None
    return None


def _check_plan(plan: Plan, registry: Registry) -> None:
    """Let the scenario or the runner refuse."""
    if plan.runner == PYTHON:
        check_load(plan, open_scenario(registry, plan))
    elif plan.runner != CHOSEN_LATER and (check := registry.runners[plan.runner].info.check):
        check.load()(plan, registry)


def _check_files(plan: Plan, registry: Registry, *, data: bool) -> None:
    """Compare task and scenario, backend, model and data."""
    offer = pick("backend", plan.backend, registry.backends, registry)
    task = open_task(registry, plan.task, plan.task_options)
    generates = isinstance(task, GeneratingTask)
    if plan.has_performance:
        scenario = pick("scenario", plan.scenario, registry.scenarios, registry)
        require_language_model(scenario, plan.task, offer, registry, generates=generates)
    if generates:
        require_tokens(offer, registry, text=isinstance(task, TextTask))
        return  # the tensors in a file are not those of a token session
    if offer.info.tensors is None or plan.input_shapes or not plan.model.path.is_file():
        return
    found = offer.info.tensors.load()(plan.model.path)
    if found is not None:
        codec = task.bind(*found)
        for dataset in filter(None, (plan.dataset, plan.performance_dataset) if data else ()):
            codec.encode(open_dataset(registry, dataset).sample(0))
