"""Chooses what runs: the suite and the tasks that the user asked for, or the quickstart."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.registry import Registry, pick

DEFAULT_SUITE = "quickstart"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for: three layers, the weakest first."""

    file: Layer = field(default_factory=dict)
    environment: Layer = field(default_factory=dict)
    flags: Layer = field(default_factory=dict)

    def merged(self) -> Layer:
        return layers.merge([self.file, self.environment, self.flags])


def select(registry: Registry, request: Request) -> tuple[str | None, list[str]]:
    """Which suite, and which tasks."""
    asked = request.merged()
    suite_setting = asked.get("suite")
    tasks = _task_names(asked)
    for name, source in tasks:
        pick("task", name, registry.tasks, registry, source)
    suites: dict[str, list[str]] = {}
    for offer in registry.suites.values():
        suites.setdefault(offer.info.suite, []).append(offer.info.task)
    if suite_setting and str(suite_setting.value) not in suites:
        hint = did_you_mean(str(suite_setting.value), suites)
        raise UsageError("unknown-suite", f"{suite_setting.source}: no suite is called {suite_setting.value!r}", hint)
    suite = str(suite_setting.value) if suite_setting else None
    names = list(dict.fromkeys(name for name, _ in tasks))
    if suite:
        absent = [name for name in names if name not in suites[suite]]
        if absent:
            raise UsageError(
                "unknown-task", f"suite {suite} has no task {absent[0]}", did_you_mean(absent[0], suites[suite])
            )
        return suite, names or sorted(suites[suite])
    if names:
        return None, names
    if own := next((asked[key] for key in ("model", "dataset", "data_path") if key in asked), None):
        return None, [_only_task(registry, asked, own)]
    if DEFAULT_SUITE not in suites:
        raise UsageError("no-task", "there is nothing to run", "name a task; mlperf-mobile list-tasks shows them")
    return DEFAULT_SUITE, sorted(suites[DEFAULT_SUITE])


def _task_names(asked: Layer) -> list[tuple[str, str]]:
    """Task names with their places, from a list, a comma-separated text, or the keys of ``tasks: {name: settings}``."""
    names = []
    for key, setting in asked.items():
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


def _only_task(registry: Registry, asked: Layer, own: Setting) -> str:
    """The task of a run that names a model or data set but no task."""
    tasks = list(registry.tasks)
    if "dataset" in asked:
        dataset = pick("dataset", str(asked["dataset"].value), registry.datasets, registry, asked["dataset"].source)
        tasks = [task for task in dataset.info.tasks if task in registry.tasks]
    if len(tasks) == 1:
        return tasks[0]
    raise UsageError("no-task", f"{own.source} does not say which task to run", f"name one: {', '.join(tasks)}")
