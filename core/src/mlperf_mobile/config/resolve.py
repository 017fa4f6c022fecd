"""Turns what the user asked for into Plans, and checks everything before anything starts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlperf_mobile import needs
from mlperf_mobile.config import layers
from mlperf_mobile.config.asked import Asked, expand, kind_of, options_model, plugin_options, under
from mlperf_mobile.config.document import read_resource
from mlperf_mobile.config.selection import Benchmark, Request, select
from mlperf_mobile.config.settings import Counts, Settings
from mlperf_mobile.errors import BackendError, ModelError, UsageError, did_you_mean
from mlperf_mobile.plan import LoadPlan, ModelRef, Plan
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource


@dataclass(frozen=True, slots=True)
class Resolved:
    """The plans, the folder for results, and what has to be there before they can run."""

    plans: tuple[Plan, ...]
    output: Path
    cache: Cache
    needed: tuple[Resource, ...]
    missing: tuple[Resource, ...]


def resolve(registry: Registry, request: Request) -> Resolved:
    """One plan for each benchmark asked for.

    Raises:
        UsageError: A name, key or value is wrong.
        ModelError, DataError, BackendError: What is named is not there, or cannot be used.
    """
    resolutions = [_Resolution(registry, request, benchmark) for benchmark in select(registry, request)]
    plans = tuple(resolution.plan() for resolution in resolutions)
    needed = list(dict.fromkeys(resource for each in resolutions for resource in each.asked.finder.needed))
    cache = resolutions[0].asked.finder.cache
    missing = tuple(resource for resource in needed if not cache.has(resource))
    return Resolved(plans, resolutions[0].output(), cache, tuple(needed), missing)


class _Resolution:
    """The work of planning one benchmark."""

    def __init__(self, registry: Registry, request: Request, benchmark: Benchmark) -> None:
        self.registry, self.benchmark = registry, benchmark
        self.asked = asked = Asked(registry, request, benchmark)
        self.scenario = asked.pick("scenario", registry.scenarios, Settings.model_fields["scenario"].default)
        self.model = self._model()
        self.backend = self._backend()
        self.offers: dict[str, Offer[Any]] = {
            "backend": self.backend, "task": asked.task, "dataset": asked.dataset.offer, "scenario": self.scenario,
        }  # fmt: skip
        self.option_models = {kind: options_model(kind, offer) for kind, offer in self.offers.items()}
        first = read_resource(self.scenario.info.settings, f"scenario {self.scenario.info.name}")
        self.layer, self.runs = asked.settings(self.option_models, first)
        self.settings = layers.check(Settings, self.layer)

    def plan(self) -> Plan:
        settings, name = self.settings, self.benchmark.name
        counts, sources = self._counts()
        accelerator = settings.accelerator or self.backend.info.accelerators[0]
        if accelerator not in self.backend.info.accelerators:
            hint = did_you_mean(accelerator, self.backend.info.accelerators)
            raise UsageError("unknown-accelerator", f"backend {self.backend.info.name} has no {accelerator!r}", hint)
        strict = accelerator != "cpu" if settings.strict_placement is None else settings.strict_placement
        now = datetime.now(UTC)
        options = {
            kind: plugin_options(kind, offer, self.option_models[kind], self.layer)
            for kind, offer in self.offers.items()
        }
        return Plan(
            schema=1,
            run_id=f"{now:%Y%m%dT%H%M%S}-{name}-{self.scenario.info.name}-{uuid.uuid4().hex[:8]}",
            created=now.isoformat(timespec="seconds"),
            task=self.benchmark.task,
            benchmark=name,
            suite=self.benchmark.suite,
            model=self.model,
            dataset=self.asked.dataset_ref(
                self.asked.dataset, options.pop("dataset"), self.layer.get("data_path"), "--data-path DIR"
            ),
            performance_dataset=self.asked.performance_ref(settings, self.layer),
            backend=self.backend.info.name,
            accelerator=accelerator,
            scenario=self.scenario.info.name,
            mode=settings.mode,
            rules=settings.rules,
            load=LoadPlan(
                **counts.model_dump(),
                percentile=settings.percentile,
                performance_sample_count=settings.performance_sample_count,
                expected_latency_ns=settings.expected_latency_ns,
                seeds=settings.seeds,
            ),
            batch=settings.batch,
            warmup_s=settings.warmup_s,
            silence_timeout_s=settings.silence_timeout_s,
            strict_placement=strict,
            quality=settings.quality,
            **{f"{kind}_options": told for kind, told in options.items()},
            offered_by={kind: str(offer.source) for kind, offer in self.offers.items()},
            cache=self.asked.finder.cache.folder,
            encoded_cache_mb=settings.encoded_cache_mb,
            unverified=settings.unverified,
            sources={key: s.source for key, s in self.layer.items()} | sources,
        )

    def output(self) -> Path:
        """The folder for results."""
        return expand(self.settings.output, self.layer["output"].source if "output" in self.layer else "defaults")

    def _model(self) -> ModelRef:
        name, entry, finder = self.asked.model_name, self.asked.entry, self.asked.finder
        if name is None:
            task = self.benchmark.task
            raise UsageError("no-model", f"task {task} has no default model", "give one with --model")
        setting = self.asked.peek["model"]
        if entry:
            path, resource = finder.path(entry), entry.resource
            sha256 = entry.sha256 or (finder.cache.sha256(resource) if resource else None)
            if resource and not finder.cache.has(resource):
                return ModelRef(name=name, path=path, format=entry.format, sha256=sha256)
            form = entry.format
        else:
            path = expand(Path(name), setting.source)
            name, sha256 = path.stem, None
            told = self.asked.peek.get("model_format")
            form = str(told.value) if told else path.suffix.lstrip(".").lower()
        if (there := kind_of(path)) != "file":
            what = "is a folder" if there else "does not exist"
            hint = did_you_mean(str(setting.value), self.asked.catalogue.models) + " Or give the path of a model file"
            raise ModelError("model-missing", f"{setting.source}: model {setting.value} {what}", hint)
        return ModelRef(name=name, path=path.resolve(), format=form, sha256=sha256)

    def _backend(self) -> Offer[BackendInfo]:
        form, backends = self.model.format, self.registry.backends
        if "backend" in self.asked.peek:
            offer = self.asked.pick("backend", backends)
            if form not in offer.info.model_formats:
                raise self._wrong_format(offer.info)
            return _usable(offer)
        takers = [offer for offer in backends.values() if form in offer.info.model_formats]
        usable = [offer for offer in takers if not needs.missing(offer.info.needs)]
        if len(usable) == 1:
            return usable[0]
        if usable:
            names = ", ".join(offer.info.name for offer in usable)
            raise UsageError(
                "no-backend", f"several backends can run {self.model.path.name}", f"choose with --backend: {names}"
            )
        if takers:
            return _usable(takers[0])
        known = {f for offer in backends.values() for f in offer.info.model_formats}
        raise ModelError(
            "model-format", f"no backend takes {form!r} models ({self.model.path.name})", did_you_mean(form, known)
        )

    def _wrong_format(self, backend: BackendInfo) -> ModelError:
        takes, form = ", ".join(backend.model_formats), self.model.format or "files without a suffix"
        hint = "convert it, choose another --backend, or say what it is with --set model_format=FORMAT"
        summary = f"backend {backend.name} takes {takes} models, not {form} ({self.model.path.name})"
        return ModelError("model-format", summary, hint)

    def _counts(self) -> tuple[Counts, dict[str, str]]:
        """The counts of the chosen rules, each replaced by the setting of the same name where there is one."""
        name, scenario = self.settings.rules, self.scenario.info.name
        known = sorted({key.split(".")[1] for key in self.runs if key.startswith(f"{scenario}.") and "." in key})
        if name not in known:
            place = self.layer["rules"].source if "rules" in self.layer else "defaults"
            raise UsageError(
                "unknown-rules", f"{place}: scenario {scenario} has no rules {name!r}", did_you_mean(name, known)
            )
        chosen = under(self.runs, f"{scenario}.{name}.")
        given = {key: self.layer[key] for key in Counts.model_fields if getattr(self.settings, key) is not None}
        counts = layers.check(Counts, layers.merge([chosen, given]), "")
        sources = {key: f"{s.source} (rules {name})" for key, s in chosen.items() if key not in given}
        return counts, sources


def _usable(offer: Offer[BackendInfo]) -> Offer[BackendInfo]:
    """The offer, which has all that it needs.

    Raises:
        BackendError: It has not; says what is missing.
    """
    if lacking := needs.missing(offer.info.needs):
        raise BackendError("backend-unusable", f"backend {offer.info.name} needs {lacking.what}", lacking.fix)
    return offer
