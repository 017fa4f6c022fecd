"""The options of the tasks and of their data sets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.option_types import UserPath
from mlperf_mobile_task_language_model.chat import Chat

PROMPT_TOKENS = 2048
"""The reference app's limit of a prompt (``input_token_limit_`` in flutter/cpp/datasets/mmlu_gen.h and ifeval.h)."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _LanguageModelOptions(_Options):
    tokenizer: UserPath | None = Field(
        default=None, description="the model's tokenizer: a SentencePiece model, or a tokenizer.json"
    )
    vocabulary_size: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="the model's tokens; a tokenizer with larger ids is an error; 0: not checked",
    )
    max_prompt_tokens: int = Field(
        default=PROMPT_TOKENS, ge=1, le=1_000_000, description="the most tokens of a prompt; officially 2048"
    )
    stop: str = Field(
        default="auto",
        description="tokens that end an answer, by name or id: <|eot_id|>,128001; or none; auto: the tokenizer's own",
    )
    stop_in_text: bool = Field(
        default=False,
        description="score an answer with the text of the token that ended it, as the reference app does",
    )


class MultipleChoiceOptions(_LanguageModelOptions):
    """Options of ``multiple_choice``; the defaults are the reference app's (flutter/cpp/datasets/mmlu_gen.cc)."""

    chat: Chat = Field(default="none", description="chat template around the prompt; officially none")
    zero_shot: bool = Field(default=False, description="leave the solved examples out")
    accuracy_tokens: int = Field(default=4, ge=1, le=100_000, description="the most tokens of an answer to be scored")
    performance_tokens: int = Field(
        default=128, ge=1, le=100_000, description="the most tokens of an answer to be timed"
    )


class InstructionOptions(_LanguageModelOptions):
    """Options of ``instruction_following``; the defaults are the reference app's (flutter/cpp/datasets/ifeval.cc)."""

    chat: Chat = Field(default="app", description="chat template around the prompt")
    accuracy_tokens: int = Field(
        default=1024, ge=1, le=100_000, description="the most tokens of an answer to be scored"
    )
    performance_tokens: int = Field(
        default=1024, ge=1, le=100_000, description="the most tokens of an answer to be timed"
    )
    language_detector: Literal["auto", "cld2", "langdetect"] = Field(
        default="auto", description="what detects an answer's language; auto: cld2, the reference app's, if installed"
    )


class FileOptions(_Options):
    """Options of the data sets that are one file."""

    file: UserPath | None = Field(default=None, description="the file; by default the only one in the folder that fits")


class ChoiceOptions(FileOptions):
    """Options of ``multiple_choice_lines``."""

    preface: str = Field(
        default="The following are multiple choice questions (with answers).",
        max_length=10_000,
        description="the first block of a prompt that is composed of a question and its choices",
    )
