"""The options of the task and of its data sets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.option_types import UserPath

Range = Literal["0..255", "0..1", "-1..1"]
"""Black and white in a model's real values."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Options of ``super_resolution``."""

    input_range: Range = Field(default="0..255", description="black and white in the real values of the model's input")
    output_range: Range = Field(
        default="0..255", description="black and white in the real values of the model's output"
    )


class PairsOptions(_Options):
    """Options of ``snu_sr``."""

    high: UserPath | None = Field(
        default=None,
        description="folder of the high-resolution images; by default hr in the data folder, if it exists",
    )
    width: int = Field(default=960, ge=1, le=16384, description="of low-resolution images that are .rgb8 files")
    height: int = Field(default=540, ge=1, le=16384, description="of low-resolution images that are .rgb8 files")
