"""A rule of a verdict."""

from __future__ import annotations

from typing import Final, Literal

from mlperf_mobile.results.parts import Flag, Part, Scalar

CORE_RULES: Final = frozenset(
    {
        "completed", "early-stopping", "latency-bound", "max-duration", "min-duration", "min-query-count",
        "quality-target", "real-hardware", "token-count", "token-limit", "stop-ids", "context", "uninterrupted",
        "counts-of-the-round", "data-of-the-round", "duration-of-the-round", "early-stopping-of-the-round",
        "known-target", "model-of-the-round", "one-session", "percentile", "real-device", "scenario-of-the-round",
        "seeds-of-the-round",
        "strict-placement",
    }
)  # fmt: skip
"""The names of the rules that the core adds to a verdict; an observer cannot use them."""


class RuleResult(Part):
    """A rule with its observed and required value.

    A rule that is not met makes the result invalid, or in the scope ``submission`` a result that cannot be submitted.
    """

    name: str
    ok: Flag
    observed: Scalar
    required: Scalar
    note: str = ""
    scope: Literal["result", "submission"] = "result"
