"""The options of the task and of its data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Of ``semantic_segmentation``."""

    background: bool = Field(
        default=True,
        description="the model's label 0 is everything that is none of the classes; false: its label 0 is class 1",
    )
    classes: int | None = Field(
        default=None, ge=1, le=254, description="classes that count, from 1; by default those of the data set"
    )

    quantised_input: Literal["tensor", "official"] = Field(
        default="tensor",
        description="what uint8 and int8 images are: tensor: what scale and zero point of the model's input ask for; "
        "official: x and x - 128 whatever they are, as in MLPerf Mobile's app",
    )


class ADE20KOptions(_Options):
    """Of ``ade20k``."""

    images: Path | None = Field(
        default=None,
        description="folder of the images; by default images/validation or images in the folder of the data, or itself",
    )
    annotations: Path | None = Field(
        default=None,
        description="folder of the annotations; by default annotations/validation or annotations in the folder of the "
        "data, if one is there",
    )
    size: int | None = Field(
        default=None,
        ge=0,
        le=4096,
        description="height and width of the model, that images and annotations are prepared for; 0: taken as "
        "they are; by default the images' own if all are squares of one size, else 512 as in MLPerf Mobile",
    )

    @field_validator("size")
    @classmethod
    def _large_enough(cls, size: int | None) -> int | None:
        if size is not None and 0 < size < 8:
            raise ValueError("size is 8 at least, or 0")
        return size

    @field_validator("images", "annotations")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        """A plan means the same folder wherever it is run from."""
        return folder.expanduser().absolute() if folder else None
