"""The task instruction_following: a request in, an answer out that follows the request's instructions.

Source: flutter/cpp/datasets/ifeval.cc.
"""

from __future__ import annotations

from mlperf_mobile.contracts import Dataset, Metric
from mlperf_mobile_task_language_model.instruction_metric import InstructionAccuracy
from mlperf_mobile_task_language_model.options import InstructionOptions
from mlperf_mobile_task_language_model.prompting import Prompt, PromptTask, too_long


class InstructionFollowing(PromptTask[InstructionOptions]):
    """Prompts in a chat template, greedy answers of up to 1024 tokens in both modes, and IFEval's checks."""

    def metric(self, dataset: Dataset) -> Metric:
        """The mean of IFEval's four accuracies."""
        return InstructionAccuracy(dataset, self._language, self._options)

    def _fitted(self, prompt: Prompt) -> tuple[str, list[int]]:
        """The message and its tokens.

        Raises:
            DataError: It has more than the limit; the reference app leaves such a prompt out, none of IFEval's is.
        """
        ids, limit = self._language.template.encode(prompt.text), self._options.max_prompt_tokens
        if len(ids) > limit:
            raise too_long(prompt.source, len(ids), limit)
        return prompt.text, ids
