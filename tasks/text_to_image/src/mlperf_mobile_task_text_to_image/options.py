"""The options of the data sets."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.option_types import UserPath


class CaptionOptions(BaseModel):
    """Options of ``captions`` and ``coco_gen``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip_model: UserPath | None = Field(
        default=None, description="the CLIP model, a .tflite file, that scores pictures of these captions"
    )
    clip_threads: int = Field(default=1, ge=1, le=1024, description="threads of the CLIP model, after the run")
