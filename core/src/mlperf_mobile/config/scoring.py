"""Turns the user's request into the settings for scoring an accuracy log; no model, no backend."""

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
    """The scoring settings of a run of ``plan``."""
    return Scoring(
        plan.task, plan.benchmark, plan.dataset, plan.task_options, plan.quality, plan.unverified, Cache(plan.cache), ()
    )


def resolve_scoring(registry: Registry, request: Request) -> Scoring:
    """The scoring settings of the one selected benchmark.

    Raises:
        UsageError: A name, key or value is wrong, or several benchmarks are selected.
        DataError: The data set does not exist.
    """
    request = replace(request, flags=request.flags | {"mode": Setting(Mode.ACCURACY, "score")})
    selected = select(registry, request)
    if len(selected) > 1:
        names = ", ".join(benchmark.name for benchmark in selected)
        summary = f"an accuracy log belongs to one benchmark, not {len(selected)}"
        raise UsageError("no-task", summary, f"name one: {names}")
    benchmark = BenchmarkRequest(registry, request, selected[0])
    offers: dict[str, Offer[Any]] = {"task": benchmark.task, "dataset": benchmark.dataset.offer}
    models = {kind: options_model(kind, offer) for kind, offer in offers.items()}
    layers.resolve_names(
        without_selection(request.flags), models
    )  # flags must be known; a run file may hold more than scoring needs
    layer, _ = benchmark.settings(models, {}, lenient=True)
    settings = layers.check(Settings, layer)
    options = {kind: plugin_options(kind, offer, layer) for kind, offer in offers.items()}
    dataset = benchmark.dataset_ref(benchmark.dataset, options["dataset"], layer.get("data_path"), "--data-path DIR")
    cache = benchmark.finder.cache
    missing = tuple(resource for resource in benchmark.finder.needed if not cache.has(resource))
    return Scoring(
        selected[0].task,
        selected[0].name,
        dataset,
        as_data(options["task"]),
        settings.quality,
        settings.unverified,
        cache,
        missing,
    )
