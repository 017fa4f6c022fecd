"""What the rounds ask for, as the installed suites say: seeds, counts, targets; and which round a log is of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlperf_mobile.config.document import Layer, read_resource
from mlperf_mobile.config.selection import benchmarks
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.registry import Registry
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

SEEDS = ("qsl", "sample_index", "schedule")
_SCENARIOS = {"single-stream": "SingleStream", "offline": "Offline"}


@dataclass(frozen=True, slots=True)
class Target:
    """The accuracy that must be reached."""

    metric: str
    value: float
    reference: float | None
    source: str
    doubt: str
    """Why it decides nothing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One benchmark of a round."""

    name: str
    task: str
    scenario: str
    """As LoadGen names it."""
    dataset: str
    model: str
    target: Target | None
    min_query_count: int | None
    min_duration_s: float | None
    max_duration_s: float | None
    percentile: float


@dataclass(frozen=True, slots=True)
class Round:
    """A round of MLPerf Mobile."""

    name: str
    seeds: tuple[int, int, int] | None
    seeds_doubt: str
    benchmarks: Mapping[str, Wanted]


def all_rounds(registry: Registry) -> dict[str, Round]:
    """Every suite that has seeds of its own, by name."""
    known: dict[str, Round] = {}
    files = _Files()
    suites = benchmarks(registry)
    for offer in registry.suites.values():
        info = offer.info
        if info.task:
            continue
        common = files.read(info.settings, info.suite)
        seeds = [_value(common, f"seeds.{name}") for name in SEEDS]
        found = {
            name: _wanted(registry, files, name, benchmark.task, benchmark.settings)
            for name, benchmark in suites.get(info.suite, {}).items()
        }
        whole = [seed for seed in seeds if isinstance(seed, int)]
        triple = (whole[0], whole[1], whole[2]) if len(whole) == 3 else None
        known[info.suite] = Round(info.suite, triple, str(_value(common, "unverified.seeds") or ""), found)
    return known


def named(known: Mapping[str, Round], name: str) -> Round:
    """The round of a name.

    Raises:
        UsageError: There is none.
    """
    if name not in known:
        raise UsageError("unknown-round", f"no round is called {name!r}", did_you_mean(name, known))
    return known[name]


def seeds_of(log: DetailLog) -> tuple[int, int, int] | None:
    """The seeds that a run used."""
    found = [log.integer(f"effective_{name}_rng_seed") for name in SEEDS]
    whole = [seed for seed in found if seed is not None]
    return (whole[0], whole[1], whole[2]) if len(whole) == 3 else None


def detect(known: Mapping[str, Round], logs: Iterable[DetailLog], hints: Iterable[str]) -> list[str]:
    """The rounds whose seeds most logs have, those that a folder's name hints at first; empty if none fits."""
    votes: dict[str, int] = {}
    for log in logs:
        seeds = seeds_of(log)
        for each in known.values():
            if seeds and each.seeds == seeds:
                votes[each.name] = votes.get(each.name, 0) + 1
    by_name = hinted(known, hints)
    most = max(votes.values(), default=0)
    best = [name for name, count in votes.items() if count == most]
    return sorted(best, key=lambda name: (name not in by_name, name))


def hinted(known: Mapping[str, Round], folders: Iterable[str]) -> list[str]:
    """The rounds that folders are called after, the innermost folder's first."""
    return [name for folder in reversed(list(folders)) for name in known if _names_round(folder, name)]


def _names_round(folder: str, name: str) -> bool:
    """Whether a folder is called after a round: ``v5.0``, ``mobile_results_v5.0``."""
    return bool(re.search(rf"(?<![\d.]){re.escape(name.lstrip('v'))}(?![\d.])", folder))


def _value(layer: Layer, key: str) -> Any:
    return layer[key].value if key in layer else None


class _Files:
    """Settings files, each read once, whatever the number of its parts."""

    def __init__(self) -> None:
        self._read: dict[str, Layer] = {}

    def read(self, reference: str, label: str) -> Layer:
        """The settings at ``package:file#part``."""
        file, _, part = reference.partition("#")
        if file not in self._read:
            self._read[file] = read_resource(file, label)
        prefix = f"{part}."
        whole = self._read[file]
        return {k.removeprefix(prefix): v for k, v in whole.items() if k.startswith(prefix)} if part else dict(whole)


def _wanted(registry: Registry, files: _Files, name: str, task: str, references: Iterable[str]) -> Wanted:
    layer: Layer = {}
    for reference in references:
        layer |= files.read(reference, name)
    scenario = str(_value(layer, "scenario") or "single-stream")
    offered = registry.scenarios.get(scenario)
    if offered and offered.info.settings:
        layer = files.read(offered.info.settings, scenario) | layer
    counts = f"runs.{scenario}.normal"
    reference, least = _value(layer, "quality.reference"), _value(layer, "quality.at_least")
    target = None
    if reference is not None or least is not None:
        value = least if least is not None else reference * (_value(layer, "quality.ratio") or 1.0)
        source, doubt = (str(_value(layer, key) or "") for key in ("quality.source", "unverified.quality"))
        target = Target(str(_value(layer, "quality.metric")), float(value), reference, source, doubt)
    return Wanted(
        name,
        task,
        _SCENARIOS.get(scenario, scenario),
        str(_value(layer, "dataset") or ""),
        str(_value(layer, "model") or ""),
        target,
        _value(layer, f"{counts}.min_query_count"),
        _value(layer, f"{counts}.min_duration_s"),
        _value(layer, f"{counts}.max_duration_s"),
        float(_value(layer, "percentile") or 0.9),
    )
