"""The options of the task and of its data set."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlperf_mobile.option_types import UserPath

Part = Literal["boxes", "classes", "scores", "count"]
"""The content of a model's output."""
Scale = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Stride = Annotated[int, Field(ge=1, le=4096)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Of ``object_detection``; all but the first four concern models whose outputs are not post-processed."""

    label_offset: int = Field(
        default=1,
        ge=0,
        le=100,
        description="the data set's number for the model's first class, not counting the background",
    )
    num_classes: int = Field(default=91, ge=1, le=100_000, description="number of classes in the data set, from 0")
    quantised_input: Literal["tensor", "official"] = Field(
        default="tensor",
        description="how uint8 and int8 inputs are filled; tensor: by the input's scale and zero point; "
        "official: x and x - 128 regardless of them, as in MLPerf Mobile's app",
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
    score_threshold: float = Field(default=0.3, ge=0, le=1, description="detections with lower scores are dropped")
    max_detections: int = Field(default=10, ge=1, le=1000, description="at most, per image")
    iou_threshold: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="of two boxes that overlap by more, the one with the lower score is dropped",
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
    anchor_min_scale: Scale = Field(
        default=0.2, description="anchor size in the finest map, as a fraction of the image"
    )
    anchor_max_scale: Scale = Field(default=0.95, description="anchor size in the coarsest map")
    anchor_aspect_ratios: tuple[Scale, ...] = Field(
        default=(1.0, 2.0, 0.5, 3.0, 0.3333),
        min_length=1,
        max_length=16,
        description="width divided by height of the anchors",
    )
    anchor_interpolated_ratio: float = Field(
        default=1.0, ge=0, le=100, description="aspect ratio of the extra anchor between two maps' scales; 0: none"
    )
    anchor_reduced_lowest: bool = Field(default=True, description="the finest map has three anchors per place")

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
    """Options of ``coco``."""

    annotations: UserPath | None = Field(
        default=None,
        description="file with the objects of each image: COCO's instances JSON, or the MLPerf Mobile app's text "
        "protobuf (.pbtxt); by default a file with a usual name in the folder, beside it, or in annotations there",
    )
