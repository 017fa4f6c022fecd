"""The windows that a passage is cut into, and which of them shows most context around a token.

Source: Google's BERT, run_squad.py, convert_examples_to_features and _check_is_max_context.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlperf_mobile_task_question_answering.window import Flags

Numbers = npt.NDArray[np.int64]


def spans(tokens: int, room: int, stride: int) -> tuple[Numbers, Numbers]:
    """Starts and lengths of the windows of a passage.

    Args:
        tokens: Tokens in the passage.
        room: Tokens of a passage that fit into a window.
        stride: Tokens from one start to the next; at most ``room`` is used.
    """
    if tokens == 0:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    step = min(room, stride)
    count = 1 + max(0, -(-(tokens - room) // step))
    starts = np.arange(count, dtype=np.int64) * step
    return starts, np.minimum(tokens - starts, room)


def max_context(starts: Numbers, lengths: Numbers, number: int) -> Flags:
    """For each token of window ``number``, whether that window is the first with the highest rank for it.

    A window's rank is the smaller of the token's distances to the window's ends, plus a hundredth of its length.
    """
    if len(starts) == 1:
        return np.ones(int(lengths[0]), np.bool_)
    begin, end = starts[number], starts[number] + lengths[number]
    near = np.flatnonzero((starts < end) & (starts + lengths > begin))
    places = np.arange(begin, end)
    left = places[None, :] - starts[near, None]
    right = (starts + lengths)[near, None] - 1 - places[None, :]
    scores = np.where(np.minimum(left, right) >= 0, np.minimum(left, right) + 0.01 * lengths[near, None], -1.0)
    best: Flags = near[scores.argmax(axis=0)] == number
    return best
