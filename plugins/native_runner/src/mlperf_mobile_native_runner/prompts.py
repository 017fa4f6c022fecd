"""Prompts and answers of language models as records of one size: the number of tokens, their ids, and zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from mlperf_mobile.contracts import Codec, Tensors, TensorSpec, TokenIds
from mlperf_mobile.errors import BackendError
from mlperf_mobile.worker.generating import Generations
from mlperf_mobile.worker.system import response_of
from mlperf_mobile.worker.token_answers import prompt_of, wrong_ids
from mlperf_mobile.worker.token_checks import WARM_UP_PROMPTS, spread


class Samples(Protocol):
    """Encoded samples by index."""

    def __getitem__(self, index: int) -> Tensors:
        """Raises: MobileError: It cannot be read or encoded."""
        ...


def records(how: Generations) -> tuple[tuple[TensorSpec], tuple[TensorSpec]]:
    """The tensors of a prompt and of its answer: int32[1 + context], and int32[1 + the longest answer of a mode]."""
    longest = min(max(how.performance.max_new_tokens, how.accuracy.max_new_tokens), how.context - 1)
    dtype = np.dtype(np.int32)
    return (TensorSpec("prompt", (1 + how.context,), dtype),), (TensorSpec("answer", (1 + longest,), dtype),)


class Prompts:
    """The encoded prompts of a data set, as records.

    Args:
        samples: The prompts, int32[n] each.
        context: The most tokens that prompt and answer may have together.
        model: The model's name, for errors.
    """

    def __init__(self, samples: Samples, context: int, model: str) -> None:
        self._samples, self._context, self._model = samples, context, model

    def __getitem__(self, index: int) -> Tensors:
        """The record of a prompt: int32[1 + context].

        Raises:
            DataError: It cannot be read.
            ModelError: It cannot be encoded; or ``prompt-too-long``.
        """
        prompt = self._prompt(index)
        record = np.zeros(1 + self._context, np.int32)
        record[0] = prompt.size
        record[1 : 1 + prompt.size] = prompt
        return (record,)

    def warm_up(self, total: int) -> list[int]:
        """The shortest of the first prompts, those whose whole answers may be timed, and the longest.

        Args:
            total: The number of prompts.
        """
        lengths = [self._prompt(index).size for index in range(min(total, WARM_UP_PROMPTS))]
        return [int(np.argmin(lengths)), *spread(len(lengths)), int(np.argmax(lengths))]

    def _prompt(self, index: int) -> TokenIds:
        return prompt_of(self._samples[index], index, self._context, self._model)


def answers(codec: Codec, how: Generations, backend: str) -> Callable[[Tensors], bytes]:
    """Checks and decodes the record of an answer in the accuracy run.

    Args:
        codec: The task's.
        how: The limit and the stop ids.
        backend: The backend's name, for errors.
    """

    def response(outputs: Tensors) -> bytes:
        (record,) = outputs
        count = int(record[0])
        ids = record[1 : 1 + count].astype(np.int32)
        wrong = f"it has {count} tokens" if ids.size != count else wrong_ids(ids, how.accuracy, how.context - 1)
        if wrong:
            hint = "this is a defect of the runtime; report it to its vendor"
            raise BackendError(
                "wrong-outputs", f"backend {backend}: an answer of the accuracy run is wrong: {wrong}", hint
            )
        return response_of(codec.decode((ids,)))

    return response
