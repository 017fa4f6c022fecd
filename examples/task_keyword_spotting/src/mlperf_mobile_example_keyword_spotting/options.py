"""The options of the data set."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

KEYWORDS = ("aiu", "iau", "oua", "uio", "noise")


class Options(BaseModel):
    """What users set with ``--set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keywords: tuple[str, ...] = Field(
        default=KEYWORDS, min_length=2, description="the folders, in the order of the model's outputs"
    )
