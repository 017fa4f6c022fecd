"""The backend's own options."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LiteRtLmOptions(BaseModel):
    """How the engine runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(1, ge=1, le=1024, description="Threads per session.")
    shards: int = Field(
        1, ge=1, le=64, description="Parallel sessions for throughput; each loads the whole model into memory."
    )
    context: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Tokens of prompt and answer together, for models that leave it open; 0: the most they have.",
    )
