"""The contracts of sessions that generate: token ids in and out, or text in and out; the first token is reported."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlperf_mobile.contracts.backend import Session
from mlperf_mobile.contracts.scenario import SystemUnderTest

if TYPE_CHECKING:
    from mlperf_mobile.contracts.tensors import TokenIds


@dataclass(frozen=True, slots=True)
class Generation:
    """How to generate: the same for every prompt of a run. The next token is always the most likely one (greedy).

    Raises:
        ValueError: The limit is not positive, or a stop id is negative.
    """

    max_new_tokens: int
    """The most tokens of an answer, at least 1; the stop id counts."""
    stop_ids: tuple[int, ...] = ()
    """The token ids that end an answer; each is a part of the answer that it ends."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}, not 1 or more")
        if any(each < 0 for each in self.stop_ids):
            raise ValueError(f"stop_ids {self.stop_ids} has a negative number, which is no token id")


@runtime_checkable
class TokenSession(Session, Protocol):
    """A session that generates tokens, loaded for ``CompileRequest.tokens`` (``Capability.TOKEN_STREAM``).

    Its ``inputs`` and ``outputs`` are one spec each, int32[1, context], where the length means *at most*: a prompt and
    an answer are int32[n]. ``run`` is not called.
    """

    @property
    def context(self) -> int:
        """The most tokens that prompt and answer may have together."""
        ...

    def generate(self, prompt: TokenIds, how: Generation, first_token: Callable[[], None]) -> TokenIds:
        """Generate the answer to one prompt: the only backend call inside the timed region.

        Nothing may remain from earlier prompts: the same prompt always has the same answer.

        Args:
            prompt: int32[n] with n from 1 to :attr:`context` - 1; must not be changed.
            how: The limit and the stop ids.
            first_token: To be called exactly once, in the thread of this call, as soon as the first token is known; not
                at all for an answer without tokens. LoadGen loses what other threads report about a query.

        Returns:
            int32[m]: the new ids, without the prompt. The last one is a stop id if one was met; otherwise ``m`` is
            ``how.max_new_tokens``, or less where the context ends.

        Raises:
            ModelError: ``prompt-too-long``: the prompt does not fit into the context;
                :func:`mlperf_mobile.backend_checks.prompt_misfit` makes the error.
            BackendError: The runtime failed, or computed NaN.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """The answer of a :class:`TextSession` to one prompt.

    Raises:
        ValueError: A number of tokens is negative.
    """

    text: str
    """The new text: without the prompt, and without the text of a token that ended it."""
    tokens: int | None = None
    """The engine's own count of the answer's tokens, one that ended it included; None if the engine counts none."""
    prompt_tokens: int | None = None
    """Its count of the prompt's tokens, with those that it put before it; None if it reports none."""
    stopped: bool = False
    """Whether the engine reports that one of the model's stop tokens ended the answer."""

    def __post_init__(self) -> None:
        if min(self.tokens or 0, self.prompt_tokens or 0) < 0:
            raise ValueError(f"tokens {self.tokens} and prompt_tokens {self.prompt_tokens} must not be negative")


@runtime_checkable
class TextSession(Session, Protocol):
    """A session of an engine that does not expose token ids: text in, pieces of text out.

    Loaded for ``CompileRequest.tokens`` by a backend with ``Capability.TEXT_STREAM`` and without ``TOKEN_STREAM``; the
    task is a :class:`mlperf_mobile.contracts.TextTask`. Its ``inputs`` and ``outputs`` are those of a
    :class:`TokenSession`. ``run`` is not called.
    """

    @property
    def context(self) -> int:
        """The most tokens that prompt and answer may have together, by the model's own tokenizer."""
        ...

    @property
    def counts_tokens(self) -> bool:
        """Whether every answer has the engine's own number of tokens; otherwise the task's tokenizer counts them."""
        ...

    def generate_text(self, prompt: str, how: Generation, piece: Callable[[str], None]) -> TextAnswer:
        """Generate the answer to one prompt: the only backend call inside the timed region.

        The prompt is complete: the engine applies no template of its own, and takes the names of special tokens in it
        for these tokens. Nothing may remain from earlier prompts: the same prompt always has the same answer.

        Args:
            prompt: Not empty.
            how: The limit; the stop ids are those of the task's tokenizer, for engines that can take them. An engine
                ends answers at its model's own stop tokens anyway.
            piece: To be called in the thread of this call with each piece of the answer, in order, as soon as it is
                known, and at the latest when the next token is computed; with an empty text for a token that has no
                text yet. The first call reports the first token. All pieces together are the answer's text.

        Raises:
            ModelError: ``prompt-too-long``: the prompt does not fit into the context.
            BackendError: The runtime failed.
        """
        ...


@runtime_checkable
class CountingSession(Session, Protocol):
    """A token session that reports how many tokens it has generated, so that a long answer does not count as a hang."""

    @property
    def generated(self) -> int:
        """Tokens generated so far, in all calls; read from a separate thread while the session works."""
        ...


@runtime_checkable
class DeepSession(TokenSession, Protocol):
    """A token session that reports when the first part of a prompt is in its context; only the rest is timed."""

    def generate_after(
        self,
        context: TokenIds,
        prompt: TokenIds,
        how: Generation,
        ready: Callable[[], None],
        first_token: Callable[[], None],
    ) -> TokenIds:
        """Generate the answer to ``context`` and ``prompt`` together, as :meth:`generate` would.

        Nothing may remain from earlier calls: ``context`` is processed in this one.

        Args:
            context: int32[d], d at least 1: what is in the context before the prompt.
            prompt: int32[n], n at least 1.
            how: The limit and the stop ids.
            ready: To be called exactly once, in the thread of this call, when all of ``context`` has been processed,
                and nothing of ``prompt``.
            first_token: As in :meth:`generate`; after ``ready``.

        Returns:
            int32[m]: the answer, as :meth:`generate` returns it.

        Raises:
            ModelError: ``prompt-too-long``: both do not fit into the context.
            BackendError: The runtime failed, or computed NaN.
        """
        ...


@runtime_checkable
class StreamingSystem(SystemUnderTest, Protocol):
    """A system under test whose first session generates tokens, and reports its first one."""

    @property
    def tokens(self) -> array[int]:
        """The answers so far, as in ``tokens.bin``: four numbers each; only streamed ones have a first token's time."""
        ...

    def stream(self, index: int, first_token: Callable[[], None]) -> tuple[bytes, int]:
        """Timed: generate the answer to one loaded sample on the first session.

        Args:
            index: The sample.
            first_token: Called exactly once, as soon as the first token is known; never for an empty answer.

        Returns:
            The response, and the number of its tokens.

        Raises:
            BackendError: ``first-token``: the session broke this rule; ``wrong-outputs``: it returned no answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """What was counted for the answer to a prompt of the scenario's own."""

    tokens: int
    """Tokens of the answer."""
    first_ns: int
    """Nanoseconds from the issue of the prompt to the first token; 0 for an answer without tokens."""
    latency_ns: int
    """Nanoseconds from the issue of the prompt to the complete response."""


@runtime_checkable
class PromptedSystem(StreamingSystem, Protocol):
    """A streaming system that also answers prompts that the scenario makes."""

    @property
    def context(self) -> int:
        """The most tokens that prompt and answer may have together."""
        ...

    @property
    def has_depth(self) -> bool:
        """Whether the first session is a :class:`DeepSession`."""
        ...

    def prompt(self, index: int) -> TokenIds:
        """The prompt of one loaded sample: int32[n], which must not be changed."""
        ...

    def ask(self, prompt: TokenIds, how: Generation, context: TokenIds | None = None) -> TimedAnswer:
        """Timed: generate the answer to a prompt on the first session.

        Args:
            prompt: int32[n], n at least 1.
            how: The limit and the stop ids; without stop ids, an answer is as long as the limit, unless the session
                has ends of its own.
            context: int32[d], d at least 1, where :attr:`has_depth`: processed before the clock starts.

        Raises:
            ModelError: ``prompt-too-long``.
            BackendError: ``first-token``, ``wrong-outputs``: the session broke the contract; or the session's error.
        """
        ...
