"""The backend's options."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """How llama.cpp runs a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(1, ge=1, le=1024, description="Threads for prompts and for tokens.")
    context: int = Field(
        0, ge=0, le=1_000_000, description="Tokens of prompt and answer together; 0: those of the model's training."
    )
    batch: int = Field(512, ge=1, le=65_536, description="The most tokens of a prompt that are processed at once.")
