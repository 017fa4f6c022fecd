"""The options of the task and of its data sets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mlperf_mobile.option_types import UserPath


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Options of ``semantic_segmentation``."""

    background: bool = Field(
        default=True,
        description="true: the model's label 0 means none of the classes; false: its label 0 is class 1",
    )
    classes: int | None = Field(
        default=None, ge=1, le=254, description="number of classes that count, from 1; by default the data set's"
    )

    quantised_input: Literal["tensor", "official"] = Field(
        default="tensor",
        description="how uint8 and int8 inputs are filled; tensor: by the input's scale and zero point; "
        "official: x and x - 128 regardless of them, as in MLPerf Mobile's app",
    )


class ADE20KOptions(_Options):
    """Options of ``ade20k``."""

    images: UserPath | None = Field(
        default=None,
        description="folder of the images; by default images/validation or images in the data folder, or itself",
    )
    annotations: UserPath | None = Field(
        default=None,
        description="folder of the annotations; by default annotations/validation or annotations in the data folder, "
        "if it exists",
    )
    size: int | None = Field(
        default=None,
        ge=0,
        le=4096,
        description="height and width of the model's input, which images and annotations are prepared for; 0: used "
        "unchanged; by default the images' size if all are squares of one size, otherwise 512 as in MLPerf Mobile",
    )

    @field_validator("size")
    @classmethod
    def _large_enough(cls, size: int | None) -> int | None:
        if size is not None and 0 < size < 8:
            raise ValueError("size must be 0, or at least 8")
        return size
