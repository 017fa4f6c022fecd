"""The official benchmarks as plugins describe them: names, submission folders, sample counts, published results."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from mlperf_mobile.config.fields import Fields
from mlperf_mobile.config.suites import SuiteFile, suite_files
from mlperf_mobile.errors import UsageError
from mlperf_mobile.problems import Problem, Source
from mlperf_mobile.registry import installed_plugins

SCENARIOS: Mapping[str, str] = {"singlestream": "SingleStream", "offline": "Offline", "multistream": "MultiStream"}


@dataclass(frozen=True, slots=True)
class AppTask:
    """What all versions of a benchmark share."""

    name: str
    """As the app calls it."""
    task: str
    """The name of the installed task."""
    metric: str
    library: str
    """The app's sample library, as LoadGen logs it."""
    type: str
    """Of the data set in the app's result file."""
    words: tuple[str, ...]
    """Words of which one is in each name or path of the app's data."""
    titles: tuple[str, ...]
    """Parts of the app's title of a benchmark, in lower case without punctuation."""
    response_bytes: int | None
    """Bytes of a response that the app logs; None where they vary."""
    record_bytes: int
    """Bytes of each record, if a response is a list of records; else 0."""
    generative: bool
    """Generates images or text: the app may run it in another framework, and stops at the maximum duration."""
    optional: bool
    """Whether a submission may lack it."""
    tokens: bool
    """Whether LoadGen measures token latencies."""
    early_stopping_ignored: bool
    """Whether a run needs no early stopping."""
    placeholder_responses: bool
    """Whether the app logs a placeholder for each sample, and keeps the answers to itself."""


@dataclass(frozen=True, slots=True)
class OfficialBenchmark:
    """An official benchmark."""

    name: str
    of: AppTask
    model: str
    models: tuple[str, ...]
    """Prefixes of the model's file names."""
    scenarios: tuple[str, ...]
    """Of the published results."""
    offline: str
    """Its offline variant; empty without one."""
    folder: str
    """In a submission."""
    aliases: tuple[str, ...]
    in_memory: tuple[int, int] | None
    """Samples in memory at a time: by the rules, and by the app (500 MB divided by the bytes of an input)."""
    accuracy_samples: tuple[int, ...]
    """Of the whole data set, and of a smaller one if the app has it. Empty if unknown."""
    performance_samples: int
    seen_samples: int
    """A smaller number in some published results; 0 without one."""


@dataclass(slots=True)
class Definitions:
    """The definitions of all installed plugins."""

    tasks: dict[str, AppTask] = field(default_factory=dict)
    benchmarks: dict[str, OfficialBenchmark] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """Names of benchmarks, in lower case without punctuation."""
    prefixes: list[str] = field(default_factory=list)
    """Prefixes of benchmark names about which nothing else is known."""
    results: list[tuple[str, Source]] = field(default_factory=list)
    """Published results, as ``"package:file.csv"``."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def libraries(self) -> dict[str, str]:
        """The task of each of the app's sample libraries."""
        return {task.library: task.name for task in self.tasks.values() if task.library}

    @property
    def types(self) -> dict[str, str]:
        """The task of each type of data set."""
        return {task.type: task.name for task in self.tasks.values() if task.type}


@cache
def known() -> Definitions:
    """The definitions of all plugins installed in this process."""
    registry = installed_plugins()
    found = Definitions()
    for file in sorted(suite_files(registry), key=lambda file: file.source.plugin != "rounds"):
        try:
            _add(found, file)
        except UsageError as error:
            problem = Problem(error.code, file.source, error.summary, error.hint or "correct the file")
            found.problems.append(problem)
    return found


def say_problems() -> None:
    """Print the problems of definitions that cannot be used."""
    for problem in known().problems:
        print(problem.line(), file=sys.stderr)


def squeezed(name: str) -> str:
    """A name in lower case without punctuation: ``ACME-Net 2`` and ``acme_net2`` are ``acmenet2``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def canonical(name: str, scenario: str | None = None) -> str | None:
    """The benchmark of a folder name or an id; None if it is unknown."""
    every, short = known(), squeezed(name)
    found = every.aliases.get(short) or (name if short.startswith(tuple(every.prefixes)) else None)
    return (every.benchmarks[found].offline or found) if found in every.benchmarks and scenario == "Offline" else found


def of(benchmark: str) -> OfficialBenchmark | None:
    """A benchmark, by its official name."""
    return known().benchmarks.get(benchmark)


def task_of(benchmark: str) -> str | None:
    """The app's task of a benchmark, regardless of version and scenario; None if unknown."""
    if benchmark in known().benchmarks:
        return known().benchmarks[benchmark].of.name
    short = benchmark.replace("_offline", "").removesuffix("_v2")
    return short if short in known().tasks else None


def task(name: str | None) -> AppTask | None:
    """One of the app's tasks, by name."""
    return known().tasks.get(name or "")


def metric_of(benchmark: str) -> str | None:
    """The metric of a benchmark, by its name or id; None if unknown."""
    found = task(task_of(canonical(benchmark) or benchmark))
    return found.metric if found else None


def is_generative(benchmark: str) -> bool:
    """Whether a benchmark generates images or text, judging by its name."""
    found = task(task_of(canonical(benchmark) or benchmark))
    return found.generative if found else squeezed(benchmark).startswith(tuple(known().prefixes))


def is_optional(benchmark: str) -> bool:
    """Whether a submission may lack a benchmark of its round."""
    found = task(task_of(benchmark))
    return found is not None and found.optional


def _add(every: Definitions, file: SuiteFile) -> None:
    """Add the definitions of one file; all of them, or none."""
    fields = Fields(file.official, "official")
    tasks = {name: _task(name, each) for name, each in fields.entries("tasks")}
    benchmarks = {}
    aliases: dict[str, str] = {}
    entries = list(fields.entries("benchmarks"))
    for name, each in entries:
        if name in every.benchmarks:
            raise each.error("", f"benchmark {name!r} is defined by another distribution", "give it another name")
        benchmarks[name] = _benchmark(name, each, every.tasks | tasks)
    variants = {each.offline for each in benchmarks.values()}
    for name, each in entries:
        found = benchmarks[name]
        for alias in (name, *found.aliases, *([found.folder] if name not in variants else [])):
            short = squeezed(alias)
            if short and (every.aliases | aliases).get(short, name) != name:
                taken = (every.aliases | aliases)[short]
                raise each.error("aliases", f"{alias!r} is already a name of {taken}", "leave it out")
            aliases[short] = name
    for name in tasks.keys() & every.tasks.keys():
        raise fields.error("tasks", f"task {name!r} is defined by another distribution", "give it another name")
    prefixes, results = fields.texts("prefixes"), fields.text("results", "")
    fields.finish()
    every.tasks |= tasks
    every.benchmarks |= benchmarks
    every.aliases |= {short: name for short, name in aliases.items() if short}
    every.prefixes += map(squeezed, prefixes)
    every.results += [(results, file.source)] if results else []


def _task(name: str, fields: Fields) -> AppTask:
    response = fields.integer("response_bytes", -1)
    found = AppTask(
        name, fields.text("task"), fields.text("metric"), fields.text("library", ""), fields.text("type", ""),
        tuple(map(squeezed, fields.texts("words"))), tuple(map(squeezed, fields.texts("titles"))),
        None if response < 0 else response, fields.integer("record_bytes", 0), fields.flag("generative"),
        fields.flag("optional"), fields.flag("tokens"), fields.flag("early_stopping_ignored"),
        fields.flag("placeholder_responses"),
    )  # fmt: skip
    fields.finish()
    return found


def _benchmark(name: str, fields: Fields, tasks: Mapping[str, AppTask]) -> OfficialBenchmark:
    of_task = fields.text("of", name)
    if of_task not in tasks:
        raise fields.error("of", f"no task is called {of_task!r}", "describe it under tasks")
    memory, samples = fields.fields("in_memory"), fields.fields("samples")
    in_memory = (memory.integer("rules", 0), memory.integer("app", 0))
    found = OfficialBenchmark(
        name, tasks[of_task], fields.text("model", ""), fields.texts("models"), fields.texts("scenarios"),
        fields.text("offline", ""), fields.text("folder", ""), fields.texts("aliases"),
        in_memory if any(in_memory) else None, samples.integers("accuracy"), samples.integer("performance", 0),
        samples.integer("seen", 0),
    )  # fmt: skip
    for each in (memory, samples, fields):
        each.finish()
    return found
