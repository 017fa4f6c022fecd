"""One named rule of a result."""

from __future__ import annotations

from typing import Literal

from mlperf_mobile.results.parts import Flag, Part, Scalar


class RuleResult(Part):
    """What was seen and what is required.

    A rule that is not met makes the result invalid, or in the scope ``submission`` a result that cannot be submitted.
    """

    name: str
    ok: Flag
    observed: Scalar
    required: Scalar
    note: str = ""
    scope: Literal["result", "submission"] = "result"
