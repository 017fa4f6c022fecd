"""A timed run's score: the number by which runs are compared, its unit, and its direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NANOSECONDS = "ns"
"""The unit of latencies; displayed as milliseconds."""
SAMPLES_PER_SECOND = "samples/s"
TOKENS_PER_SECOND = "tokens/s"
DECODE_RATE = "decode rate"
_LONGEST_NAME, _LONGEST_UNIT = 80, 24
_LEAST, _MOST = 1e-100, 1e100


@dataclass(frozen=True, slots=True)
class PerformanceScore:
    """The number by which runs of a scenario are compared and ranked.

    Raises:
        ValueError: The value is negative or not finite, the name or unit is empty or too long, or the percentile is
            not between 0 and 1.
    """

    name: str
    """What the number is: ``"90th percentile latency"``, ``"throughput"``."""
    value: float
    """The number, in ``unit``: finite and not negative."""
    unit: str
    """``"ns"``, ``"samples/s"``, ``"queries/s"``, or a unit of the scenario."""
    higher_is_better: bool
    """Whether a larger value is a better one."""
    percentile: float | None = None
    """The percentile of the run's latencies, between 0 and 1; None if the score is not one."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"the score {self.value} is not zero or more")
        for what, text, longest in (("name", self.name, _LONGEST_NAME), ("unit", self.unit, _LONGEST_UNIT)):
            if not 0 < len(text) <= longest:
                raise ValueError(f"the score's {what} has {len(text)} characters, not 1 to {longest}")
        if self.percentile is not None and not 0 < self.percentile < 1:
            raise ValueError(f"the score's percentile {self.percentile} is not between 0 and 1")

    @property
    def kind(self) -> tuple[str, str, bool, float | None]:
        """Everything but the value; only scores of one kind can be compared."""
        return self.name, self.unit, self.higher_is_better, self.percentile

    @property
    def cost(self) -> float:
        """Lower is better: the value, or its inverse if higher is better.

        Raises:
            ValueError: The value is zero.
        """
        if not self.value:
            raise ValueError(f"the {self.name} is zero")
        return 1 / self.value if self.higher_is_better else self.value

    def speed_against(self, other: PerformanceScore) -> float:
        """How many times as fast as ``other``: over 1 is better.

        Raises:
            ValueError: The scores are of different kinds, or one of them is zero.
        """
        if self.kind != other.kind:
            raise ValueError(f"a {self.name} cannot be compared with a {other.name}")
        faster, slower = (self, other) if self.higher_is_better else (other, self)
        if not (self.value and other.value):
            raise ValueError(f"the {self.name} is zero")
        return faster.value / slower.value

    @property
    def text(self) -> str:
        """The value with its unit; nanoseconds as milliseconds."""
        return shown(self.value, self.unit)


def shown(value: float, unit: str, digits: int = 6) -> str:
    """A number with its unit, for display: nanoseconds as milliseconds."""
    scale, name = displayed(unit)
    return f"{value * scale:.{digits}g} {name}"


def displayed(unit: str) -> tuple[float, str]:
    """The factor and the name of the unit in which a score is displayed: ``(1e-6, "ms")`` for ``"ns"``."""
    return (1e-6, "ms") if unit == NANOSECONDS else (1.0, unit)


def is_possible(value: float) -> bool:
    """Whether a number can be a score: finite and above zero, and far enough from both for every ratio to be finite."""
    return _LEAST <= value <= _MOST


def latency(percentile: float, value_ns: float) -> PerformanceScore:
    """A percentile of the latencies, as LoadGen's single-stream and multi-stream report it."""
    return PerformanceScore(
        f"{ordinal(percentile * 100)} percentile latency", float(value_ns), NANOSECONDS, False, percentile
    )


def throughput(samples_per_s: float) -> PerformanceScore:
    """Samples per second, as LoadGen's offline reports it."""
    return PerformanceScore("throughput", float(samples_per_s), SAMPLES_PER_SECOND, higher_is_better=True)


def decoding(tokens: Mapping[str, Any] | None) -> PerformanceScore | None:
    """Tokens per second after the first one, 1 / mean TPOT, as the reference app shows it for language models.

    Args:
        tokens: The values of :class:`mlperf_mobile.results.tokens.TokenFacts`, if the run has any.

    Returns:
        None without an answer of at least two tokens.
    """
    rate = (tokens.get("decode_per_s") if tokens else None) or 0.0
    return PerformanceScore(DECODE_RATE, rate, TOKENS_PER_SECOND, higher_is_better=True) if rate > 0 else None


def earlier(p90_ns: float | None, samples_per_s: float) -> PerformanceScore | None:
    """The score of a result that was stored without one: the 90th percentile, else the throughput.

    Returns:
        None if that is not a finite number above zero.
    """
    value = samples_per_s if p90_ns is None else p90_ns
    if not is_possible(value):
        return None
    return throughput(value) if p90_ns is None else latency(0.9, value)


def ordinal(number: float) -> str:
    """``90th``, ``99.9th``, ``1st``."""
    text = f"{number:.10g}"
    last = "" if text.endswith(("11", "12", "13")) and "." not in text else text[-1]
    return text + {"1": "st", "2": "nd", "3": "rd"}.get(last, "th")
