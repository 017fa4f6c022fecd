"""F1: the overlap of the answers' words with those of the reference answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering.answer_score import app_f1, exact_match, f1
from mlperf_mobile_task_question_answering.final_text import final_text, joined
from mlperf_mobile_task_question_answering.span_search import Span, best_span
from mlperf_mobile_task_question_answering.window import WindowTruth


@dataclass(frozen=True, slots=True)
class _Best:
    """A question's best answer so far, and the number of its window."""

    span: Span
    index: int

    def beats(self, other: _Best | None) -> bool:
        """Whether its score is higher or, if equal, its window earlier, regardless of the order in the log."""
        return other is None or (self.span.score, -self.index) > (other.span.score, -other.index)


class F1:
    """Finds the best answer over all windows of each question, and scores it.

    A question without an answer, because none of its windows was answered or all scores are NaN, counts as wrong.

    Args:
        dataset: Its truths are of type :class:`WindowTruth`.
        definition: ``squad``: F1 by SQuAD's own evaluation; ``app``: by the reference app, as in every official
            result.

    Raises:
        DataError: The data set has no reference answers or no windows; raised here, before the first inference.
    """

    def __init__(self, dataset: Dataset, definition: str = "squad") -> None:
        self._dataset, self._definition, self._windows = dataset, definition, 0
        self._best: dict[str, _Best | None] = {self._truth(index).question: None for index in range(len(dataset))}

    def update(self, index: int, response: bytes) -> None:
        truth = self._truth(index)
        if len(response) != 8 * truth.length:
            reason = f"the response to sample {index} has {len(response)} bytes"
            reason += f", not the {8 * truth.length} of scores for {truth.length} tokens"
            raise DataError("response", reason, "the log belongs to another task or data set")
        start, end = np.frombuffer(response, "<f4").reshape(2, truth.length)
        self._windows += 1
        span = best_span(start, end, truth.first, truth.max_context())
        if span is not None and (best := _Best(span, index)).beats(self._best[truth.question]):
            self._best[truth.question] = best

    def score(self) -> Score:
        """The mean F1 over the questions, each counted once.

        Details: ``squad_f1`` and ``exact_match`` by SQuAD's evaluation; ``app_f1``, the F1 that the reference app would
        report; ``questions``, and how many of them were ``answered``.
        """
        exact, value, app = 0, 0.0, 0.0
        for best in self._best.values():
            if best is not None:
                answer, references = self._answer(best)
                exact += exact_match(answer, references)
                value += f1(answer, references)
                app += app_f1(answer, references)
        count = max(1, len(self._best))
        details = {
            "squad_f1": value / count,
            "exact_match": exact / count,
            "app_f1": app / count,
            "questions": len(self._best),
            "answered": sum(best is not None for best in self._best.values()),
        }
        return Score("F1", details[f"{self._definition}_f1"], self._windows, details)

    def _answer(self, best: _Best) -> tuple[str, tuple[str, ...]]:
        truth = self._truth(best.index)
        place = best.span.start, best.span.end
        return final_text(joined(truth.pieces(*place)), *truth.words(*place)), truth.answers

    def _truth(self, index: int) -> WindowTruth:
        truth = self._dataset.truth(index)
        if not isinstance(truth, WindowTruth):
            reason = f"sample {index} has the truth {truth!r:.40}, not a question's answers"
            raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
        return truth
