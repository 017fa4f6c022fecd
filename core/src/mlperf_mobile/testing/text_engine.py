"""A stand-in for an engine that takes text and streams text, and for its tokenizer; it is no language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, text_misfit
from mlperf_mobile.contracts import Generation, Placement, Tensors, TensorSpec, TextAnswer, TokenIds
from mlperf_mobile.errors import BackendError

__all__ = ["StandInTextSession", "words"]

CONTEXT = 64
VOCABULARY = 50
STOP = 7
"""The token that ends an answer; the engine gives it no text."""


def words(text: str) -> TokenIds:
    """The stand-in's tokenizer: every word is a token; ``w12`` has the id 12, any other word follows from its letters.

    Returns:
        int32[n], each below :data:`VOCABULARY`.
    """
    return np.array([_id(word) for word in text.split()], np.int32)


def _id(word: str) -> int:
    number = word.removeprefix("w")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 4 else sum(word.encode()) % VOCABULARY


class StandInTextSession:
    """A :class:`mlperf_mobile.contracts.TextSession` whose next word follows from the sum and the number of all before.

    Args:
        counts_tokens: Whether it reports numbers of tokens.
    """

    inputs = (TensorSpec("tokens", (1, CONTEXT), np.dtype(np.int32)),)
    """The tokens of a prompt."""
    outputs = inputs
    """The tokens of an answer."""
    context = CONTEXT
    """The most tokens of a prompt and its answer together."""

    def __init__(self, *, counts_tokens: bool = True) -> None:
        self.counts_tokens = counts_tokens
        self.is_closed = False
        """Whether it was left; it answers no more then."""

    def tokens(self, prompt: str, how: Generation) -> Iterator[int]:
        """The tokens that follow a prompt, up to the limit, the context or the stop token."""
        known = words(prompt).tolist()
        for _ in range(min(how.max_new_tokens, self.context - len(known))):
            known.append((2 * sum(known) + 3 * len(known) + 5) % VOCABULARY)
            yield known[-1]
            if known[-1] == STOP:
                return

    def pieces(self, prompt: str, how: Generation) -> Iterator[str]:
        """The text of each token; the stop token has none."""
        for number, token in enumerate(self.tokens(prompt, how)):
            yield "" if token == STOP else f"{' ' if number else ''}w{token}"

    def generate_text(self, prompt: str, how: Generation, piece: Callable[[str], None]) -> TextAnswer:
        """See :meth:`mlperf_mobile.contracts.TextSession.generate_text`."""
        if self.is_closed:
            raise closed("the stand-in")
        count = len(words(prompt)) if isinstance(prompt, str) else 0
        if wrong := text_misfit(prompt, count, self.context, "the stand-in"):
            raise wrong
        found: list[str] = []
        for text in self.pieces(prompt, how):
            found.append(text)
            piece(text)
        new, before = (len(found), count) if self.counts_tokens else (None, None)
        return TextAnswer("".join(found), new, before, stopped=bool(found) and not found[-1])

    def run(self, inputs: Tensors) -> NoReturn:
        """Raise: the session only generates."""
        raise BackendError("input-mismatch", "the stand-in only generates", "call generate_text")

    def placement(self) -> Placement:
        """One operation on the processor."""
        return Placement({"cpu": 1})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_closed = True
