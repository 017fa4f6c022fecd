"""Selects what runs: the benchmarks of a suite, the tasks that the user named, or the quickstart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.suites import Benchmark, Suite, suites
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.picking import near, pick
from mlperf_mobile.registry import Registry

DEFAULT_SUITE = "quickstart"


@dataclass(frozen=True, slots=True)
class Request:
    """The user's request: three layers, weakest first."""

    file: Layer = field(default_factory=dict)
    environment: Layer = field(default_factory=dict)
    flags: Layer = field(default_factory=dict)

    def merged(self) -> Layer:
        return layers.merge([self.file, self.environment, self.flags])


def select(registry: Registry, request: Request) -> list[Benchmark]:
    """The benchmarks to run.

    Raises:
        UsageError: A name is unknown, or there is nothing to run.
    """
    layer = request.merged()
    suite_setting = layer.get("suite")
    names = _task_names(layer)
    if suite_setting:
        suite = _suite(registry, suite_setting)
        return _of_suite(suite, names) if names else list(suite.benchmarks.values())
    if names:
        for name, source in names:
            pick("task", name, registry.tasks, registry, source)
        return [Benchmark(name, name) for name in dict.fromkeys(name for name, _ in names)]
    if own := next((layer[key] for key in ("model", "dataset", "data_path") if key in layer), None):
        task = _only_task(registry, layer, own)
        return [Benchmark(task, task)]
    default = suites(registry).get(DEFAULT_SUITE)
    if default is None or not default.benchmarks:
        hint = "name a task; mlperf-mobile list-tasks shows them" if registry.tasks else near("", (), registry)
        raise UsageError("no-task", "there is nothing to run", hint)
    return list(default.benchmarks.values())


def _suite(registry: Registry, setting: Setting) -> Suite:
    """The suite that a setting names; the error for an unknown name also lists suites that cannot be used."""
    known = {name: suite for name, suite in suites(registry).items() if suite.benchmarks}
    name = str(setting.value)
    if name in known:
        return known[name]
    left_out = [
        problem.line()
        for problem in registry.problems
        if problem.offer and problem.offer[1] in (name, *registry.suites)
    ]
    hint = "; ".join([did_you_mean(name, known), *left_out])
    raise UsageError("unknown-suite", f"{setting.source}: no suite is called {setting.value!r}", hint)


def _of_suite(suite: Suite, names: Iterable[tuple[str, str]]) -> list[Benchmark]:
    """The named benchmarks of a suite; a name is a benchmark's or its task's."""
    chosen: dict[str, Benchmark] = {}
    known = suite.benchmarks
    for name, source in names:
        found = [known[name]] if name in known else [each for each in known.values() if each.task == name]
        if not found:
            hint = did_you_mean(name, {*known, *(each.task for each in known.values())})
            raise UsageError("unknown-task", f"{source}: suite {suite.name} has no benchmark or task {name!r}", hint)
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
