"""Prompts of exact lengths, made from the prompts of a task, with a seed."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mlperf_mobile.contracts import PromptedSystem, TokenIds

MOST_SAMPLES = 256
"""The samples of which prompts are made: the first ones of the data set."""


class PromptMaker:
    """Makes prompts that a model can take: every id in them occurs in a prompt of the task.

    Args:
        system: The system, of which samples are loaded and unloaded again.
        kind: ``samples``: consecutive ids of the task's prompts, one after the other, from a random place on.
            ``random``: ids that occur in them, each equally likely.
    """

    def __init__(self, system: PromptedSystem, kind: Literal["samples", "random"]) -> None:
        samples = range(min(MOST_SAMPLES, system.sample_count))
        system.load_samples(samples)
        self._ids: TokenIds = np.concatenate([system.prompt(index) for index in samples]).astype(np.int32)
        system.unload_samples(samples)
        self._known = np.unique(self._ids)
        self._kind = kind

    def make(self, length: int, *seed: int) -> TokenIds:
        """A prompt: int32[length]; the same seed makes the same one.

        Args:
            length: Tokens, at least 1.
            seed: Numbers of 0 or more.
        """
        numbers = np.random.default_rng(seed)
        if self._kind == "random":
            return numbers.choice(self._known, length).astype(np.int32)
        places = (numbers.integers(self._ids.size) + np.arange(length)) % self._ids.size
        prompt: TokenIds = self._ids[places]
        return prompt
