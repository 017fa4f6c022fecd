"""Tunings: what a vendor offers for its backend in benchmarks of suites, such as model files and options by SoC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mlperf_mobile.config.document import Layer, Setting, flat
from mlperf_mobile.config.fields import Fields
from mlperf_mobile.config.homes import Homed
from mlperf_mobile.errors import UsageError
from mlperf_mobile.names import RULE, is_file_name
from mlperf_mobile.problems import Source

TUNABLE = frozenset({
    "accelerator", "batch", "model", "model_format", "input_shapes", "strict_placement", "warmup_s",
    "expected_latency_ns", "backend_options", "task_options",
})  # fmt: skip
"""Settings that a tuning may change: how the model runs, not what is measured."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the conditions of a tuning are about."""

    soc: str
    """Empty if it is not known."""
    accelerators: frozenset[str]
    scenario: str
    batch: int


@dataclass(frozen=True, slots=True)
class Case:
    """Settings, and models in further forms, for runs that fulfil every condition."""

    name: str
    """Empty for what holds for all runs."""
    socs: tuple[str, ...]
    """Patterns as of a shell, which need not match the case of letters; empty for every SoC."""
    accelerators: tuple[str, ...]
    scenarios: tuple[str, ...]
    batches: tuple[int, ...]
    layer: Layer

    def holds(self, run: Run) -> bool:
        """Whether a run fulfils the conditions."""
        return (
            (not self.socs or any(fnmatchcase(run.soc.lower(), pattern.lower()) for pattern in self.socs))
            and (not self.accelerators or not run.accelerators.isdisjoint(self.accelerators))
            and (not self.scenarios or run.scenario in self.scenarios)
            and (not self.batches or run.batch in self.batches)
        )


@dataclass(frozen=True, slots=True)
class Tuning:
    """A vendor's tuning of benchmarks for one backend."""

    name: str
    backend: str
    benchmarks: tuple[tuple[str, str], ...]
    """Suite and benchmark."""
    allows_fallback: bool
    """Whether operations may fall back to the CPU."""
    cases: tuple[Case, ...]
    """In order; a later one sees and overrides the settings of earlier ones."""
    package: str
    """Where the paths of its models begin."""
    source: Source
    """The plugin that has it."""
    place: str


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a tuning adds to the settings of one run."""

    tuning: Tuning
    layers: tuple[Homed, ...]
    soc: str
    """The SoC that its conditions were checked against; empty if none depends on it, or it is not known."""
    notes: tuple[str, ...]


def read(key: str, fields: Fields, source: Source, package: str) -> Tuning:
    """A tuning in a suites file.

    Raises:
        UsageError: It is wrong; the message names file, line and column.
    """
    if not is_file_name(key):
        raise UsageError("bad-name", f"{fields.place}: {key[:80]!r} cannot be a name", RULE)
    backend, suites, benchmarks = fields.text("backend"), fields.texts("suites"), fields.texts("benchmarks")
    for name, given in (("suites", suites), ("benchmarks", benchmarks)):
        if not given:
            raise UsageError("missing-key", f"{fields.place}: tunings.{key}.{name} is missing", f"{name}: [NAME]")
    allows = fields.flag("cpu_fallback", default=True)
    cases = [_case("", fields, Fields(Setting({}, fields.place), ""), key)]
    for name, each in fields.entries("cases"):
        conditions = each.fields("when")
        cases.append(_case(name, each, conditions, key))
        conditions.finish()
        each.finish()
    place = fields.place
    fields.finish()
    pairs = tuple((suite, benchmark) for suite in suites for benchmark in benchmarks)
    return Tuning(key, backend, pairs, allows, tuple(cases), package, source, place)


def _case(name: str, fields: Fields, when: Fields, tuning: str) -> Case:
    from mlperf_mobile.config.settings import Settings  # here: listings of suites need no pydantic

    label = f"tuning {tuning}"
    settings = flat(fields.tree("settings"), fields.place)
    for key, setting in settings.items():
        head = key.partition(".")[0]
        if head not in TUNABLE and (head in Settings.model_fields or head in ("runs", "tasks", "suite", "sweep")):
            hint = f"it may set {', '.join(sorted(TUNABLE))}, and options by their short names"
            raise UsageError("bad-value", f"{setting.source}: a tuning cannot set {head}", hint)
    models = {f"models.{key}": setting for key, setting in flat(fields.tree("models"), fields.place).items()}
    return Case(
        name=name,
        socs=when.texts("soc"),
        accelerators=when.texts("accelerator"),
        scenarios=when.texts("scenario"),
        batches=when.integers("batch"),
        layer={key: _labelled(setting, label) for key, setting in (settings | models).items()},
    )


def _labelled(setting: Setting, label: str) -> Setting:
    """The setting, whose source names the tuning rather than the suites file."""
    return Setting(setting.value, f"{label}, {setting.source.removeprefix('suite ')}")


def of_benchmark(tunings: Sequence[Tuning], suite: str, benchmark: str) -> Mapping[str, Tuning]:
    """The tunings of a benchmark, by backend; none for a backend that several distributions tune it for."""
    found: dict[str, list[Tuning]] = {}
    for each in tunings:
        if (suite, benchmark) in each.benchmarks:
            found.setdefault(each.backend, []).append(each)
    return {backend: rivals[0] for backend, rivals in found.items() if len(rivals) == 1}


def listed(tunings: Sequence[Tuning], suite: str, benchmark: str) -> dict[str, list[dict[str, str]]]:
    """The tunings of a benchmark for listings; empty if there are none."""
    found = of_benchmark(tunings, suite, benchmark).values()
    shown = [{"tuning": each.name, "backend": each.backend, "from": str(each.source)} for each in found]
    return {"tunings": shown} if shown else {}


def clashes(tunings: Sequence[Tuning]) -> Iterator[tuple[str, list[Source]]]:
    """The benchmarks that are tuned twice for a backend, as ``SUITE/BENCHMARK for BACKEND``, and by whom."""
    found: dict[str, list[Source]] = {}
    for each in tunings:
        for suite, benchmark in each.benchmarks:
            found.setdefault(f"{suite}/{benchmark} for {each.backend}", []).append(each.source)
    yield from ((name, sources) for name, sources in found.items() if len(sources) > 1)
