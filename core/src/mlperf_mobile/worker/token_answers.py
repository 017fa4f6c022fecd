"""What a prompt and one answer of a token session must obey: lengths, ids, and when the session calls back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import get_ident
from time import perf_counter_ns
from typing import Any, TypeAlias

import numpy as np

from mlperf_mobile.backend_checks import prompt_misfit
from mlperf_mobile.contracts import CountingSession, DeepSession, Generation, TokenIds
from mlperf_mobile.errors import ModelError

Generate: TypeAlias = Callable[[TokenIds, Generation, Callable[[], None]], TokenIds]
"""A session's ``generate``."""
Answering: TypeAlias = "Callable[[int | str, TokenIds, Callable[[], None]], tuple[TokenIds, FirstToken]]"
"""The checked answer to a prompt: what to call it in errors, its ids, and what reports the first token."""


class FirstToken:
    """The ``first_token`` of one answer: tells the scenario once, and remembers every call that breaks the contract.

    Args:
        tell: Reports the first token.
        faults: Where calls that break the contract are noted.
        method: The session's method, for the notes.
    """

    __slots__ = ("_faults", "_method", "_tell", "_thread", "calls", "over", "time_ns")

    def __init__(self, tell: Callable[[], None], faults: list[str], method: str = "generate") -> None:
        self._tell, self._faults, self._method = tell, faults, method
        self.calls = self.time_ns = 0
        self._thread = get_ident()
        self.over = False
        """Whether the answer is complete, so that no call is in time."""

    def __call__(self) -> None:
        self.report()

    def at_once(self, tokens: int) -> bool:
        """Whether several of an answer's tokens came together: a session reports no other token than the first."""
        return False

    def report(self) -> None:
        """Note a call, and report the first one if it is in time."""
        self.calls += 1
        if self.over:
            self._faults.append(f"after {self._method}() had returned")
        elif get_ident() != self._thread:  # LoadGen would sort it behind the completion of the query
            self._faults.append(f"from another thread than {self._method}()")
        elif self.calls == 1:
            self.time_ns = perf_counter_ns()
            self._tell()


class Ready:
    """The ``ready`` of one answer at a depth."""

    __slots__ = ("calls", "time_ns")

    def __init__(self) -> None:
        self.calls = self.time_ns = 0

    def __call__(self) -> None:
        self.calls += 1
        self.time_ns = perf_counter_ns()


class Early:
    """Notes how many tokens a session had counted when it called ``first_token``."""

    def __init__(self, session: CountingSession, before: int, tell: Callable[[], None]) -> None:
        self._session, self._before, self._tell = session, before, tell
        self.tokens = 0

    def __call__(self) -> None:
        self.tokens = self._session.generated - self._before
        self._tell()


def few(how: Generation, tokens: int) -> Generation:
    """The same generation with at most ``tokens`` new tokens."""
    return replace(how, max_new_tokens=min(tokens, how.max_new_tokens))


def named(name: int | str) -> str:
    """What to call a prompt in errors: a sample by its index, or as its name says."""
    return f"sample {name}" if isinstance(name, int) else name


def nobody() -> None:
    """Whom an answer's first token does not interest."""


def prompt_of(encoded: object, index: int, context: int, model: str) -> TokenIds:
    """The prompt in an encoded sample: int32[n].

    Args:
        encoded: What the task's codec returned.
        index: The sample.
        context: The most tokens that prompt and answer may have together.
        model: The model's name.

    Raises:
        ModelError: ``prompt-too-long``, or ``task-failed``: it is not one array of token ids.
    """
    if not isinstance(encoded, tuple) or len(encoded) != 1:
        size = f" of {len(encoded)}" if isinstance(encoded, tuple) else ""
        summary = f"sample {index} is encoded to {type(encoded).__name__}{size}, not to one array"
        raise ModelError("task-failed", summary, "a token task's codec returns a tuple of one array")
    prompt: TokenIds = encoded[0]
    if wrong := prompt_misfit(prompt, context, model):
        code = wrong.code if isinstance(wrong, ModelError) else "task-failed"
        raise ModelError(code, f"sample {index}: {wrong.summary}", wrong.hint)
    return prompt


def wrong_answer(ids: Any, how: Generation, room: int) -> str:
    """What is wrong with an answer, apart from its ids; empty if nothing is.

    Args:
        ids: What ``TokenSession.generate`` returned.
        how: What it was called with.
        room: The tokens that the context has left after the prompt.
    """
    if not isinstance(ids, np.ndarray) or ids.dtype != np.int32 or ids.ndim != 1:
        found = f"{ids.dtype}{list(ids.shape)}" if isinstance(ids, np.ndarray) else type(ids).__name__
        return f"generate() returned {found}, int32[n] was expected"
    if ids.size > min(how.max_new_tokens, room):
        return f"the answer has {ids.size} tokens, but at most {min(how.max_new_tokens, room)} were requested"
    return ""


def wrong_ids(ids: Any, how: Generation, room: int) -> str:
    """What is wrong with an answer or its ids; see :func:`wrong_answer`."""
    if found := wrong_answer(ids, how, room):
        return found
    if ids.size and int(ids.min()) < 0:
        return f"the answer has the token id {int(ids.min())}"
    if np.isin(ids[:-1], how.stop_ids).any():
        return f"the answer goes on after the stop id {int(ids[np.isin(ids, how.stop_ids)][0])}"
    return ""


def after(session: DeepSession, context: TokenIds, ready: Ready) -> Generate:
    """``generate`` of a session that has ``context`` before the prompt."""
    return lambda prompt, how, first_token: session.generate_after(context, prompt, how, ready, first_token)
