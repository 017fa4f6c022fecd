"""The task multiple_choice: a question with lettered choices in, a letter out.

Source: flutter/cpp/datasets/mmlu_gen.cc.
"""

from __future__ import annotations

from bisect import bisect_left

from mlperf_mobile.contracts import Dataset, Metric
from mlperf_mobile_task_language_model.choice_metric import ChoiceAccuracy
from mlperf_mobile_task_language_model.options import MultipleChoiceOptions
from mlperf_mobile_task_language_model.prompting import Prompt, PromptTask, too_long

BLOCKS = "\n\n"
"""Separates the blocks of a prompt: a preface, solved examples, and the question."""


class MultipleChoice(PromptTask[MultipleChoiceOptions]):
    """Prompts as they are, greedy answers of 4 tokens to be scored and 128 to be timed, the share of right letters."""

    def metric(self, dataset: Dataset) -> Metric:
        """The share of right letters."""
        return ChoiceAccuracy(dataset, self._language)

    def _fitted(self, prompt: Prompt) -> tuple[str, list[int]]:
        """The message and its tokens; solved examples are dropped, the first one first, until it fits the limit.

        Raises:
            DataError: It is too long without examples too.
        """
        text = zero_shot(prompt.text) if self._options.zero_shot else prompt.text
        encode, limit = self._language.template.encode, self._options.max_prompt_tokens
        if len(ids := encode(text)) <= limit:
            return text, ids
        # By bisection: a prompt may have thousands of examples, and encoding takes as long as the text.
        dropped = bisect_left(
            range(examples(text)), True, key=lambda count: len(encode(without_examples(text, count))) <= limit
        )
        text = without_examples(text, dropped)
        if len(ids := encode(text)) > limit:
            raise too_long(prompt.source, len(ids), limit)
        return text, ids


def examples(text: str) -> int:
    """The blocks between preface and question."""
    return max(0, text.count(BLOCKS) - 1)


def without_examples(text: str, count: int) -> str:
    """A prompt without the first ``count`` blocks after its preface."""
    preface, *rest = text.split(BLOCKS)
    return BLOCKS.join([preface, *rest[count:]])


def zero_shot(text: str) -> str:
    """Preface and question alone, as the reference app's option composes them; a text of one block stays as it is."""
    preface, separator, _ = text.partition(BLOCKS)
    return f"{preface}{BLOCKS}Question: {text.rpartition(BLOCKS)[2]}" if separator else text
