"""One measured number to compare, from a result of ours or a published one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlperf_mobile.reference.table import Official, benchmark_of, benchmarks
from mlperf_mobile.results import latencies
from mlperf_mobile.results.model import Result
from mlperf_mobile.statistics import Sample

PERCENTILE = 0.9
_MOST_LATENCIES = 20_000_000
_NEAR_SHARE, _NEAR_NS = 0.01, 10_000


@dataclass(slots=True)
class Entry:
    """A number under a label; several results of one argument share it."""

    label: str
    source: str
    """The folder, or ``official:…``."""
    benchmark: str
    scenario: str
    model: str
    runs_on: str
    value: float | None
    """Nanoseconds of the 90th percentile, or samples per second offline; None where there is no such number."""
    refused: str
    """Why the number is no claim about speed; empty where it is one."""
    state: str
    metric: str
    accuracy: float | None
    facts: dict[str, Any]
    """What a difference is worth a warning of; nothing for a published result."""
    official: Official | None = None
    result: Result | None = None
    sample: Sample | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def published_as(self) -> str:
        """The benchmark whose published results it may be compared with; empty where there is none."""
        if self.official:
            return self.benchmark
        known = benchmark_of(self.model, self.scenario)
        return known.name if known else ""

    @property
    def time(self) -> float:
        """Nanoseconds for one sample, whichever way that was measured.

        Raises:
            ValueError: There is no number.
        """
        if self.value is None:
            raise ValueError(f"{self.label} has no number")
        return 1e9 / self.value if self.scenario == "offline" else self.value

    @property
    def text(self) -> str:
        """The number in the users' unit."""
        if self.official:
            return self.official.text
        if self.value is None:
            return "-"
        return f"{self.value:.6g} samples/s" if self.scenario == "offline" else f"{self.value / 1e6:.6g} ms"


def of_official(row: Official, label: str) -> Entry:
    """A published result."""
    known = next(b for b in benchmarks() if (b.name, b.scenario) == (row.benchmark, row.scenario))
    return Entry(
        label=label, source=f"official:{row.name}", benchmark=row.benchmark, scenario=row.scenario, model=known.model,
        runs_on=f"{row.soc}{f', {row.runs_on}' if row.runs_on else ''}", value=row.value, refused="",
        state=f"official, {row.division}", metric=known.metric, accuracy=row.accuracy_value, facts={}, official=row,
    )  # fmt: skip


def of_result(result: Result, folder: Path, label: str) -> Entry:
    """A result of ours, with its latencies where they are still beside it and fit it."""
    value = _value(result)
    accuracy = result.accuracy
    entry = Entry(
        label=label, source=str(folder), benchmark=result.benchmark, scenario=result.scenario,
        model=result.model.name, runs_on=f"{result.backend}/{result.accelerator}", value=value,
        refused=_refusal(result, value), state=_state(result), metric=accuracy.metric if accuracy else "",
        accuracy=accuracy.value if accuracy and math.isfinite(accuracy.value) else None,
        facts=_facts(result), result=result,
    )  # fmt: skip
    if value is not None and result.performance and result.scenario != "offline":
        _add_latencies(entry, folder / latencies.FILE, result.performance.samples)
    return entry


def _value(result: Result) -> float | None:
    told = result.performance
    if told is None:
        return None
    value = told.throughput if result.scenario == "offline" else told.latency_ns.get("p90", math.nan)
    return value if math.isfinite(value) and value > 0 else None


def _refusal(result: Result, value: float | None) -> str:
    if result.functional_only:
        return f"functional only: {result.functional_only}"
    if not result.valid:
        return result.verdict
    if result.performance is None:
        return "no performance run"
    what = "throughput" if result.scenario == "offline" else "90th percentile"
    return "" if value is not None else f"its {what} is not a number over zero"


def _state(result: Result) -> str:
    word = "FUNCTIONAL ONLY" if result.functional_only else result.verdict.split()[0].rstrip(",")
    limits = ("not submittable" if result.valid and result.submittable is False else "",
              f"{result.rule_set} rules" if result.rule_set != "normal" else "")  # fmt: skip
    return ", ".join(filter(None, (word, *limits)))


def _add_latencies(entry: Entry, path: Path, expected: int) -> None:
    """Latencies that are not those of the result say nothing about it, and are left out with a warning.

    LoadGen's clock starts and stops a little inside of ours, so the percentiles are near each other, not equal.
    """
    try:
        if not path.is_file():
            return
        if path.stat().st_size > 8 * _MOST_LATENCIES:
            entry.warnings.append(f"no interval, {path.name} has more than {_MOST_LATENCIES} latencies")
            return
        sample = Sample(latencies.read(path))
    except (OSError, ValueError) as error:
        entry.warnings.append(f"no interval, {path.name} cannot be used: {error}")
        return
    assert entry.value is not None
    found = sample.percentile(PERCENTILE)
    if len(sample) != expected:
        entry.warnings.append(f"no interval, {path.name} has {len(sample)} latencies, the result says {expected}")
    elif abs(found - entry.value) > max(_NEAR_SHARE * entry.value, _NEAR_NS):
        told = f"is {found / 1e6:.6g} ms, the result says {entry.text}"
        entry.warnings.append(f"no interval, the 90th percentile of {path.name} {told}")
    else:
        entry.sample = sample


def _facts(result: Result) -> dict[str, Any]:
    load = {key: value for key, value in result.load.items() if key not in ("seeds", "expected_latency_ns")}
    system = {key: (result.system or {}).get(key) for key in ("batch", "sessions")}
    return {
        "model": result.model.name, "model.format": result.model.format, "model.sha256": result.model.sha256,
        "dataset": result.dataset, "performance_dataset": result.performance_dataset, "suite": result.suite,
        "backend": result.backend, "runtime": result.runtime, "accelerator": result.accelerator,
        "rules": result.rule_set,
        **{f"load.{key}": value for key, value in load.items()},
        **{f"seed.{key}": value for key, value in result.seeds.items()},
        **{f"system.{key}": value for key, value in system.items()},
        **{f"version.{key}": value for key, value in result.versions.items()},
        **{f"environment.{key}": value for key, value in result.environment.items()},
    }  # fmt: skip
