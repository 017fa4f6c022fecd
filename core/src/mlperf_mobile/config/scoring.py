"""Turns the user's request into what scores an accuracy log; no model, no backend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mlperf_mobile.config import layers
from mlperf_mobile.config.benchmark_request import BenchmarkRequest, without_selection
from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.plugin_options import as_data, plugin_options
from mlperf_mobile.config.selection import Request, select
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.errors import UsageError
from mlperf_mobile.options import options_model
from mlperf_mobile.plan import DatasetRef, Plan
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile.terms import Mode, QualitySettings


@dataclass(frozen=True, slots=True)
class Scoring:
    """A task and a data set with their options, and the quality target."""

    task: str
    benchmark: str
    dataset: DatasetRef
    task_options: dict[str, Any]
    quality: QualitySettings | None
    unverified: dict[str, str]
    cache: Cache
    missing: tuple[Resource, ...]


def scoring_of(plan: Plan) -> Scoring:
    """What scores the answers of a run that followed ``plan``."""
    return Scoring(
        plan.task, plan.benchmark, plan.dataset, plan.task_options, plan.quality, plan.unverified, Cache(plan.cache), ()
    )


def resolve_scoring(registry: Registry, request: Request) -> Scoring:
    """What scores the answers to the one selected benchmark.

    Raises:
        UsageError: A name, key or value is wrong, or several benchmarks are named.
        DataError: The data set is not where it should be.
    """
    request = replace(request, flags=request.flags | {"mode": Setting(Mode.ACCURACY, "score")})
    found = select(registry, request)
    if len(found) > 1:
        names = ", ".join(benchmark.name for benchmark in found)
        raise UsageError("no-task", f"an accuracy log is of one benchmark, not of {len(found)}", f"name one: {names}")
    asked = BenchmarkRequest(registry, request, found[0])
    offers: dict[str, Offer[Any]] = {"task": asked.task, "dataset": asked.dataset.offer}
    models = {kind: options_model(kind, offer) for kind, offer in offers.items()}
    layers.resolve_names(
        without_selection(request.flags), models
    )  # flags must be known; a run file may hold more than scoring needs
    layer, _ = asked.settings(models, {}, lenient=True)
    settings = layers.check(Settings, layer)
    options = {kind: plugin_options(kind, offer, layer) for kind, offer in offers.items()}
    dataset = asked.dataset_ref(asked.dataset, options["dataset"], layer.get("data_path"), "--data-path DIR")
    cache = asked.finder.cache
    missing = tuple(resource for resource in asked.finder.needed if not cache.has(resource))
    return Scoring(
        found[0].task,
        found[0].name,
        dataset,
        as_data(options["task"]),
        settings.quality,
        settings.unverified,
        cache,
        missing,
    )
