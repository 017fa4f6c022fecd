"""Tests of a backend's token sessions: the same answers every time, limits and stop ids kept, one first token."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import get_ident
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import (
    Backend,
    CountingSession,
    DeepSession,
    Generation,
    TokenIds,
    TokenSession,
)
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.backend_kit import BackendKit, without_variation
from mlperf_mobile.testing.kit import lacks
from mlperf_mobile.worker.first_token_times import JUDGED_TOKENS, Answered, misfit

TOKENS = 6
"""The length of answers in these tests, where the context has room."""


class TokenTests(BackendKit):
    """``Capability.TOKEN_STREAM``: token ids in, token ids out."""

    vocabulary = 48
    """The prompts of these tests have ids below it."""

    @pytest.fixture
    def token_backend(self, info: BackendInfo, backend: Backend) -> Backend:
        """The backend, if it generates tokens."""
        if Capability.TOKEN_STREAM not in info.capabilities:
            lacks("tokens", "the backend generates no tokens")
        return backend

    @pytest.fixture
    def tokens(self, token_backend: Backend, language_model: Path, tmp_path: Path) -> Iterator[TokenSession]:
        """The language model, loaded on the first accelerator that is present."""
        with self.load_tokens(token_backend, language_model, tmp_path) as session:
            yield session

    def prompt(self, length: int, seed: int = 0) -> TokenIds:
        """A prompt of seeded ids."""
        return np.random.default_rng(seed).integers(0, self.vocabulary, length).astype(np.int32)

    def answer(self, session: TokenSession, prompt: TokenIds, limit: int = TOKENS, *stop_ids: int) -> list[int]:
        """The answer of a session, which is of the right kind."""
        found = session.generate(prompt, Generation(limit, stop_ids), lambda: None)
        assert (found.dtype, found.ndim) == (np.dtype(np.int32), 1)
        ids: list[int] = found.tolist()
        return ids

    def test_token_sessions_describe_themselves(self, tokens: TokenSession) -> None:
        """The context, and one tensor of ids in and out, whose length is at most that."""
        assert isinstance(tokens, TokenSession)
        assert tokens.context >= 16
        for specs in (tokens.inputs, tokens.outputs):
            assert [(spec.shape, spec.dtype) for spec in specs] == [((1, tokens.context), np.dtype(np.int32))]

    def test_repeated_prompts_have_equal_answers(self, tokens: TokenSession) -> None:
        """Nothing remains from other prompts, shorter or longer ones."""
        without_variation(tokens)
        lengths = (1, 5, 3, tokens.context - TOKENS, 2)
        first = [self.answer(tokens, self.prompt(length)) for length in lengths]
        for number in (4, 3, 0, 0, 1, 2, 3, 4):
            assert self.answer(tokens, self.prompt(lengths[number])) == first[number]

    def test_prompts_of_any_length(self, tokens: TokenSession) -> None:
        """A prompt with the beginning of its answer goes on as the answer does, whatever parts it is processed in."""
        without_variation(tokens)
        prompt, limit = self.prompt(1), tokens.context - 1
        whole = self.answer(tokens, prompt, limit)
        assert len(whole) == limit
        for length in range(1, limit):
            longer = np.append(prompt, np.array(whole[:length], np.int32)).astype(np.int32)
            assert self.answer(tokens, longer, 2) == whole[length : length + 2], f"prompt of {length + 1} tokens"

    def test_the_first_token_is_reported_once(self, tokens: TokenSession) -> None:
        """Exactly once, in the thread of the call; a session that counts has only one token then."""
        main = get_ident()
        for length in (1, 4, 5, 9):
            calls: list[int] = []
            before = tokens.generated if isinstance(tokens, CountingSession) else 0

            def first(calls: list[int] = calls, before: int = before) -> None:
                assert get_ident() == main
                calls.append(tokens.generated - before if isinstance(tokens, CountingSession) else 0)

            ids = tokens.generate(self.prompt(length), Generation(TOKENS), first)
            assert len(ids) == TOKENS
            assert len(calls) == 1
            assert calls[0] <= 1

    def test_the_first_token_is_reported_in_time(self, tokens: TokenSession) -> None:
        """About when an answer of one token is complete, as in a run; answers of less than 1 ms are not judged."""
        prompt = self.prompt(3)

        def answered(limit: int) -> Answered:
            times: list[int] = []
            began = perf_counter_ns()
            ids = tokens.generate(prompt, Generation(limit), lambda: times.append(perf_counter_ns()))
            whole_ns = perf_counter_ns() - began
            return Answered(len(ids), times[0] - began if times else 0, whole_ns)

        most = min(JUDGED_TOKENS, tokens.context - 3)
        assert misfit(lambda: answered(most), lambda: answered(1)) == ""

    def test_a_prompt_goes_on_after_a_context(self, tokens: TokenSession) -> None:
        """``generate_after`` has the answer of both together, and is ready before the first token."""
        if not isinstance(tokens, DeepSession):
            lacks("depth", "the sessions have no generate_after")
        without_variation(tokens)
        for depth, length in ((1, 1), (3, 5), (5, 3), (8, 2)):
            whole, calls = self.prompt(depth + length), list[str]()
            answer = tokens.generate_after(
                whole[:depth], whole[depth:], Generation(TOKENS - 2),
                partial(calls.append, "ready"), partial(calls.append, "first token"),
            )  # fmt: skip
            assert answer.tolist() == self.answer(tokens, whole, TOKENS - 2), f"a prompt of {length} after {depth}"
            assert calls == ["ready", "first token"]
        full = self.prompt(tokens.context - 1)
        with pytest.raises(ModelError):
            tokens.generate_after(full, self.prompt(1), Generation(1), lambda: None, lambda: None)

    def test_limits_are_kept(self, tokens: TokenSession) -> None:
        """An answer has at most as many tokens as requested, and a shorter one begins like a longer one."""
        without_variation(tokens)
        longest = self.answer(tokens, self.prompt(4), TOKENS)
        assert len(longest) == TOKENS
        for limit in range(1, TOKENS):
            assert self.answer(tokens, self.prompt(4), limit) == longest[:limit]

    def test_stop_ids_end_answers(self, tokens: TokenSession) -> None:
        """The stop id is the last token of the answer, also if it is the first one."""
        without_variation(tokens)
        for seed in range(3):
            prompt = self.prompt(7, seed)
            ids = self.answer(tokens, prompt)
            for stop in dict.fromkeys(ids):
                assert self.answer(tokens, prompt, TOKENS, self.vocabulary + 7, stop) == ids[: ids.index(stop) + 1]

    def test_the_context_ends_answers(self, tokens: TokenSession) -> None:
        """A prompt that leaves room for two tokens has an answer of two; one without room is a ModelError."""
        assert len(self.answer(tokens, self.prompt(tokens.context - 2))) == 2
        assert len(self.answer(tokens, self.prompt(tokens.context - 1))) == 1
        for length in (tokens.context, tokens.context + 1, 4 * tokens.context):
            with pytest.raises(ModelError):
                tokens.generate(self.prompt(length), Generation(1), lambda: None)

    def test_what_is_no_prompt_is_refused(self, tokens: TokenSession) -> None:
        """Nothing, floats, and several prompts are errors, not crashes."""
        nothing: tuple[Any, ...] = (np.zeros(0, np.int32), np.zeros(3, np.float32), np.zeros((1, 3), np.int32))
        for wrong in nothing:
            with pytest.raises((BackendError, ModelError)):
                tokens.generate(wrong, Generation(1), lambda: None)

    def test_prompts_are_left_alone(self, tokens: TokenSession) -> None:
        """A prompt is used again."""
        prompt = self.prompt(9)
        tokens.generate(prompt, Generation(TOKENS), lambda: None)
        np.testing.assert_array_equal(prompt, self.prompt(9))

    def test_closed_token_sessions_refuse(self, token_backend: Backend, language_model: Path, tmp_path: Path) -> None:
        """A closed session raises an error."""
        with self.load_tokens(token_backend, language_model, tmp_path) as session:
            self.answer(session, self.prompt(3))
        with pytest.raises(BackendError):
            session.generate(self.prompt(3), Generation(1), lambda: None)
