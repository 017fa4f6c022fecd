"""The options of the task and of its data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Of ``image_classification``."""

    label_offset: int = Field(
        default=0, ge=0, le=100, description="outputs before the first class: 1 for models with a background class"
    )
    quantised_input: Literal["tensor", "official"] = Field(
        default="tensor",
        description="what uint8 and int8 images are: tensor: what scale and zero point of the model's input ask for; "
        "official: x and x - 128 whatever they are, as in MLPerf Mobile's app",
    )


class ImageNetOptions(_Options):
    """Of ``imagenet``."""

    labels: Path | None = Field(
        default=None,
        description="file with one class number a line, for the images in order of their names, or with "
        "'NAME CLASS' lines; by default labels.txt or val.txt in the folder, if one is there",
    )
    classes: int = Field(default=1000, ge=2, le=1_000_000, description="labels are from 0 to one less than this")

    @field_validator("labels")
    @classmethod
    def _absolute(cls, labels: Path | None) -> Path | None:
        """A plan means the same file wherever it is run from."""
        return labels.expanduser().absolute() if labels else None
