"""The score of an accuracy run beside its quality target."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from mlperf_mobile.results.measured import MetricScore
from mlperf_mobile.results.parts import Flag, Integer, Number, Part
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
    )
