"""One named rule of a result."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class RuleResult(BaseModel):
    """What was seen and what is required.

    A rule that is not met makes the result invalid, or in the scope ``submission`` a result that cannot be submitted.
    """

    model_config = ConfigDict(extra="forbid")
    name: str
    ok: bool
    observed: float | int | str | bool | None
    required: float | int | str | bool | None
    note: str = ""
    scope: Literal["result", "submission"] = "result"
