"""The options of the backend."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """What users set with ``--set NAME=VALUE``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intra_op_threads: int = Field(
        default=0, ge=0, le=1024, description="threads of one inference; 0: the cores, shared by all sessions"
    )
    optimization: Literal["disabled", "basic", "extended", "all"] = Field(
        default="all", description="how far ONNX Runtime rewrites the graph when it loads the model"
    )
