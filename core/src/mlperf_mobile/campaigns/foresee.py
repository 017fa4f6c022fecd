"""What cannot work by the files alone: a model's tensors against task and data, before a runtime loads it."""

from __future__ import annotations

from mlperf_mobile.contracts import GeneratingTask, TextTask
from mlperf_mobile.errors import NOT_FOREIGN, MobileError
from mlperf_mobile.picking import pick, require_language_model, require_tokens
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.scoring import open_dataset, open_task


def foreseen(plan: Plan, registry: Registry, *, data: bool = True) -> MobileError | None:
    """Why the run cannot work; None if nothing is known against it.

    The inputs and outputs that a backend can read from the file without its runtime are checked against the task with
    its options, and against the first sample. A missing file, which may yet be fetched, is not checked.

    Args:
        plan: The plan.
        registry: The installed plugins.
        data: Whether the data sets are there.
    """
    offer = pick("backend", plan.backend, registry.backends, registry)
    try:
        task = open_task(registry, plan.task, plan.task_options)
        generates = isinstance(task, GeneratingTask)
        if plan.has_performance:
            scenario = pick("scenario", plan.scenario, registry.scenarios, registry)
            require_language_model(scenario, plan.task, offer, registry, generates=generates)
        if generates:
            require_tokens(offer, registry, text=isinstance(task, TextTask))
            return None  # the tensors in a file are not those of a token session
        if offer.info.tensors is None or plan.input_shapes or not plan.model.path.is_file():
            return None
        found = offer.info.tensors.load()(plan.model.path)
        if found is not None:
            codec = task.bind(*found)
            for dataset in filter(None, (plan.dataset, plan.performance_dataset) if data else ()):
                codec.encode(open_dataset(registry, dataset).sample(0))
    except MobileError as error:
        return error
    except NOT_FOREIGN:
        raise
    except Exception:  # noqa: BLE001  a plugin's defect is found when it runs
        return None
    return None
