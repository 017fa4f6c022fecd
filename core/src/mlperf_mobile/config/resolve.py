"""Turns the user's request into Plans, and checks everything before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from mlperf_mobile.config import effect, layers, sweep
from mlperf_mobile.config.choice import accelerators, choose
from mlperf_mobile.config.document import Setting, read_resource
from mlperf_mobile.config.effect import IdleSetting
from mlperf_mobile.config.official import official
from mlperf_mobile.config.plugin_options import (
    as_data,
    changed_options,
    flat,
    is_parallel,
    observer_options,
    plugin_options,
)
from mlperf_mobile.config.selection import Request, select
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.config.suites import Benchmark
from mlperf_mobile.config.tuned import check_fallback, requested
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.options import options_model
from mlperf_mobile.plan import Plan, identity
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile.terms import Cooldown, Counts, Load, Mode
from mlperf_mobile.user_paths import expand

_NAMED = (
    "device", "runner", "backend", "accelerator", "scenario", "mode", "rules", "model", "model_format", "task_files",
    "dataset", "data_path", "performance_dataset", "performance_data_path", "percentile", "performance_sample_count",
    "early_stopping", "seeds", "quality", "token_rules", "unverified", "cache", "encoded_cache_mb", "output",
    "silence_timeout_s", "compile_timeout_s", "device_timeout_s", "keep_on_device", "recompile",
    "sweep_seed", "tuned", "soc",
)  # fmt: skip
"""Settings that have their own fields in a result, or that cannot change a number."""


class Rest(NamedTuple):
    """How the device rests between performance runs."""

    kind: Cooldown
    seconds: float | None
    """None where the mode decides."""


@dataclass(frozen=True, slots=True)
class PlannedRuns:
    """The plans, the folder for results, and the resources that must be present before they can run."""

    plans: tuple[Plan, ...]
    output: Path
    cache: Cache
    needed: tuple[Resource, ...]
    missing: tuple[Resource, ...]
    mode: str
    rest: Rest
    sweep_seed: int = 0


def resolve(registry: Registry, request: Request, repeat: int = 1) -> PlannedRuns:
    """One plan for each selected benchmark.

    Args:
        registry: The installed plugins.
        request: What the user set.
        repeat: How often each plan will run.

    Raises:
        UsageError: A name, key or value is wrong.
        MobileError: Something named is missing or cannot be used.
    """
    axes = sweep.axes_of(request)
    resolutions = [
        _Resolution(registry, each, benchmark)
        for point in sweep.points(request, axes, repeat)
        for each in _by_mode(point)
        for benchmark in select(registry, each)
    ]
    sweep.check_count(repeat * len(resolutions), axes[0].source if axes else "--repeat")
    plans = [resolution.plan() for resolution in resolutions]
    timed = repeat * sum(plan.has_performance for plan in plans)
    found = effect.notes([[*each.idle(timed)] for each in resolutions], [plan.swept for plan in plans])
    more = [(*notes, *each.doubts()) for notes, each in zip(found, resolutions, strict=True)]
    plans = [plan.model_copy(update={"notes": notes}) for plan, notes in zip(plans, more, strict=True)]
    needed = list(dict.fromkeys(resource for each in resolutions for resource in each.request.finder.needed))
    cache = resolutions[0].request.finder.cache
    missing = tuple(resource for resource in needed if not cache.has(resource))
    first = resolutions[0]
    rest = Rest(first.settings.cooldown, first.settings.cooldown_s)
    return PlannedRuns(
        tuple(plans), first.output(), cache, tuple(needed), missing, mode_of(request), rest, first.settings.sweep_seed
    )


def mode_of(request: Request) -> str:
    """The requested mode as text, checked later with the other settings."""
    setting = request.merged().get("mode")
    return str(setting.value) if setting else Mode.BOTH.value


def _by_mode(request: Request) -> list[Request]:
    """The request itself; for a submission, one request for performance and one for accuracy."""
    if mode_of(request) != Mode.SUBMISSION:
        return [request]
    source = request.merged()["mode"].source
    return [
        replace(request, flags=request.flags | {"mode": Setting(mode.value, source)})
        for mode in (Mode.PERFORMANCE, Mode.ACCURACY)
    ]


class _Resolution:
    """The work of planning one benchmark."""

    def __init__(self, registry: Registry, request: Request, benchmark: Benchmark) -> None:
        self.registry, self.benchmark = registry, benchmark
        self.request = chosen = requested(registry, request, benchmark)
        self.scenario = chosen.pick("scenario", registry.scenarios, Settings.model_fields["scenario"].default)
        self.model, self.backend = choose(chosen)
        self.offers: dict[str, Offer[Any]] = {
            "backend": self.backend, "task": chosen.task,
            "dataset": chosen.dataset.offer, "scenario": self.scenario,
        }  # fmt: skip
        models = {kind: options_model(kind, offer) for kind, offer in self.offers.items()}
        first = read_resource(self.scenario.info.settings, f"scenario {self.scenario.info.name}")
        self.layer, self.runs = chosen.settings(models, first)
        self.given = self.settings = layers.check(Settings, self.layer)
        check_fallback(chosen, self.layer)
        self.options = {kind: plugin_options(kind, offer, self.layer) for kind, offer in self.offers.items()}
        self.observers = observer_options(registry, self.layer)
        self.ignores = self._ignores()
        if "batch" in self.ignores:
            self.settings = self.given.model_copy(update={"batch": 1})

        self._check_mode()

    def _check_mode(self) -> None:
        """Refuse to measure the accuracy of a task without a metric."""
        if self.settings.mode is not Mode.PERFORMANCE and not self.request.task.info.has_metric:
            summary = f"{layers.source_of(self.layer, 'mode')}: task {self.benchmark.task} has no accuracy metric"
            raise UsageError("no-metric", summary, "use --mode performance, or name the task that the model solves")

    def idle(self, performance_runs: int) -> Iterator[IdleSetting]:
        """The user's settings that have no effect on the run."""
        own = {key: setting for key, setting in self.layer.items() if id(setting) in self.request.own}
        return effect.idle(
            own,
            self.given,
            accelerators(self.settings.accelerator, self.backend.info, layers.source_of(self.layer, "accelerator")),
            self.scenario.info.name,
            self.ignores,
            times_other_data=self.request.performance_dataset is not None,
            performance_runs=performance_runs,
        )

    def doubts(self) -> Iterator[str]:
        """What was left out of a tuning; accuracies of the user's own model on data that nobody chose for it."""
        request, accuracy = self.request, self.settings.mode is not Mode.PERFORMANCE
        yield from request.tuned.notes if request.tuned else ()
        chosen = any(id(self.layer[key]) in request.own for key in ("dataset", "data_path") if key in self.layer)
        if accuracy and request.entry is None and not chosen and not request.of_suite:
            data = request.dataset.name
            yield f"the accuracy of {self.model.name} on {data}, the task's default, says nothing about a model that " \
                f"was made for other data; give its own with --dataset, or use --mode performance"  # fmt: skip

    def _ignores(self) -> dict[str, str]:
        """What the scenario ignores, and why; the scenario is loaded only where this could matter."""
        info = self.scenario.info
        found = dict.fromkeys(info.ignores, "it does not use it")
        own = {key for key, setting in self.layer.items() if id(setting) in self.request.own}
        if own & {"accelerator", "backend_options.shards"} or self.settings.batch > 1:
            found |= (
                {}
                if is_parallel(self.scenario, self.options["scenario"])
                else dict.fromkeys(("batch", effect.SESSIONS), "it answers one sample at a time")
            )
        return found

    def plan(self) -> Plan:
        settings, name, tuned = self.settings, self.benchmark.name, self.request.tuned
        counts, sources = self._counts()
        chosen = accelerators(settings.accelerator, self.backend.info, layers.source_of(self.layer, "accelerator"))
        strict = set(chosen) != {"cpu"} if settings.strict_placement is None else settings.strict_placement
        return Plan(
            schema=1,
            **identity(f"{name}-{self.scenario.info.name}"),
            official=official(self.registry, self.request, self.scenario.info.name),
            task=self.benchmark.task,
            benchmark=name,
            suite=self.benchmark.suite,
            swept=dict(self.request.swept),
            model=self.model,
            dataset=self.request.dataset_ref(
                self.request.dataset, self.options["dataset"], self.layer.get("data_path"), "--data-path DIR"
            ),
            performance_dataset=self.request.performance_ref(settings, self.layer),
            device=self.request.placed.device,
            runner=self.request.placed.runner,
            backend=self.backend.info.name,
            accelerators=chosen,
            scenario=self.scenario.info.name,
            mode=settings.mode,
            rules=settings.rules,
            load=Load(
                **counts.model_dump(),
                percentile=settings.percentile,
                early_stopping=settings.early_stopping,
                performance_sample_count=settings.performance_sample_count or 0,
                expected_latency_ns=settings.expected_latency_ns or 0,
                seeds=settings.seeds,
            ),
            batch=settings.batch,
            input_shapes=settings.input_shapes,
            warmup_s=settings.warmup_s,
            silence_timeout_s=settings.silence_timeout_s,
            compile_timeout_s=settings.compile_timeout_s,
            device_timeout_s=settings.device_timeout_s,
            keep_on_device=settings.keep_on_device,
            recompile=settings.recompile,
            airplane_mode=settings.airplane_mode,
            strict_placement=strict,
            quality=settings.quality,
            backend_options=as_data(self.options["backend"]),
            task_options=as_data(self.options["task"]),
            scenario_options=as_data(self.options["scenario"]),
            changed_options=self._changed(chosen),
            offered_by={kind: str(offer.source) for kind, offer in self.offers.items()}
            | self.request.placed.offered_by
            | ({"tuning": str(tuned.tuning.source)} if tuned else {}),
            tuning=tuned.tuning.name if tuned else None,
            soc=tuned.soc if tuned else "",
            cache=self.request.finder.cache.folder,
            encoded_cache_mb=settings.encoded_cache_mb,
            telemetry_interval_s=settings.telemetry_interval_s,
            observers={name: as_data(options) for name, options in self.observers.items()},
            unverified=settings.unverified,
            sources={key: s.source for key, s in self.layer.items()} | sources | self._places(),
        )

    def _places(self) -> dict[str, str]:
        """Where the paths of the model and the data come from, and the tuning with its SoC."""
        request, model, found = self.request, layers.source_of(self.layer, "model"), dict[str, str]()
        if tuned := request.tuned:
            found["tuning"] = tuned.tuning.place
            if tuned.soc and "soc" not in self.layer:
                found["soc"] = request.placed.device or "this machine"
        if entry := request.entry:
            model = request.described("model", self.model.name, entry.in_format(self.backend.info.model_formats))
        found |= {"model.path": model} | {f"model.files.{name}.path": model for name in self.model.files}
        for key, data in (("dataset", request.dataset), ("performance_dataset", request.performance_dataset)):
            if data and data.entry and data.entry.path:
                found[f"{key}.path"] = request.described("data", data.name, data.entry)
            setting = self.layer.get("data_path" if key == "dataset" else "performance_data_path")
            if data and setting and setting.value is not None:
                found[f"{key}.path"] = setting.source
        return found

    def _changed(self, accelerators: dict[str, int | None]) -> dict[str, Any]:
        """Settings and options that are not the defaults and can change a number, except those in result fields."""
        named = {*_NAMED, *Counts.model_fields, *(f"{kind}_options" for kind in layers.OPTION_KINDS)}
        settings = self.settings.model_dump(mode="json", exclude_defaults=True, exclude=named)
        sessions = {f"sessions.{name}": count for name, count in accelerators.items() if count is not None}
        plugins: dict[str, Any] = {}
        for kind, options in self.options.items():
            plugins |= changed_options(kind, options)
        return flat(settings, "") | sessions | plugins

    def output(self) -> Path:
        """The folder for results."""
        return expand(self.settings.output, layers.source_of(self.layer, "output"))

    def _counts(self) -> tuple[Counts, dict[str, str]]:
        """The counts of the chosen run rules, with the settings of the same names in their place."""
        name, scenario = self.settings.rules, self.scenario.info.name
        known = sorted({key.split(".")[1] for key in self.runs if key.startswith(f"{scenario}.") and "." in key})
        if not known:
            summary = f"scenario {scenario}: {self.scenario.info.settings} has no runs.{scenario}: counts and durations"
            example = "{normal: {min_query_count: 1024, min_duration_s: 60, max_duration_s: 600}}"
            raise UsageError("settings", summary, f"its author adds 'runs: {{{scenario}: {example}}}'")
        if name not in known:
            place = layers.source_of(self.layer, "rules")
            raise UsageError(
                "unknown-rules", f"{place}: scenario {scenario} has no rules {name!r}", did_you_mean(name, known)
            )
        chosen = layers.under(self.runs, f"{scenario}.{name}.")
        given = {key: self.layer[key] for key in Counts.model_fields if getattr(self.settings, key) is not None}
        counts = layers.check(Counts, layers.merge([chosen, given]), "")
        sources = {key: f"{s.source} (rules {name})" for key, s in chosen.items() if key not in given}
        return counts, sources
