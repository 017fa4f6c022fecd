"""Chooses what runs: the benchmarks of a suite, the tasks that the user asked for, or the quickstart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.picking import pick
from mlperf_mobile.registry import Registry

DEFAULT_SUITE = "quickstart"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for: three layers, the weakest first."""

    file: Layer = field(default_factory=dict)
    environment: Layer = field(default_factory=dict)
    flags: Layer = field(default_factory=dict)

    def merged(self) -> Layer:
        return layers.merge([self.file, self.environment, self.flags])


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One thing to run: a task, alone or as part of a suite."""

    task: str
    name: str
    """In the suite; the task's name without one."""
    suite: str | None = None
    settings: tuple[str, ...] = ()
    """References to the suite's settings, the weakest first."""


def benchmarks(registry: Registry) -> dict[str, dict[str, Benchmark]]:
    """The benchmarks of every suite, by suite and name; those whose task is not installed are left out."""
    suites: dict[str, dict[str, Benchmark]] = {}
    common = {offer.info.suite: offer.info.settings for offer in registry.suites.values() if not offer.info.task}
    for offer in registry.suites.values():
        info = offer.info
        if info.task in registry.tasks:
            settings = (common[info.suite], info.settings) if info.suite in common else (info.settings,)
            name = info.benchmark or info.task
            suites.setdefault(info.suite, {})[name] = Benchmark(info.task, name, info.suite, settings)
    return {suite: dict(sorted(found.items())) for suite, found in suites.items()}


def select(registry: Registry, request: Request) -> list[Benchmark]:
    """What shall run.

    Raises:
        UsageError: A name is unknown, or there is nothing to run.
    """
    layer = request.merged()
    suite_setting = layer.get("suite")
    names = _task_names(layer)
    suites = benchmarks(registry)
    if suite_setting:
        if (suite := str(suite_setting.value)) not in suites:
            hint = did_you_mean(suite, suites)
            raise UsageError(
                "unknown-suite", f"{suite_setting.source}: no suite is called {suite_setting.value!r}", hint
            )
        return _of_suite(suite, suites[suite], names) if names else list(suites[suite].values())
    if names:
        for name, source in names:
            pick("task", name, registry.tasks, registry, source)
        return [Benchmark(name, name) for name in dict.fromkeys(name for name, _ in names)]
    if own := next((layer[key] for key in ("model", "dataset", "data_path") if key in layer), None):
        task = _only_task(registry, layer, own)
        return [Benchmark(task, task)]
    if DEFAULT_SUITE not in suites:
        raise UsageError("no-task", "there is nothing to run", "name a task; mlperf-mobile list-tasks shows them")
    return list(suites[DEFAULT_SUITE].values())


def _of_suite(suite: str, known: Mapping[str, Benchmark], names: Iterable[tuple[str, str]]) -> list[Benchmark]:
    """Those that are named, by their own name or by their task's."""
    chosen: dict[str, Benchmark] = {}
    for name, source in names:
        found = [known[name]] if name in known else [each for each in known.values() if each.task == name]
        if not found:
            hint = did_you_mean(name, {*known, *(each.task for each in known.values())})
            raise UsageError("unknown-task", f"{source}: suite {suite} has no benchmark or task {name!r}", hint)
        chosen |= {each.name: each for each in found}
    return list(chosen.values())


def _task_names(layer: Layer) -> list[tuple[str, str]]:
    """Task names with their places, from a list, a comma-separated text, or the keys of ``tasks: {name: settings}``."""
    names = []
    for key, setting in layer.items():
        if key == "tasks":
            value = setting.value.split(",") if isinstance(setting.value, str) else setting.value
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise UsageError("bad-value", f"{setting.source}: tasks: expected a list of names", "tasks: [NAME]")
            names += [(item.strip(), setting.source) for item in value]
        elif key.startswith("tasks."):
            name = key.split(".")[1]
            if key == f"tasks.{name}" and setting.value not in (None, {}):
                raise UsageError("bad-value", f"{setting.source}: {key}: expected settings", f"{key}: {{KEY: VALUE}}")
            names.append((name, setting.source))
    return names


def _only_task(registry: Registry, layer: Layer, own: Setting) -> str:
    """The task of a run that names a model or data set but no task."""
    tasks = list(registry.tasks)
    if "dataset" in layer:
        dataset = pick("dataset", str(layer["dataset"].value), registry.datasets, registry, layer["dataset"].source)
        tasks = [task for task in dataset.info.tasks if task in registry.tasks]
    if len(tasks) == 1:
        return tasks[0]
    raise UsageError("no-task", f"{own.source} does not say which task to run", f"name one: {', '.join(tasks)}")
