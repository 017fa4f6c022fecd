"""Reads the YAML files in which plugins define suites: the settings that all benchmarks share, and the benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from mlperf_mobile.config.document import Layer, Setting, Tree, flat, read_tree, resource
from mlperf_mobile.config.fields import Fields
from mlperf_mobile.config.homes import Home, Homed
from mlperf_mobile.config.tunings import Tuning, clashes
from mlperf_mobile.config.tunings import read as read_tuning
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.names import NO_DOT, RULE, is_file_name
from mlperf_mobile.problems import Source, duplicate
from mlperf_mobile.registry import Registry

SEEDS = ("qsl", "sample_index", "schedule")
"""LoadGen's seeds; a suite sets all of them or none, since runs with other seeds cannot be compared."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One thing to run: a task, alone or as part of a suite."""

    task: str
    name: str
    """Its name in the suite; without a suite, the task's name."""
    suite: str | None = None
    summary: str = ""
    settings: tuple[Layer, ...] = ()
    """The suite's settings, weakest first."""
    source: Source | None = None
    """The plugin that defines it."""
    packages: tuple[str, ...] = ()
    """The packages of the files of ``settings``, where the paths of models and data begin."""

    def homed(self) -> list[Homed]:
        """The settings, with where their paths begin."""
        return [Homed(layer, Home(package)) for layer, package in zip(self.settings, self.packages, strict=True)]


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite, combined from the contributions of all plugins."""

    name: str
    summary: str
    common: Layer | None
    """The settings of all its benchmarks; None if no plugin defines them."""
    benchmarks: Mapping[str, Benchmark]
    """By name, in alphabetical order; without those whose task is not installed."""


@dataclass(frozen=True, slots=True)
class _Common:
    """One file's definition of a suite as a whole."""

    suite: str
    summary: str
    settings: Layer
    package: str


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """The content of one suites file."""

    source: Source
    common: tuple[_Common, ...]
    benchmarks: tuple[tuple[Benchmark, str], ...]
    """One entry for each suite that a benchmark is in, with its place in the file."""
    tunings: tuple[Tuning, ...]
    official: Setting
    """The mapping ``official``: facts for plugins that handle rounds. The core does not read them."""


@lru_cache(maxsize=2)
def suite_files(registry: Registry) -> tuple[SuiteFile, ...]:
    """The suites files of all plugins; one that cannot be read becomes a problem of its plugin only."""
    found = []
    for offer in registry.suites.values():
        try:
            found.append(read_suites(offer.info.settings, offer.source))
        except UsageError as error:
            fix = error.hint or "correct the file"
            registry.leave_out(error.code, offer.source, error.summary, fix, ("suites file", offer.info.name))
    return tuple(found)


@lru_cache(maxsize=2)
def suites(registry: Registry) -> Mapping[str, Suite]:
    """Every suite, by name; a suite that two plugins define is left out, because its seeds would be ambiguous."""
    files = suite_files(registry)
    defined = [(each.suite, file.source, each) for file in files for each in file.common]
    common: dict[str, _Common] = _unambiguous(registry, defined)
    ambiguous = {name for name, _, _ in defined} - common.keys()
    found: dict[str, dict[str, Benchmark]] = {name: {} for name in common}
    listed = [
        (f"{each.suite}/{each.name}", file.source, (each, place, file.source))
        for file in files
        for each, place in file.benchmarks
    ]
    for _, (benchmark, place, source) in sorted(_unambiguous(registry, listed).items()):
        suite = str(benchmark.suite)
        if benchmark.task not in registry.tasks:
            reason = f"{place}: benchmark {benchmark.name!r} needs task {benchmark.task!r}, which is not installed"
            fix = "install the distribution that has the task"
            registry.leave_out("unknown-task", source, reason, fix, ("benchmark", benchmark.name))
        elif suite not in ambiguous:
            whole = benchmark
            if shared := common.get(suite):
                settings, packages = (shared.settings, *benchmark.settings), (shared.package, *benchmark.packages)
                whole = replace(benchmark, settings=settings, packages=packages)
            found.setdefault(suite, {})[whole.name] = whole
    return {
        name: Suite(name, common[name].summary, common[name].settings, benchmarks)
        if name in common
        else Suite(name, "", None, benchmarks)
        for name, benchmarks in sorted(found.items())
    }


@lru_cache(maxsize=2)
def tunings(registry: Registry) -> tuple[Tuning, ...]:
    """The tunings of all plugins; one of a benchmark that its suite does not have is a problem of its plugin."""
    files = suite_files(registry)
    found = tuple(each for file in files for each in file.tunings)
    listed = {(str(each.suite), each.name) for file in files for each, _ in file.benchmarks}
    for tuning in found:
        for suite, name in tuning.benchmarks:
            if (suite, name) not in listed and any(suite == other for other, _ in listed):
                reason = f"{tuning.place}: suite {suite} has no benchmark {name!r}, which tuning {tuning.name} is for"
                hint = did_you_mean(name, {other for of, other in listed if of == suite})
                registry.leave_out("unknown-task", tuning.source, reason, hint, ("tuning", tuning.name))
    for name, sources in clashes(found):
        registry.report(duplicate("tuning", name, sources))
    return found


def _unambiguous(registry: Registry, listed: Iterable[tuple[str, Source, Any]]) -> dict[str, Any]:
    """The items whose name only one plugin uses; conflicting ones are left out, like conflicting offers."""
    found: dict[str, list[tuple[Source, Any]]] = {}
    for name, source, item in listed:
        found.setdefault(name, []).append((source, item))
    for name, rivals in found.items():
        if len(rivals) > 1:
            registry.report(duplicate("suite", name, [source for source, _ in rivals]))
    return {name: rivals[0][1] for name, rivals in found.items() if len(rivals) == 1}


def read_suites(reference: str, source: Source) -> SuiteFile:
    """The content of a suites file, named ``"package:resource"``.

    Raises:
        UsageError: The file does not exist or is wrong; the message names file, line and column.
    """
    label, package = f"suite {reference.replace(':', '/', 1)}", reference.partition(":")[0]
    fields = Fields(Setting(read_tree(resource(reference, label), label), label), "")
    common = tuple(_common(name, each, label, package) for name, each in fields.entries("suites"))
    benchmarks: dict[tuple[str, str], tuple[Benchmark, str]] = {}
    for key, each in fields.entries("benchmarks"):
        for benchmark in _benchmarks(key, each, source, label, package):
            name = (str(benchmark.suite), benchmark.name)
            if name in benchmarks:
                summary = f"{each.place}: suite {name[0]} already has a benchmark {name[1]!r}"
                raise UsageError("duplicate-key", summary, "give one of them another name")
            benchmarks[name] = benchmark, each.place
    tuned = tuple(read_tuning(key, each, source, package) for key, each in fields.entries("tunings"))
    official = fields.tree("official")
    fields.finish()
    return SuiteFile(source, common, tuple(benchmarks.values()), tuned, Setting(official, label))


def _common(name: str, fields: Fields, label: str, package: str) -> _Common:
    _check_name(name, fields.place)
    found = _Common(name, fields.text("summary", ""), _settings(fields.tree("settings"), label), package)
    fields.finish()
    return found


def _benchmarks(key: str, fields: Fields, source: Source, label: str, package: str) -> list[Benchmark]:
    """One benchmark for each suite that it is in."""
    task, name, summary = fields.text("task"), fields.text("name", key), fields.text("summary", "")
    names, settings = fields.texts("suites"), _settings(fields.tree("settings"), label)
    fields.finish()
    for each in (name, *names):
        _check_name(each, fields.place)
    if "." in name:
        raise UsageError("bad-name", f"{fields.place}: {name!r} cannot be a benchmark: {NO_DOT}", "leave the dot out")
    if len(set(names)) < len(names):
        raise fields.error("suites", "a suite is named twice", "name each of them once")
    return [Benchmark(task, name, suite, summary, (settings,), source, (package,)) for suite in names]


def _settings(tree: Tree, label: str) -> Layer:
    layer = flat(tree, label)
    given = [key for key in layer if key.startswith("seeds.")]
    if given and {f"seeds.{seed}" for seed in SEEDS} - layer.keys():
        place = layer[given[0]].source
        summary = f"{place}: seeds: a suite sets all of {', '.join(SEEDS)}, or none"
        raise UsageError("missing-key", summary, "write all three, from the rules of the round")
    return layer


def _check_name(name: str, place: str) -> None:
    if not is_file_name(name):
        raise UsageError("bad-name", f"{place}: {name[:80]!r} cannot be a name", RULE)
