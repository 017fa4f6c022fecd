"""Turns the user's request into the settings for scoring an accuracy log; no model, no backend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mlperf_mobile.config import layers
from mlperf_mobile.config.benchmark_request import BenchmarkRequest, without_selection
from mlperf_mobile.config.catalogue import Catalogue
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.plugin_options import as_data, flat, plugin_options
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


def rescoring(registry: Registry, plan: Plan, flags: Layer, source: str) -> Scoring:
    """The scoring settings of a run of ``plan``, in which flags override its own.

    With another data set or model, its quality target does not hold; with another task or with a suite, none of its
    settings do.

    Args:
        registry: The installed plugins.
        plan: The run.
        flags: What the user set.
        source: Where the plan is, for errors.

    Raises:
        UsageError: See :func:`resolve_scoring`.
        DataError: See :func:`resolve_scoring`.
    """
    tasks = flags.get("tasks")
    if tasks and tasks.value not in ([plan.task], [plan.benchmark]):
        return resolve_scoring(registry, Request(flags=flags))
    flags = {key: setting for key, setting in flags.items() if key != "tasks"}
    if "suite" in flags:
        name = plan.benchmark if plan.suite else plan.task
        return resolve_scoring(registry, Request(flags=flags | {"tasks": Setting([name], source)}))
    same_target = not flags.keys() & {"model", "dataset"}
    own = _own_settings(registry, plan, with_data="dataset" not in flags, with_quality=same_target)
    file = {key: Setting(value, source) for key, value in own.items()}
    found = resolve_scoring(registry, Request(file=file, flags=flags))
    if "dataset" not in flags:
        found = replace(found, dataset=found.dataset.model_copy(update={"name": plan.dataset.name}))
    if same_target and not any(key.partition(".")[0] == "quality" for key in flags):
        found = replace(found, quality=plan.quality, unverified=plan.unverified)
    return replace(found, benchmark=plan.benchmark)


def _own_settings(registry: Registry, plan: Plan, *, with_data: bool, with_quality: bool) -> dict[str, Any]:
    """The settings of a run that scoring depends on; models and data of a user's run file go by their paths."""
    task, data = registry.tasks.get(plan.task), plan.dataset
    known = Catalogue.of(task.info.settings, f"task {plan.task}") if task else None
    model = plan.model.name if known and plan.model.name in known.models else str(plan.model.path)
    own: dict[str, Any] = {"tasks": [plan.task], "model": model, "cache": str(plan.cache)}
    own |= flat(plan.task_options, "task_options.")
    if with_data:
        entry = known.data.get(data.name) if known else None
        own["dataset"] = data.name if entry and entry.dataset == data.offer else data.offer
        own |= flat(data.options, "dataset_options.") | ({"data_path": str(data.path)} if data.path else {})
    if with_quality and plan.quality:
        own |= flat(plan.quality.model_dump(mode="json", exclude_none=True), "quality.")
    return own


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
