"""The options of the task and of its data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Range = Literal["0..255", "0..1", "-1..1"]
"""What black and white are in a model's real values."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Of ``super_resolution``."""

    input_range: Range = Field(default="0..255", description="black and white in the real values of the model's input")
    output_range: Range = Field(
        default="0..255", description="black and white in the real values of the model's output"
    )


class PairsOptions(_Options):
    """Of ``snu_sr``."""

    high: Path | None = Field(
        default=None,
        description="folder of the high-resolution images; by default hr in the folder of the data, if one is there",
    )
    width: int = Field(default=960, ge=1, le=16384, description="of the low-resolution images, where they are .rgb8")
    height: int = Field(default=540, ge=1, le=16384, description="of the low-resolution images, where they are .rgb8")

    @field_validator("high")
    @classmethod
    def _absolute(cls, high: Path | None) -> Path | None:
        """A plan means the same folder wherever it is run from."""
        return high.expanduser().absolute() if high else None
