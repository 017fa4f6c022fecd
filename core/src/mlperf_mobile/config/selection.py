"""Selects what runs: the benchmarks of a suite, the tasks that the user named, or the quickstart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mlperf_mobile.config import layers
from mlperf_mobile.config.catalogue import Catalogue
from mlperf_mobile.config.document import Layer, Setting, read_file
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.config.suites import Benchmark, Suite, suites
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.names import NO_DOT, RULE, is_file_name
from mlperf_mobile.picking import missing_distributions, near, pick
from mlperf_mobile.plugin import TaskInfo
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.user_paths import kind_of

DEFAULT_SUITE = "quickstart"


@dataclass(frozen=True, slots=True)
class Request:
    """The user's request: three layers, weakest first."""

    file: Layer = field(default_factory=dict)
    environment: Layer = field(default_factory=dict)
    flags: Layer = field(default_factory=dict)
    chosen_later: bool = False
    """Whether an executor chooses the device."""
    folder: Path = Path()
    """The folder of the run file, where the paths of its ``models`` and ``data`` begin."""
    swept: Mapping[str, Any] = field(default_factory=dict)
    """The values of this request in a sweep, by the keys that the user gave."""

    @classmethod
    def of_user(cls, config: Path | None, flags: Layer, *, chosen_later: bool = False) -> Self:
        """The run file, if there is one, this process's environment, and flags.

        Raises:
            UsageError: The run file cannot be read.
        """
        return cls(
            file=read_file(config) if config else {},
            folder=config.absolute().parent if config else Path(),
            environment=layers.load_environment(),
            flags=flags,
            chosen_later=chosen_later,
        )

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
        return [_named(registry, layer, name, source) for name, source in names]
    if own := next((layer[key] for key in ("model", "dataset", "data_path") if key in layer), None):
        task = _task_of_model(registry, layer) or _only_task(registry, layer, own)
        return [Benchmark(task, task)]
    default = suites(registry).get(DEFAULT_SUITE)
    if default is None or not default.benchmarks:
        hint = "name a task; mlperf-mobile list-tasks shows them" if registry.tasks else near("", (), registry)
        raise UsageError("no-task", "there is nothing to run", hint)
    return list(default.benchmarks.values())


def _named(registry: Registry, layer: Layer, name: str, source: str) -> Benchmark:
    """A task, or one under a name of the user's: ``tasks: {NAME: {task: TASK}}``."""
    task = layer.get(f"tasks.{name}.task")
    if task is None:
        if name not in registry.tasks and (dotted := _dotted(layer, name)):
            summary = f"{source}: {dotted[:80]!r} cannot be a name: {NO_DOT}"
            raise UsageError("bad-name", summary, f"leave the dot out, or {did_you_mean(name, registry.tasks)}")
        return Benchmark(pick("task", name, registry.tasks, registry, source).info.name, name)
    if not is_file_name(name):
        raise UsageError("bad-name", f"{source}: {name[:80]!r} cannot be a name", RULE)
    if name in registry.tasks and name != task.value:
        raise UsageError("bad-name", f"{task.source}: {name} is the name of another task", "choose another name")
    return Benchmark(pick("task", str(task.value), registry.tasks, registry, task.source).info.name, name)


def _dotted(layer: Layer, start: str) -> str:
    """The name with a dot that keys under ``tasks`` seem to have: ``my.v2`` in ``tasks.my.v2.backend``."""
    for key in layers.under(layer, f"tasks.{start}."):
        head, dot, _ = key.partition(".")
        if dot and head not in Settings.model_fields:
            return f"{start}.{head}"
    return ""


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
    missing = missing_distributions("task-")
    more = [f"suites come with tasks: pip install {' '.join(missing)}"] if missing else []
    hint = "; ".join([did_you_mean(name, known), *left_out, *more])
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
    names: list[tuple[str, str]] = []
    parts = {key.split(".")[1] for key in layer if key.startswith("tasks.")}
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
    given = [name for name, _ in names if name not in parts]
    if twice := next((name for place, name in enumerate(given) if name in given[:place]), None):
        source = next(source for name, source in names if name == twice)
        hint = "to measure it twice use --repeat 2; for two variants use --sweep, or names of your own in a run file"
        raise UsageError("duplicate-task", f"{source}: task {twice} is named twice", hint)
    places = dict(reversed(names))  # each name with its first place
    return [(name, places[name]) for name in dict.fromkeys(name for name, _ in names)]


def _task_of_model(registry: Registry, layer: Layer) -> str:
    """The task of a run that names a model alone: the one that knows the name, or the one for any model file."""
    if "model" not in layer or "dataset" in layer:
        return ""
    name = str(layer["model"].value)
    knowing = [] if kind_of(Path(name)) else [each for each, offer in registry.tasks.items() if _knows(offer, name)]
    takers = [each for each, offer in registry.tasks.items() if offer.info.for_any_model]
    found = knowing or takers
    return found[0] if len(found) == 1 else ""


def _knows(offer: Offer[TaskInfo], model: str) -> bool:
    """Whether a task's settings have a model of this name; a task whose settings are wrong knows none."""
    with suppress(UsageError):
        return model in Catalogue.of(offer.info.settings, f"task {offer.info.name}").models
    return False


def _only_task(registry: Registry, layer: Layer, own: Setting) -> str:
    """The task of a run that names a model or data set but no task."""
    tasks = [name for name, offer in registry.tasks.items() if not offer.info.for_any_model]
    if "dataset" in layer:
        dataset = pick("dataset", str(layer["dataset"].value), registry.datasets, registry, layer["dataset"].source)
        tasks = [task for task in dataset.info.tasks if task in registry.tasks]
    if len(tasks) == 1:
        return tasks[0]
    missing = missing_distributions("task-")
    more = f"; or install others: pip install {' '.join(missing)}" if missing else ""
    raise UsageError("no-task", f"{own.source} does not say which task to run", f"name one: {', '.join(tasks)}{more}")
