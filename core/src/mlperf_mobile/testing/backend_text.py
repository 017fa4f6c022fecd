"""Tests of a backend's text sessions: the same answers every time, limits kept, and streams that are the answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import Backend, Generation, TextAnswer, TextSession
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.backend_kit import BackendKit, without_variation
from mlperf_mobile.testing.kit import lacks
from mlperf_mobile.worker.text_system import wrong_text

TOKENS = 12
"""The limit of answers in these tests; with a context of 16 tokens, only the shortest prompts have room for it."""
HELD = 4
"""The most tokens, on average, that a piece of a stream may have."""


class TextTests(BackendKit):
    """``Capability.TEXT_STREAM``: text in, pieces of text out."""

    prompts: tuple[str, ...] = ("A", "The river", "Name", "One two three", "b")
    """Short prompts of different lengths, at most a quarter of the context, that have answers of some words."""

    @pytest.fixture
    def text_backend(self, info: BackendInfo, backend: Backend) -> Backend:
        """The backend, if its sessions take text."""
        if Capability.TEXT_STREAM not in info.capabilities or Capability.TOKEN_STREAM in info.capabilities:
            lacks("text", "the backend's sessions do not take text")
        return backend

    @pytest.fixture
    def text(self, text_backend: Backend, language_model: Path, tmp_path: Path) -> Iterator[TextSession]:
        """The language model, loaded on the first accelerator that is present."""
        with self.load_text(text_backend, language_model, tmp_path) as session:
            yield session

    def test_text_sessions_describe_themselves(self, text: TextSession) -> None:
        """The context, and one tensor of ids in and out, whose length is at most that."""
        assert text.context >= 16
        assert isinstance(text.counts_tokens, bool)
        for specs in (text.inputs, text.outputs):
            assert [(spec.shape, spec.dtype) for spec in specs] == [((1, text.context), np.dtype(np.int32))]

    def test_repeated_texts_have_equal_answers(self, text: TextSession) -> None:
        """Nothing remains from other prompts, shorter or longer ones."""
        without_variation(text)
        first = [answered(text, prompt)[0] for prompt in self.prompts]
        assert all(each.text for each in first)
        for number in (*reversed(range(len(first))), 0, *range(len(first))):
            assert answered(text, self.prompts[number])[0] == first[number]

    def test_pieces_make_up_the_answer(self, text: TextSession) -> None:
        """In order, in the thread of the call, and none after it."""
        main, over, late = get_ident(), set[str](), list[str]()
        for prompt in self.prompts:
            pieces: list[str] = []

            def piece(found: str, pieces: list[str] = pieces, prompt: str = prompt) -> None:
                if prompt in over or get_ident() != main:
                    late.append(found)
                pieces.append(found)

            answer = text.generate_text(prompt, Generation(TOKENS), piece)
            over.add(prompt)
            assert "".join(pieces) == answer.text
        assert not late, "pieces came late, or from another thread"

    def test_pieces_come_while_the_answer_is_made(self, text: TextSession) -> None:
        """An answer of several tokens is no single piece at the end."""
        for prompt in self.prompts:
            answer, pieces = answered(text, prompt)
            tokens = answer.tokens if answer.tokens is not None else len(answer.text.split())
            assert tokens <= HELD * len(pieces)

    def test_text_limits_are_kept(self, text: TextSession) -> None:
        """A shorter answer begins like a longer one; the engine's counts, if any, are within limit and context."""
        without_variation(text)
        longest, _ = answered(text, self.prompts[0])
        lengths = set()
        for limit in range(1, TOKENS):
            answer, _ = answered(text, self.prompts[0], limit)
            assert longest.text.startswith(answer.text)
            assert wrong_text(answer, Generation(limit), text.context, counting=text.counts_tokens) == ""
            lengths.add(len(answer.text))
        assert len(lengths) > 1

    def test_long_texts_are_refused(self, text: TextSession) -> None:
        """A prompt that does not fit is a ModelError, and the session works afterwards."""
        with pytest.raises(ModelError):
            answered(text, "long " * 4 * text.context)
        assert answered(text, self.prompts[0])[0].text

    def test_what_is_no_text_is_refused(self, text: TextSession) -> None:
        """Nothing, bytes, and token ids are errors, not crashes."""
        wrong: tuple[Any, ...] = ("", b"bytes", np.zeros(3, np.int32), None)
        for each in wrong:
            with pytest.raises((BackendError, ModelError)):
                answered(text, each, 1)

    def test_closed_text_sessions_refuse(self, text_backend: Backend, language_model: Path, tmp_path: Path) -> None:
        """A closed session raises an error."""
        with self.load_text(text_backend, language_model, tmp_path) as session:
            answered(session, self.prompts[0])
        with pytest.raises(BackendError):
            answered(session, self.prompts[0])


def answered(session: TextSession, prompt: str, limit: int = TOKENS) -> tuple[TextAnswer, list[str]]:
    """The answer of a session, which is of the right kind, and the pieces that were streamed."""
    pieces: list[str] = []
    answer = session.generate_text(prompt, Generation(limit), pieces.append)
    assert isinstance(answer, TextAnswer)
    return answer, pieces
