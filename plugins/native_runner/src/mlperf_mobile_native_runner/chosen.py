"""Opens the scenario and the backend of a plan, and refuses what the native runner cannot run."""

from __future__ import annotations

from mlperf_mobile.contracts import GeneratingTask, LoggedScenario, NativeBackend
from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile.opening import check_load, open_scenario, open_task
from mlperf_mobile.options import constructed
from mlperf_mobile.picking import pick, require_language_model, require_tokens
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry

PYTHON_HINT = "use --runner python"


def check(plan: Plan, registry: Registry) -> None:
    """Refuse a plan that the native runner cannot execute; no file is read.

    Raises:
        MobileError: See :func:`scenario_of` and :func:`backend_of`.
    """
    scenario_of(plan, registry)
    task = open_task(registry, plan.task, plan.task_options)
    backend_of(plan, registry, generates=isinstance(task, GeneratingTask))


def scenario_of(plan: Plan, registry: Registry) -> LoggedScenario:
    """The scenario of a plan.

    Raises:
        UsageError: LoadGen alone cannot issue its queries, or it refuses the load; or several accelerators.
    """
    scenario = open_scenario(registry, plan)
    if not isinstance(scenario, LoggedScenario):
        summary = f"scenario {plan.scenario} issues queries itself, which the native runner does not support"
        raise UsageError("scenario-not-native", summary, f"{PYTHON_HINT}, or another --scenario")
    if len(plan.accelerators) > 1:
        summary = f"the native runner uses one accelerator, not {plan.accelerator}"
        raise UsageError("several-accelerators", summary, f"choose one, or {PYTHON_HINT}")
    check_load(plan, scenario)
    return scenario


def backend_of(plan: Plan, registry: Registry, *, generates: bool) -> NativeBackend:
    """The backend of a plan.

    Args:
        plan: The plan.
        registry: The installed plugins.
        generates: Whether the task is one of language models.

    Raises:
        BackendError: ``no-native-engine``; or it does not generate tokens.
        UsageError: The scenario does not suit the task.
    """
    offer = pick("backend", plan.backend, registry.backends, registry)
    if plan.has_performance:
        scenario = pick("scenario", plan.scenario, registry.scenarios, registry)
        require_language_model(scenario, plan.task, offer, registry, generates=generates)
    if generates:
        require_tokens(offer, registry)
    backend = constructed("backend", offer, plan.backend_options)
    if not isinstance(backend, NativeBackend):
        summary = f"backend {plan.backend} has no engine for the native runner"
        raise BackendError("no-native-engine", summary, f"{PYTHON_HINT}, or another --backend")
    return backend
