"""Turns what the user asked for into Plans: stacks the layers, and checks everything before anything starts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from mlperf_mobile import needs
from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, Setting, read_resource
from mlperf_mobile.config.selection import Request, select
from mlperf_mobile.config.settings import Counts, ModelEntry, Settings
from mlperf_mobile.errors import BackendError, DataError, ModelError, UsageError, did_you_mean
from mlperf_mobile.plan import DatasetRef, LoadPlan, ModelRef, Plan
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.registry import Info, Offer, Registry, pick

InfoT = TypeVar("InfoT", bound=Info)


def resolve(registry: Registry, request: Request) -> tuple[list[Plan], Path]:
    """One plan for each task asked for, and the folder for the results.

    Raises:
        UsageError: A name, key or value is wrong.
        ModelError, DataError, BackendError: What is named is not there, or cannot be used.
    """
    suite, tasks = select(registry, request)
    resolved = [_Resolution(registry, request, suite, task).plan() for task in tasks]
    return [plan for plan, _ in resolved], resolved[0][1]


class _Resolution:
    """The work of planning one task."""

    def __init__(self, registry: Registry, request: Request, suite: str | None, task: str) -> None:
        self.registry, self.suite = registry, suite
        self.task = registry.tasks[task]
        described = read_resource(self.task.info.settings, f"task {task}")
        self.models = model_entries(described)
        task_layer = {key: setting for key, setting in described.items() if not key.startswith("models.")}
        suite_layer: Layer = {}
        if suite:
            entry = registry.suites[f"{suite}/{task}"].info
            suite_layer = read_resource(entry.settings, f"suite {suite}")
        prefix = f"tasks.{task}."
        asked = (request.file, request.environment, request.flags)
        own = [layer for each in asked for layer in (each, _under(each, prefix))]
        above = [_without_selection(layer) for layer in (suite_layer, *own)]
        peek = layers.merge([task_layer, *above])
        self.scenario = self._pick("scenario", peek, registry.scenarios, Settings.model_fields["scenario"].default)
        if "dataset" not in peek:
            raise UsageError("no-dataset", f"task {task} has no default data set", "give one with --dataset")
        self.dataset = self._pick("dataset", peek, registry.datasets)
        if task not in self.dataset.info.tasks:
            hint = did_you_mean("", [o.info.name for o in registry.datasets.values() if task in o.info.tasks])
            raise UsageError("unknown-dataset", f"data set {self.dataset.info.name} does not serve task {task}", hint)
        self.entry = self.models.get(str(peek["model"].value)) if "model" in peek else None
        self.model = self._model_ref(peek)
        self.backend = self._pick_backend(peek)
        self.option_models = {kind: _options_model(kind, offer) for kind, offer in self._offers().items()}
        stack = [
            read_resource(self.scenario.info.settings, f"scenario {self.scenario.info.name}"),
            task_layer,
            self._model_layer(),
            *above,
        ]
        self.runs: Layer = layers.merge([_under(layer, "runs.") for layer in stack])
        plain = [{k: s for k, s in layer.items() if not k.startswith("runs.")} for layer in stack]
        self.layer = layers.merge(layers.resolve_names(layer, self.option_models) for layer in plain)
        self.settings = layers.check(Settings, self.layer)

    def plan(self) -> tuple[Plan, Path]:
        settings, task = self.settings, self.task.info.name
        counts, sources = self._counts()
        accelerator = settings.accelerator or self.backend.info.accelerators[0]
        if accelerator not in self.backend.info.accelerators:
            hint = did_you_mean(accelerator, self.backend.info.accelerators)
            raise UsageError("unknown-accelerator", f"backend {self.backend.info.name} has no {accelerator!r}", hint)
        strict = accelerator != "cpu" if settings.strict_placement is None else settings.strict_placement
        now = datetime.now(UTC)
        run_id = f"{now:%Y%m%dT%H%M%S}-{task}-{self.scenario.info.name}-{uuid.uuid4().hex[:8]}"
        plan = Plan(
            schema=1,
            run_id=run_id,
            created=now.isoformat(timespec="seconds"),
            task=task,
            suite=self.suite,
            model=self.model,
            dataset=self._dataset_ref(),
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
            **{f"{kind}_options": self._options(kind) for kind in layers.OPTION_KINDS},
            offered_by={kind: str(offer.source) for kind, offer in self._offers().items()},
            sources={key: s.source for key, s in self.layer.items()} | sources,
        )
        return plan, _expand(settings.output, self.layer["output"].source if "output" in self.layer else "defaults")

    def _offers(self) -> dict[str, Offer[Any]]:
        return {"backend": self.backend, "task": self.task, "dataset": self.dataset, "scenario": self.scenario}

    def _pick(self, kind: str, peek: Layer, offers: Mapping[str, Offer[InfoT]], default: str = "") -> Offer[InfoT]:
        setting = peek.get(kind, Setting(default, "defaults"))
        return pick(kind, str(setting.value), offers, self.registry, setting.source)

    def _model_ref(self, peek: Layer) -> ModelRef:
        if "model" not in peek:
            raise UsageError("no-model", f"task {self.task.info.name} has no default model", "give one with --model")
        setting = peek["model"]
        if self.entry:
            package = self.task.info.settings.partition(":")[0]
            path = Path(str(files(package).joinpath(self.entry.file)))
            name, form, sha256 = str(setting.value), self.entry.format, self.entry.sha256
        else:
            path = _expand(Path(str(setting.value)), setting.source)
            name, sha256 = path.stem, None
            form = str(peek["model_format"].value) if "model_format" in peek else path.suffix.lstrip(".").lower()
        if (there := _kind(path)) != "file":
            what = "is a folder" if there else "does not exist"
            hint = did_you_mean(str(setting.value), self.models) + " Or give the path of a model file"
            raise ModelError("model-missing", f"{setting.source}: model {setting.value} {what}", hint)
        return ModelRef(name=name, path=path.resolve(), format=form, sha256=sha256)

    def _model_layer(self) -> Layer:
        """What a named model brings along: task options, and the quality target on the chosen data set."""
        if not self.entry:
            return {}
        source = f"model {self.model.name} of task {self.task.info.name}"
        layer = {f"task_options.{key}": Setting(value, source) for key, value in self.entry.task_options.items()}
        for quality in self.entry.quality:
            if quality.dataset == self.dataset.info.name:
                told = quality.model_dump(exclude={"dataset"})
                layer |= {f"quality.{key}": Setting(value, source) for key, value in told.items()}
        return layer

    def _pick_backend(self, peek: Layer) -> Offer[BackendInfo]:
        form = self.model.format
        if "backend" in peek:
            offer = self._pick("backend", peek, self.registry.backends)
            if form not in offer.info.model_formats:
                raise self._wrong_format(offer.info)
            lacking = needs.missing(offer.info.needs)
            if lacking:
                raise BackendError("backend-unusable", f"backend {offer.info.name} needs {lacking.what}", lacking.fix)
            return offer
        takers = [offer for offer in self.registry.backends.values() if form in offer.info.model_formats]
        usable = [offer for offer in takers if not needs.missing(offer.info.needs)]
        if len(usable) == 1:
            return usable[0]
        if usable:
            names = ", ".join(offer.info.name for offer in usable)
            raise UsageError(
                "no-backend", f"several backends can run {self.model.path.name}", f"choose with --backend: {names}"
            )
        if takers:
            lacking = needs.missing(takers[0].info.needs)
            assert lacking is not None
            raise BackendError("backend-unusable", f"backend {takers[0].info.name} needs {lacking.what}", lacking.fix)
        known = {f for offer in self.registry.backends.values() for f in offer.info.model_formats}
        raise ModelError(
            "model-format", f"no backend takes {form!r} models ({self.model.path.name})", did_you_mean(form, known)
        )

    def _wrong_format(self, backend: BackendInfo) -> ModelError:
        takes, form = ", ".join(backend.model_formats), self.model.format or "files without a suffix"
        hint = "convert it, choose another --backend, or say what it is with --set model_format=FORMAT"
        summary = f"backend {backend.name} takes {takes} models, not {form} ({self.model.path.name})"
        return ModelError("model-format", summary, hint)

    def _dataset_ref(self) -> DatasetRef:
        info, path = self.dataset.info, self.settings.data_path
        if path is None and info.needs_path:
            raise DataError(
                "data-path", f"data set {info.name} needs the folder it is in", "give it with --data-path DIR"
            )
        if path is None:
            return DatasetRef(name=info.name)
        place = self.layer["data_path"].source
        path = _expand(path, place)
        if not _kind(path):
            raise DataError("data-missing", f"{place}: {path} does not exist", "check the path")
        return DatasetRef(name=info.name, path=path.resolve())

    def _counts(self) -> tuple[Counts, dict[str, str]]:
        """The counts of the chosen rules, each replaced by the setting of the same name where there is one."""
        name, scenario = self.settings.rules, self.scenario.info.name
        known = sorted({key.split(".")[1] for key in self.runs if key.startswith(f"{scenario}.") and "." in key})
        if name not in known:
            place = self.layer["rules"].source if "rules" in self.layer else "defaults"
            raise UsageError(
                "unknown-rules", f"{place}: scenario {scenario} has no rules {name!r}", did_you_mean(name, known)
            )
        chosen = _under(self.runs, f"{scenario}.{name}.")
        given = {key: self.layer[key] for key in Counts.model_fields if getattr(self.settings, key) is not None}
        counts = layers.check(Counts, layers.merge([chosen, given]), "")
        sources = {key: f"{s.source} (rules {name})" for key, s in chosen.items() if key not in given}
        return counts, sources

    def _options(self, kind: str) -> dict[str, Any]:
        model = self.option_models[kind]
        prefix = f"{kind}_options."
        if model is None:
            if stray := next((s for k, s in self.layer.items() if k.startswith(prefix)), None):
                name = self._offers()[kind].info.name
                raise UsageError("unknown-key", f"{stray.source}: {kind} {name} has no options", "remove it")
            return {}
        return layers.check(model, self.layer, prefix).model_dump(mode="json", exclude_none=True)


def _options_model(kind: str, offer: Offer[Any]) -> type[BaseModel] | None:
    """The pydantic model of a plugin's options; importing it runs the plugin's code for the first time."""
    if offer.info.options is None:
        return None
    try:
        return cast("type[BaseModel]", offer.info.options.load())
    except Exception as error:
        summary = f"{kind} {offer.info.name} cannot be loaded: {type(error).__name__}: {error}"
        raise BackendError("plugin-broken", summary, f"update or reinstall {offer.source.distribution}") from error


def model_entries(described: Layer) -> dict[str, ModelEntry]:
    """The models that a task's settings describe, by name."""
    names = {key.split(".")[1] for key in described if key.startswith("models.")}
    return {name: layers.check(ModelEntry, described, f"models.{name}.") for name in sorted(names)}


def _expand(path: Path, source: str) -> Path:
    """The path without ``~``; a path in UTF-8, for plans and results are JSON."""
    try:
        expanded = path.expanduser()
        str(expanded.absolute()).encode()
    except RuntimeError as error:
        raise UsageError("bad-value", f"{source}: {path}: there is no such user", "write the path in full") from error
    except UnicodeError as error:
        raise UsageError("bad-value", f"{source}: {str(path)!a} is not in UTF-8", "rename the folder") from error
    return expanded


def _kind(path: Path) -> str:
    """What is at a path: ``"file"``, ``"folder"``, or nothing that can be read."""
    try:
        return "file" if path.is_file() else "folder" if path.is_dir() else ""
    except OSError:  # the name is too long, or a folder is closed
        return ""


def _under(layer: Layer, prefix: str) -> Layer:
    return {key.removeprefix(prefix): setting for key, setting in layer.items() if key.startswith(prefix)}


def _without_selection(layer: Layer) -> Layer:
    return {key: s for key, s in layer.items() if key.split(".")[0] not in layers.SELECTION}
