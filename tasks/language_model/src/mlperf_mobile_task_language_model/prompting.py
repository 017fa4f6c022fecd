"""What both tasks share: prompts to token ids, answers to responses and back to text, and when an answer ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from mlperf_mobile.contracts import Generation, Mode, Tensors, TensorSpec, TokenIds
from mlperf_mobile.errors import DataError, ModelError, UsageError
from mlperf_mobile_task_language_model.chat import Template
from mlperf_mobile_task_language_model.options import InstructionOptions, MultipleChoiceOptions
from mlperf_mobile_task_language_model.tokenizer import Tokenizer, open_tokenizer

LLAMA_STOPS = ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")
"""The reference app's stop tokens by name; Llama 3's ids are 128001, 128008 and 128009
(mobile_back_tflite/cpp/backend_tflite/llm_pipeline.h)."""
OTHER_STOPS = ("<|im_end|>", "<|endoftext|>", "<end_of_turn>", "<eos>", "</s>")
"""Those of other models, used if a tokenizer has none of Llama's."""

Options = MultipleChoiceOptions | InstructionOptions
OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A sample: a prompt's text, before any template, and its source for messages."""

    text: str
    source: str


class Language:
    """The tokenizer of one run, and what the options say about it; the file is read when it is first needed.

    Raises:
        UsageError: The options name no tokenizer.
    """

    def __init__(self, options: Options) -> None:
        if options.tokenizer is None:
            hint = "give the model's tokenizer with --set tokenizer=FILE"
            raise UsageError("tokenizer-missing", "the task needs the model's tokenizer", hint)
        self._path, self._options = options.tokenizer, options

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer.

        Raises:
            DataError: It cannot be read, or has ids that the model does not have.
        """
        opened, most = open_tokenizer(self._path), self._options.vocabulary_size
        if most and opened.size > most:
            reason = f"{self._path} has token ids up to {opened.size - 1}, the model has {most} tokens"
            raise DataError("token-range", reason, "give the model's own tokenizer with --set tokenizer=FILE")
        return opened

    @cached_property
    def template(self) -> Template:
        """The chat template.

        Raises:
            DataError: The tokenizer lacks one of its tokens.
        """
        return Template(self._options.chat, self.tokenizer)

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer.

        Raises:
            DataError: The tokenizer lacks one of them.
        """
        return _stop_ids(self._options.stop, self.tokenizer)

    def text(self, response: bytes, index: int) -> str:
        """The answer in a response.

        Raises:
            DataError: The response is not a sequence of the tokenizer's tokens.
        """
        if len(response) % 4:
            reason = f"the response to sample {index} has {len(response)} bytes, not little-endian int32 token ids"
            raise DataError("response", reason, "the log belongs to another task")
        ids: list[int] = np.frombuffer(response, "<i4").tolist()
        size = self.tokenizer.size
        if wrong := [each for each in ids if not 0 <= each < size]:
            reason = f"the response to sample {index} has token {wrong[0]}, the tokenizer's ids end at {size - 1}"
            raise DataError("token-range", reason, "give the model's own tokenizer with --set tokenizer=FILE")
        if ids and ids[-1] in self.stop_ids and not self._options.stop_in_text:
            ids.pop()
        return self.tokenizer.decode(ids)


class PromptCodec:
    """A task bound to a model that generates tokens.

    Args:
        encode: The token ids of a sample.
        inputs: One int32 [1, context].
        outputs: One int32 [1, context].

    Raises:
        ModelError: The model has other tensors.
    """

    def __init__(
        self, encode: Callable[[object], list[int]], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        for role, specs in (("input", inputs), ("output", outputs)):
            if len(specs) != 1 or specs[0].dtype != np.int32 or len(specs[0].shape) != 2 or specs[0].shape[0] != 1:
                shown = ", ".join(f"{spec.name} {spec}" for spec in specs) or "nothing"
                reason = f"the model's {role} is {shown}, not one int32 [1,context] of token ids"
                raise ModelError(
                    f"model-{role}", reason, "give a model with prefill and decode signatures, with --model"
                )
        self._encode = encode

    def encode(self, sample: object) -> Tensors:
        """The prompt's token ids, int32 [n].

        Raises:
            DataError: It is not a prompt, or is empty or too long.
        """
        return (np.asarray(self._encode(sample), np.int32),)

    def decode(self, outputs: Tensors) -> bytes:
        """The answer's ids as little-endian int32 numbers."""
        return outputs[0].astype("<i4", copy=False).tobytes()


class PromptTask(ABC, Generic[OptionsT]):
    """A task of prompts, as token ids or as text; what differs is how long they may be, and how answers are scored.

    Args:
        options: The task's.
    """

    def __init__(self, options: OptionsT) -> None:
        self._options, self._language = options, Language(options)

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> PromptCodec:
        """Check that the model generates tokens, and that the tokenizer has those of the template and of ``stop``."""
        _ = self._language.template, self._language.stop_ids
        return PromptCodec(lambda sample: self._prompt(sample)[1], inputs, outputs)

    def generation(self, mode: Mode) -> Generation:
        """The options' limit of an answer in a mode, and the stop ids."""
        options = self._options
        limit = options.accuracy_tokens if mode is Mode.ACCURACY else options.performance_tokens
        return Generation(limit, self._language.stop_ids)

    def prompt_text(self, sample: object) -> str:
        """The prompt in its chat template, with the names of special tokens.

        Raises:
            DataError: As for token ids.
        """
        return self._language.template.text(self._prompt(sample)[0])

    def answer_ids(self, text: str) -> TokenIds:
        """The ids of an answer's text, int32 [n]."""
        return np.asarray(self._language.tokenizer.encode(text), np.int32)

    def _prompt(self, sample: object) -> tuple[str, list[int]]:
        """A sample's message as it fits the limit, and the tokens of its prompt."""
        if not isinstance(sample, Prompt):
            reason = f"the data set gives {type(sample).__name__}, the task needs prompts"
            raise DataError("not-a-prompt", reason, "choose a data set that fits the task, with --dataset")
        message, ids = self._fitted(sample)
        if not ids:
            raise DataError("prompt-empty", f"{sample.source} has an empty prompt", "remove it from the data")
        return message, ids

    @abstractmethod
    def _fitted(self, prompt: Prompt) -> tuple[str, list[int]]:
        """The message that goes into the template, and the tokens of template and message.

        Raises:
            DataError: It is too long.
        """


def too_long(source: str, tokens: int, limit: int) -> DataError:
    """The error of a prompt that has more tokens than the task allows."""
    reason = f"{source} has {tokens} tokens, more than {limit}"
    return DataError("prompt-length", reason, "remove it from the data, or set max_prompt_tokens")


def _stop_ids(stop: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    if stop == "none":
        return ()
    if stop == "auto":
        for names in (LLAMA_STOPS, OTHER_STOPS):
            if found := [each for each in map(tokenizer.token, names) if each is not None]:
                return tuple(found)
        reason = f"the tokenizer has none of the known stop tokens, such as {LLAMA_STOPS[-1]} and {OTHER_STOPS[-1]}"
        raise DataError("tokenizer-tokens", reason, "name the model's with --set stop=NAME,… or choose stop=none")
    return tuple(_stop_id(each.strip(), tokenizer) for each in stop.split(","))


def _stop_id(name: str, tokenizer: Tokenizer) -> int:
    found = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else tokenizer.token(name)
    if found is None or found >= tokenizer.size:
        reason = f"the tokenizer has no token {name!r:.60}, which the option stop names"
        raise DataError("tokenizer-tokens", reason, "name tokens or ids of the tokenizer, separated by commas")
    return found
