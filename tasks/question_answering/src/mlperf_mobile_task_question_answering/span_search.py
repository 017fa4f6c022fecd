"""Finds the best answer in a window's scores, as MLPerf Mobile's app does.

Source: flutter/cpp/datasets/squad.cc, ComputeAccuracy, after Google's BERT, run_squad.py, write_predictions. Where the
app leaves the order of equal scores open, the first token wins, and where it would read past the passage, at the last
[SEP], there is no answer: both as in Google's code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlperf_mobile_task_question_answering.window import Flags

Floats = npt.NDArray[np.float32]

BEST = 20
"""Number of highest starts and ends that are paired."""
MAX_ANSWER = 30
"""Tokens in the longest answer."""


@dataclass(frozen=True, slots=True)
class Span:
    """The places of an answer's first and last token in a window; ``score`` is the float32 sum of their scores."""

    score: float
    start: int
    end: int


def best_span(start: Floats, end: Floats, first: int, max_context: Flags) -> Span | None:
    """The best pair of places in the passage; None if there is none.

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
    """Places of the ``BEST`` highest scores, highest first, equal ones in order; NaN comes last."""
    if len(scores) <= BEST:
        return np.argsort(-scores, kind="stable")
    worst = np.partition(-scores, BEST - 1)[BEST - 1]
    if np.isnan(worst):
        return np.argsort(-scores, kind="stable")[:BEST]
    near = np.flatnonzero(-scores <= worst)
    return near[np.argsort(-scores[near], kind="stable")[:BEST]]
