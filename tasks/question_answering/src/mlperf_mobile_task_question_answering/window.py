"""Windows, the samples of this task, and their truths."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A question with as much of its passage as fits the model's input.

    In order: [CLS], question, [SEP], passage, [SEP], and [PAD] up to the model's length.

    Args:
        ids: Token ids, int32 [L].
        mask: 1 for tokens, 0 for padding, int32 [L].
        segments: 1 for the passage and its [SEP], 0 elsewhere, int32 [L].
        source: File and question, for messages.
    """

    ids: Integers
    mask: Integers
    segments: Integers
    source: str

    def digest(self) -> bytes:
        """SHA-256 of the three arrays."""
        digest = hashlib.sha256()
        for values in (self.ids, self.mask, self.segments):
            digest.update(len(values).to_bytes(8, "little"))
            digest.update(values.astype("<i4", copy=False).tobytes())
        return digest.digest()


@dataclass(frozen=True, slots=True, eq=False)
class WindowTruth:
    """What turns the scores of a window's tokens into an answer, and scores that.

    Args:
        question: The question's id; its windows share it.
        source: File and question, for messages.
        length: L, tokens in the window with padding.
        first: Place of the passage's first token in the window.
        max_context: For each of the passage's tokens in the window, whether this window shows most context around it.
        pieces: The passage's tokens from one place in the window to another, inclusive, as text.
        words: The passage's words between the same two places, as written, and after basic tokenisation.
        answers: Reference answers, at least one.
    """

    question: str
    source: str
    length: int
    first: int
    max_context: Callable[[], Flags]
    pieces: Callable[[int, int], Sequence[str]]
    words: Callable[[int, int], tuple[str, str]]
    answers: tuple[str, ...]
