"""The best answer that a window's scores tell, as MLPerf Mobile's app finds it.

Source: flutter/cpp/datasets/squad.cc, ComputeAccuracy, after Google's BERT, run_squad.py, write_predictions. Where the
app leaves the order of equal scores open, the first token comes first, as in Google's code; where it would read past
the passage, at the last [SEP], there is no answer, as in Google's code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlperf_mobile_task_question_answering.window import Flags

Floats = npt.NDArray[np.float32]

BEST = 20
"""So many of the highest starts and ends are paired."""
MAX_ANSWER = 30
"""Tokens of the longest answer."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one place in a window to another, both inclusive; ``score`` is the float32 sum of both places' scores."""

    score: float
    start: int
    end: int


def best_span(start: Floats, end: Floats, first: int, max_context: Flags) -> Span | None:
    """The best pair of places in the passage, or none.

    Args:
        start: Scores of being the answer's first token, [L].
        end: Scores of being its last token, [L].
        first: Place of the passage's first token.
        max_context: For each token of the passage, whether an answer may start there.
    """
    starts, ends = _highest(start), _highest(end)
    past = first + len(max_context)
    starts = starts[(starts >= first) & (starts < past)]
    starts = starts[max_context[starts - first]]
    ends = ends[ends < past]
    lengths = ends[None, :] - starts[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        scores = start[starts][:, None] + end[ends][None, :]
    scores = np.where((lengths >= 0) & (lengths < MAX_ANSWER) & (scores > -np.inf), scores, -np.inf)
    if not scores.size:
        return None
    row, column = divmod(int(scores.argmax()), len(ends))
    if scores[row, column] == -np.inf:
        return None
    return Span(float(scores[row, column]), int(starts[row]), int(ends[column]))


def _highest(scores: Floats) -> npt.NDArray[np.intp]:
    """Places of the ``BEST`` highest scores, the highest first, of equal ones the first; NaN comes last."""
    if len(scores) <= BEST:
        return np.argsort(-scores, kind="stable")
    worst = np.partition(-scores, BEST - 1)[BEST - 1]
    if np.isnan(worst):
        return np.argsort(-scores, kind="stable")[:BEST]
    near = np.flatnonzero(-scores <= worst)
    return near[np.argsort(-scores[near], kind="stable")[:BEST]]
