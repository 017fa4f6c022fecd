"""The score of an accuracy run beside its quality target."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from mlperf_mobile.results.measured import MetricScore
from mlperf_mobile.results.parts import Flag, Integer, Logged, Number, Part
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terms import QualitySettings


class Accuracy(Part):
    """The accuracy run's score and the quality target; ``passed`` is None without a target."""

    metric: str
    value: Number
    reference: Number | None
    target: Number | None
    passed: Flag | None
    samples: Integer
    duration_s: Number
    details: dict[str, Number] = Field(default_factory=dict)
    source: str = ""
    """The source of the reference."""
    unverified: str = ""
    """Why the target has no reliable source, and therefore ``passed`` is None."""
    logged: Logged = "responses"


def quality_rule(accuracy: Accuracy, quality: QualitySettings | None) -> RuleResult | None:
    """The rule of the quality target, which a score of another metric does not meet; None if nothing is required."""
    if quality and quality.metric != accuracy.metric:
        note = "the metric, and the metric that the quality target is for"
        return RuleResult(name="quality-target", ok=False, observed=accuracy.metric, required=quality.metric, note=note)
    if accuracy.passed is None:
        return None
    return RuleResult(name="quality-target", ok=accuracy.passed, observed=accuracy.value, required=accuracy.target)


def judged(scored: MetricScore, quality: QualitySettings | None, unverified: Mapping[str, str]) -> Accuracy:
    """Compare a score with the quality target, which counts only for the same metric and with a reliable source.

    Args:
        scored: The metric's score.
        quality: The target.
        unverified: Settings without a reliable source, and why.
    """
    if quality and quality.metric != scored.metric:
        quality = None
    doubt = next((why for key, why in unverified.items() if key == "quality"), "") if quality else ""
    return Accuracy(
        metric=scored.metric,
        value=scored.value,
        reference=quality.reference if quality else None,
        target=quality.target if quality else None,
        passed=scored.value >= quality.target if quality and not doubt else None,
        samples=scored.samples,
        duration_s=scored.duration_s,
        details=scored.details,
        source=quality.source if quality else "",
        unverified=doubt,
        logged=scored.logged,
    )
