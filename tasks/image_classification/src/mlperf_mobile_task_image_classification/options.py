"""The options of the task and of its data sets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.option_types import UserPath


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Options of ``image_classification``."""

    label_offset: int = Field(
        default=0, ge=0, le=100, description="outputs before the first class: 1 for models with a background class"
    )
    quantised_input: Literal["tensor", "official"] = Field(
        default="tensor",
        description="how uint8 and int8 inputs are filled; tensor: by the input's scale and zero point; "
        "official: x and x - 128 regardless of them, as in MLPerf Mobile's app",
    )


class ImageNetOptions(_Options):
    """Options of ``imagenet``."""

    labels: UserPath | None = Field(
        default=None,
        description="file with one class number per line, for the images in name order, or with "
        "'NAME CLASS' lines; by default labels.txt or val.txt in the folder, if it exists",
    )
    classes: int = Field(default=1000, ge=2, le=1_000_000, description="number of classes: labels are 0 to one less")
