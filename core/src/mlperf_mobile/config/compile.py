"""Turns the user's request into plans to compile models; no data set, no scenario."""

from __future__ import annotations

from dataclasses import dataclass

from mlperf_mobile.config import layers
from mlperf_mobile.config.benchmark_request import ModelRequest, without_selection
from mlperf_mobile.config.catalogue import Catalogue
from mlperf_mobile.config.choice import accelerators, choose
from mlperf_mobile.config.document import Layer
from mlperf_mobile.config.plugin_options import as_data, is_parallel, plugin_options
from mlperf_mobile.config.selection import Request, select
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.config.tuned import requested
from mlperf_mobile.options import options_model
from mlperf_mobile.plan import CompilePlan, identity
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.registry import Registry
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource


@dataclass(frozen=True, slots=True)
class Compilations:
    """The plans to compile, and the resources that must be fetched first."""

    plans: tuple[CompilePlan, ...]
    cache: Cache
    missing: tuple[Resource, ...]


def resolve_compilations(registry: Registry, request: Request) -> Compilations:
    """One plan for each model of the selected benchmarks, or for a model file named without a task.

    Raises:
        UsageError: A name, key or value is wrong.
        MobileError: Something named is missing or cannot be used.
    """
    layer = request.merged()
    whole = "suite" in layer or any(key.split(".")[0] == "tasks" for key in layer)
    if "model" in layer and not whole:
        models: list[ModelRequest] = [ModelRequest(registry, request, Catalogue.empty())]
    else:
        models = [requested(registry, request, benchmark) for benchmark in select(registry, request)]
    plans: dict[tuple[object, ...], CompilePlan] = {}
    for each in models:
        plan = _plan(registry, request, each)
        more = (str(plan.input_shapes), str(plan.backend_options), plan.scenario)
        plans.setdefault((str(plan.model), str(plan.accelerators), plan.batch, *more), plan)
    cache = models[0].finder.cache
    needed = dict.fromkeys(resource for each in models for resource in each.finder.needed)
    chosen = [path for plan in plans.values() for path in plan.model.paths]
    of_models = [each for each in needed if any(path.is_relative_to(cache.location(each)) for path in chosen)]
    missing = tuple(each for each in of_models if not cache.has(each))
    return Compilations(tuple(plans.values()), cache, missing)


def _purpose(chosen: ModelRequest, backend: BackendInfo, layer: Layer) -> tuple[str, bool]:
    """The scenario to compile for, and whether it keeps all sessions busy; only for a backend that distinguishes."""
    if Capability.PURPOSE not in backend.capabilities:
        return "", False
    scenario = chosen.pick("scenario", chosen.registry.scenarios, Settings.model_fields["scenario"].default)
    own = {key: setting for key, setting in layer.items() if key.startswith("scenario_options.")}
    return scenario.info.name, is_parallel(scenario, plugin_options("scenario", scenario, own))


def _plan(registry: Registry, request: Request, chosen: ModelRequest) -> CompilePlan:
    model, backend = choose(chosen)
    options = options_model("backend", backend)
    layers.resolve_names(without_selection(request.flags), {"backend": options})  # flags must be known
    layer, _ = chosen.settings({"backend": options}, {}, lenient=True)
    settings = layers.check(Settings, layer)
    scenario, parallel = _purpose(chosen, backend.info, layers.merge(chosen.above))
    return CompilePlan(
        schema=1,
        **identity(f"compile-{model.name}"),
        model=model,
        device=chosen.placed.device,
        runner=chosen.placed.runner,
        backend=backend.info.name,
        accelerators=accelerators(settings.accelerator, backend.info, layers.source_of(layer, "accelerator")),
        batch=settings.batch,
        input_shapes=settings.input_shapes,
        silence_timeout_s=settings.silence_timeout_s,
        compile_timeout_s=settings.compile_timeout_s,
        device_timeout_s=settings.device_timeout_s,
        keep_on_device=settings.keep_on_device,
        recompile=settings.recompile,
        scenario=scenario,
        parallel=parallel,
        backend_options=as_data(plugin_options("backend", backend, layer)),
        offered_by={"backend": str(backend.source)} | chosen.placed.offered_by,
        cache=chosen.finder.cache.folder,
        sources={key: s.source for key, s in layer.items()},
    )
