"""A rule of a verdict."""

from __future__ import annotations

from typing import Literal

from mlperf_mobile.results.parts import Flag, Part, Scalar


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
