"""The options of the task and of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Part = Literal["boxes", "classes", "scores", "count"]
"""What an output of a model holds."""
Scale = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Stride = Annotated[int, Field(ge=1, le=4096)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Of ``object_detection``; all but the first four concern models whose outputs are not post-processed."""

    label_offset: int = Field(
        default=1, ge=0, le=100, description="what a model's class 0, background left out, is called in the data set"
    )
    num_classes: int = Field(
        default=91, ge=1, le=100_000, description="classes of the data set are from 0 to one less than this"
    )
    quantised_input: Literal["tensor", "official"] = Field(
        default="tensor",
        description="what uint8 and int8 images are: tensor: what scale and zero point of the model's input ask for; "
        "official: x and x - 128 whatever they are, as in MLPerf Mobile's app",
    )
    output_order: tuple[Part, ...] | None = Field(
        default=None,
        description="the model's outputs, in order, if they cannot be identified: "
        "[boxes, classes, scores, count] or [boxes, scores]",
    )
    score_activation: Literal["sigmoid", "softmax", "none"] = Field(
        default="sigmoid", description="what turns the model's scores into probabilities"
    )
    background: bool = Field(default=True, description="the first of the model's classes is the background")
    score_threshold: float = Field(default=0.3, ge=0, le=1, description="detections with lower scores are left out")
    max_detections: int = Field(default=10, ge=1, le=1000, description="of one image")
    iou_threshold: float = Field(
        default=0.6, gt=0, le=1, description="of two boxes that overlap by more, the one with the lower score goes"
    )
    nms: Literal["regular", "fast"] = Field(
        default="regular",
        description="non-maximum suppression: within each class, or, fast, among the best classes of all boxes",
    )
    box_scales: tuple[Scale, Scale, Scale, Scale] = Field(
        default=(10, 10, 5, 5), description="the box coder's scales of y, x, height and width"
    )
    anchor_strides: tuple[Stride, ...] = Field(
        default=(16, 32, 64, 128, 256, 512),
        min_length=1,
        max_length=16,
        description="pixels of the input image between neighbouring places of each feature map, finest first",
    )
    anchor_min_scale: Scale = Field(default=0.2, description="anchor size in the finest map, as a share of the image")
    anchor_max_scale: Scale = Field(default=0.95, description="anchor size in the coarsest map")
    anchor_aspect_ratios: tuple[Scale, ...] = Field(
        default=(1.0, 2.0, 0.5, 3.0, 0.3333), min_length=1, max_length=16, description="width by height of anchors"
    )
    anchor_interpolated_ratio: float = Field(
        default=1.0, ge=0, le=100, description="of the anchor between two maps' scales; 0 for none"
    )
    anchor_reduced_lowest: bool = Field(default=True, description="the finest map has three anchors a place")

    @model_validator(mode="after")
    def _scales_grow(self) -> Self:
        if self.anchor_max_scale < self.anchor_min_scale:
            raise ValueError("anchor_max_scale is less than anchor_min_scale")
        return self

    @field_validator("output_order")
    @classmethod
    def _complete(cls, order: tuple[Part, ...] | None) -> tuple[Part, ...] | None:
        if order is not None and sorted(order) not in (["boxes", "classes", "count", "scores"], ["boxes", "scores"]):
            raise ValueError("name each of boxes, classes, scores, count once, or each of boxes, scores")
        return order


class CocoOptions(_Options):
    """Of ``coco``."""

    annotations: Path | None = Field(
        default=None,
        description="file with the objects of each image: COCO's instances JSON, or the MLPerf Mobile app's text "
        "protobuf (.pbtxt); by default one of their usual names in the folder, beside it, or in annotations there",
    )

    @field_validator("annotations")
    @classmethod
    def _absolute(cls, annotations: Path | None) -> Path | None:
        """A plan means the same file wherever it is run from."""
        return annotations.expanduser().absolute() if annotations else None
