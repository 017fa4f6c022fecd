"""The options of the backend ``genie``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.option_types import NameOrPath


class GenieOptions(BaseModel):
    """How language models run on Genie; everything about the model itself is in its configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    library: NameOrPath | None = Field(
        None, min_length=1, description="libGenie.so: a path, or a name that the dynamic loader finds."
    )
    shards: int = Field(
        1, ge=1, le=16, description="Parallel sessions for throughput; each loads the whole model into memory."
    )
