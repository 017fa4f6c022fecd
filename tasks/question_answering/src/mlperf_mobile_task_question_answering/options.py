"""The options of the task and of its data sets."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlperf_mobile.option_types import UserPath


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskOptions(_Options):
    """Options of ``question_answering``."""

    input_order: Literal[
        "auto",
        "ids,mask,segments",
        "ids,segments,mask",
        "mask,ids,segments",
        "mask,segments,ids",
        "segments,ids,mask",
        "segments,mask,ids",
    ] = Field(
        default="auto",
        description="the model's inputs in order; auto: by their names, otherwise ids,mask,segments",
    )
    output_order: Literal["auto", "end,start", "start,end"] = Field(
        default="auto", description="the model's outputs in order; auto: by their names, otherwise end,start"
    )
    f1: Literal["squad", "app"] = Field(
        default="squad",
        description="squad: by SQuAD's evaluation; app: by MLPerf Mobile's app, which counts articles as words",
    )
    vocabulary_size: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="size of the model's vocabulary: token ids from this number on are an error; 0: not checked",
    )


class WindowOptions(_Options):
    """How passages are cut into windows."""

    max_seq_length: int = Field(
        default=384, ge=8, le=4096, description="tokens per window, padding included; the model's input length"
    )
    doc_stride: int = Field(default=128, ge=1, le=4096, description="tokens from the start of a window to the next one")
    max_query_length: int = Field(default=64, ge=0, le=4096, description="tokens per question; the rest is cut off")

    @model_validator(mode="after")
    def _leaves_a_passage(self) -> Self:
        """[CLS] question [SEP] passage [SEP] must leave at least one token of the passage."""
        if self.max_query_length > self.max_seq_length - 4:
            raise ValueError(
                f"max_query_length {self.max_query_length} leaves no room for a passage in {self.max_seq_length} tokens"
            )
        return self


class SquadOptions(WindowOptions):
    """Options of ``squad``."""

    annotations: UserPath | None = Field(
        default=None, description="JSON file in the format of SQuAD v1.1; by default dev-v1.1.json in the folder"
    )
    vocabulary: UserPath | None = Field(
        default=None,
        description="the model's vocabulary, one token per line; by default vocab.txt beside the annotations",
    )


class RecordOptions(_Options):
    """Options of ``squad_tfrecord``."""

    samples: UserPath | None = Field(
        default=None, description="TFRecord file of the windows; by default the only *eval*.tfrecord in the folder"
    )
    answers: UserPath | None = Field(
        default=None, description="TFRecord file of the answers; by default the only *groundtruth*.tfrecord beside it"
    )
