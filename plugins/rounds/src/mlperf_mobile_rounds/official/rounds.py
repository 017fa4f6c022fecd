"""The requirements of the rounds, from the installed suites: seeds, counts, targets; and the round of a log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlperf_mobile.config.document import Layer, read_resource
from mlperf_mobile.config.suites import SEEDS, Benchmark, suites
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

_SCENARIOS = {"single-stream": "SingleStream", "offline": "Offline"}


@dataclass(frozen=True, slots=True)
class Target:
    """The accuracy that must be reached."""

    metric: str
    value: float
    reference: float | None
    source: str
    doubt: str
    """Why it is not enforced."""


@dataclass(frozen=True, slots=True)
class RoundBenchmark:
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
    max_new_tokens: int | None
    """Tokens of an answer in the timed run, at most; None without tokens, or without a limit."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round of MLPerf Mobile."""

    name: str
    seeds: tuple[int, int, int] | None
    seeds_doubt: str
    benchmarks: Mapping[str, RoundBenchmark]


def all_rounds(registry: Registry) -> dict[str, Round]:
    """Every suite with common settings of its benchmarks, by name."""
    known: dict[str, Round] = {}
    defaults = _Defaults(registry)
    for suite in suites(registry).values():
        if suite.common is None:
            continue
        seeds = [_value(suite.common, f"seeds.{name}") for name in SEEDS]
        found = {name: _round_benchmark(defaults, each) for name, each in suite.benchmarks.items()}
        whole = [seed for seed in seeds if isinstance(seed, int)]
        triple = (whole[0], whole[1], whole[2]) if len(whole) == 3 else None
        known[suite.name] = Round(suite.name, triple, str(_value(suite.common, "unverified.seeds") or ""), found)
    return known


def named(known: Mapping[str, Round], name: str) -> Round:
    """The round with a name.

    Raises:
        UsageError: No round has this name.
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
    """The rounds whose seeds most logs have, those named by a folder first; empty if none matches."""
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
    """The rounds in folder names, the innermost folder first."""
    return [name for folder in reversed(list(folders)) for name in known if _names_round(folder, name)]


def _names_round(folder: str, name: str) -> bool:
    """Whether a folder is named after a round: ``v5.0``, ``mobile_results_v5.0``."""
    return bool(re.search(rf"(?<![\d.]){re.escape(name.lstrip('v'))}(?![\d.])", folder))


def _value(layer: Layer, key: str) -> Any:
    return layer[key].value if key in layer else None


class _Defaults:
    """The settings of scenarios and tasks, each file read once."""

    def __init__(self, registry: Registry) -> None:
        self._offers: dict[str, Mapping[str, Offer[Any]]] = {"scenario": registry.scenarios, "task": registry.tasks}
        self._read: dict[str, Layer] = {}

    def of(self, kind: str, name: str) -> Layer:
        """The settings of a scenario or task; empty if it is not installed, or its file is wrong."""
        label = f"{kind} {name}"
        if label not in self._read:
            offer = self._offers[kind].get(name)
            try:
                self._read[label] = read_resource(offer.info.settings, label) if offer else {}
            except UsageError:  # a run of it says what is wrong; the other benchmarks can be checked
                self._read[label] = {}
        return self._read[label]


def _round_benchmark(defaults: _Defaults, benchmark: Benchmark) -> RoundBenchmark:
    layer: Layer = {}
    for each in benchmark.settings:
        layer |= each
    scenario = str(_value(layer, "scenario") or "single-stream")
    layer = defaults.of("scenario", scenario) | defaults.of("task", benchmark.task) | layer
    counts = f"runs.{scenario}.normal"
    reference, least = _value(layer, "quality.reference"), _value(layer, "quality.at_least")
    target = None
    if reference is not None or least is not None:
        value = least if least is not None else reference * (_value(layer, "quality.ratio") or 1.0)
        source, doubt = (str(_value(layer, key) or "") for key in ("quality.source", "unverified.quality"))
        target = Target(str(_value(layer, "quality.metric")), float(value), reference, source, doubt)
    return RoundBenchmark(
        benchmark.name,
        benchmark.task,
        _SCENARIOS.get(scenario, scenario),
        str(_value(layer, "dataset") or ""),
        str(_value(layer, "model") or ""),
        target,
        _value(layer, f"{counts}.min_query_count"),
        _value(layer, f"{counts}.min_duration_s"),
        _value(layer, f"{counts}.max_duration_s"),
        float(_value(layer, "percentile") or 0.9),
        _value(layer, "token_rules.max_new_tokens"),
    )
