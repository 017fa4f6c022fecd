"""One result to compare: an own or a published one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import COUNTED, INFERENCE_AND_DECODING
from mlperf_mobile.performance_score import NANOSECONDS, PerformanceScore, is_possible, ordinal
from mlperf_mobile.results import latencies
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile.statistics import Interval, Sample
from mlperf_mobile_report.compare.ratio import RATIO_CONFIDENCE
from mlperf_mobile_rounds.reference.table import PublishedResult, benchmark_of, benchmarks

_MOST_LATENCIES = 20_000_000
OPTION = "option."
"""Facts whose absence means the default."""
_NEAR_SHARE, _NEAR_NS = 0.01, 10_000
_SYSTEM = ("batch", "sessions", "inputs", "outputs", "samples_in_data_set", "performance_sample_count", "context",
           "generation")  # fmt: skip


@dataclass(slots=True)
class ComparedResult:
    """A result with a label; several results of one argument share it."""

    label: str
    source: str
    """The folder, or ``official:…``."""
    benchmark: str
    scenario: str
    model: str
    runs_on: str
    """Backend and accelerator; for a published result, processor and accelerator."""
    score: PerformanceScore | None
    """None if the run has no score."""
    refused: str
    """Why the result makes no claim about speed; empty if it makes one."""
    state: str
    metric: str
    accuracy: float | None
    facts: dict[str, Any]
    """Facts of which a difference gives a warning; empty for a published result."""
    published: PublishedResult | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """Options and settings of the run that are not their defaults."""
    options_text: str = ""
    """The options except those of task and data set."""
    swept: str = ""
    """Its values in a sweep: ``threads=2, model=a``."""
    tokens: TokenFacts | None = None
    """Of a run of a language model."""
    task: str = ""
    """The task of an own result."""
    suite: str = ""
    """The suite of an own result; empty outside of suites."""
    result: Result | None = None
    """The whole result, for reports."""
    latencies: Path | None = None
    """The matching file of latencies; None without one."""
    interval: Interval | None = None
    """Of the percentile, in nanoseconds."""
    ratio_bounds: Interval | None = None
    """The same, with the confidence that each side of a ratio needs."""
    warnings: list[str] = field(default_factory=list)
    doubt: str = ""
    """Why the result does not match its folder; such a result is not ranked."""

    @property
    def published_as(self) -> str:
        """The benchmark whose published results it can be compared with; empty without one."""
        if self.published:
            return self.benchmark
        known = benchmark_of(self.model, self.scenario)
        return known.name if known else ""

    @property
    def value(self) -> float | None:
        """The score's value, in its unit; None without a score."""
        return self.score.value if self.score else None

    @property
    def unit(self) -> str | None:
        """The score's unit."""
        return self.score.unit if self.score else None

    @property
    def percentile(self) -> float | None:
        """The percentile, if the score is a percentile of latencies in nanoseconds; else None."""
        return self.score.percentile if self.score and self.score.unit == NANOSECONDS else None

    @property
    def cost(self) -> float:
        """The score as a cost: lower is better.

        Raises:
            ValueError: It has no score.
        """
        if self.score is None:
            raise ValueError(f"{self.label} has no score")
        return self.score.cost

    def time_ratio(self, base: ComparedResult) -> float | None:
        """Time per sample divided by the other's; None unless both make a claim, with scores of the same kind."""
        mine, theirs = self.score, base.score
        if self.refused or base.refused or mine is None or theirs is None or mine.kind != theirs.kind:
            return None
        return theirs.speed_against(mine)

    @property
    def configuration(self) -> str:
        """Where and how it ran: ``tflite/cpu (backend.threads=2)``."""
        return f"{self.runs_on} ({self.options_text})" if self.options_text else self.runs_on

    @property
    def text(self) -> str:
        """The number in the users' unit."""
        if self.published:
            return self.published.text
        return self.score.text if self.score else "-"


def of_official(row: PublishedResult, label: str) -> ComparedResult:
    """A published result."""
    known = next(b for b in benchmarks() if (b.name, b.scenario) == (row.benchmark, row.scenario))
    return ComparedResult(
        label=label, source=f"official:{row.name}", benchmark=row.benchmark, scenario=row.scenario, model=known.model,
        runs_on=f"{row.soc}{f', {row.runs_on}' if row.runs_on else ''}", score=row.score, refused="",
        state=f"official, {row.division}", metric=known.metric, accuracy=row.accuracy_value, facts={}, published=row,
    )  # fmt: skip


def of_result(
    result: Result, folder: Path, label: str, *, whole: bool = False, intervals: bool = True
) -> ComparedResult:
    """An own result, with intervals if its folder has matching latencies.

    Args:
        result: The result.
        folder: Its folder.
        label: Its label.
        whole: Keep the result itself, and not only the facts for comparing and ranking.
        intervals: Read the latencies.
    """
    score = result.performance.score if result.performance else None
    accuracy = result.accuracy
    entry = ComparedResult(
        label=label, source=str(folder), benchmark=result.benchmark, scenario=result.scenario,
        model=result.model.name, runs_on=f"{result.backend}/{result.accelerator}", score=score,
        refused=_refusal(result, score), state=_state(result), metric=accuracy.metric if accuracy else "",
        accuracy=accuracy.value if accuracy and math.isfinite(accuracy.value) else None,
        facts=_facts(result), options=result.options, options_text=result.options_text("task.", "dataset."),
        warnings=list(result.warnings), result=result if whole else None,
        swept=result.swept_text, tokens=result.performance.tokens if result.performance else None,
        task=result.task, suite=result.suite or "",
    )  # fmt: skip
    if intervals and entry.percentile is not None and result.performance:
        performance = result.performance
        _add_latencies(
            entry, folder / latencies.FILE, performance.samples, counted=performance.latency_source == COUNTED
        )
    return entry


def _refusal(result: Result, score: PerformanceScore | None) -> str:
    if result.functional_only:
        return f"functional only: {result.functional_only}"
    if not result.valid:
        return result.verdict
    if result.performance is None:
        return "no performance run"
    if score is None:
        return "it has no score"
    if not score.value:
        return f"its {score.name} is zero"
    if not is_possible(score.value):
        return f"its {score.name} is {score.value:g} {score.unit}, which no run can have"
    return ""


def _state(result: Result) -> str:
    word = "FUNCTIONAL ONLY" if result.functional_only else result.verdict.split()[0].rstrip(",")
    limits = ("not submittable" if result.valid and result.submittable is False else "",
              f"{result.rule_set} rules" if result.rule_set != "normal" else "")  # fmt: skip
    return ", ".join(filter(None, (word, *limits)))


def _add_latencies(entry: ComparedResult, path: Path, expected: int, *, counted: bool) -> None:
    """Latencies that do not match the result are left out with a warning.

    Latencies logged by LoadGen give its percentile exactly. Earlier results have latencies that were taken around each
    call, a little longer than LoadGen's, and only need to be near it.
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
    assert entry.percentile is not None
    found = sample.percentile(entry.percentile)
    if len(sample) != expected:
        entry.warnings.append(f"no interval, {path.name} has {len(sample)} latencies, the result says {expected}")
    elif abs(found - entry.value) > (0 if counted else max(_NEAR_SHARE * entry.value, _NEAR_NS)):
        difference = f"is {found / 1e6:.6g} ms, the result says {entry.text}"
        name = ordinal(entry.percentile * 100)
        entry.warnings.append(f"no interval, the {name} percentile of {path.name} {difference}")
    else:
        entry.latencies = path
        entry.interval = sample.interval(entry.percentile)
        entry.ratio_bounds = sample.interval(entry.percentile, RATIO_CONFIDENCE)


def _facts(result: Result) -> dict[str, Any]:
    load = result.load.model_dump(exclude={"seeds", "expected_latency_ns"})
    system = {key: getattr(result.system, key, None) for key in _SYSTEM}
    return {
        "model": result.model.name, "model.format": result.model.format, "model.sha256": result.model.sha256,
        "dataset": result.dataset, "performance_dataset": result.performance_dataset, "suite": result.suite,
        "backend": result.backend, "runtime": result.runtime, "accelerator": result.accelerator,
        "rules": result.rule_set,
        **{f"{OPTION}{key}": value for key, value in result.options.items()},
        "timed_region": (result.performance.timed_region or INFERENCE_AND_DECODING) if result.performance else None,
        "quality.target": result.accuracy.target if result.accuracy else None,
        "session.mode": result.session.mode if result.session else None,
        "session.cooldown_s": result.session.cooldown_s if result.session else None,
        **{f"placement.{name}": dict(each.operations) for name, each in result.placements.items()},
        **{f"load.{key}": value for key, value in load.items()},
        **{f"seed.{key}": value for key, value in result.load.seeds.items()},
        **{f"system.{key}": value for key, value in system.items()},
        **{f"version.{key}": value for key, value in result.versions.items()},
        **{f"environment.{key}": value for key, value in result.environment.items()},
    }  # fmt: skip
