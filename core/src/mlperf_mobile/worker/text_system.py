"""The system under test of an engine that takes text: prompts as text, streams of pieces, and what they must obey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, NoReturn

import numpy as np

from mlperf_mobile.contracts import Codec, Generation, Tensors, TextAnswer, TextSession, TextTask, TokenIds
from mlperf_mobile.errors import SEE_LOG, BackendError, MobileError, ModelError, described
from mlperf_mobile.results.tokens import End
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.token_answers import Answering, FirstToken, named
from mlperf_mobile.worker.token_system import TokenSystem

FIRST_PIECE_TOKENS = 8
"""The most tokens of an answer's first piece, and of all its pieces on average; an engine may hold back a text of a few
tokens, such as the beginning of a character or of a stop text."""


class PieceStream(FirstToken):
    """The ``piece`` of one answer: keeps the pieces, and reports the first token with the first one.

    Args:
        tell: Reports the first token.
        faults: Where calls that break the contract are noted.
        count: Called for each piece.
    """

    __slots__ = ("_count", "answer", "pieces")

    answer: TextAnswer
    """What the session returned, once it has been checked."""

    def __init__(self, tell: Callable[[], None], faults: list[str], count: Callable[[], None]) -> None:
        super().__init__(tell, faults, "generate_text")
        self.pieces: list[Any] = []
        self._count = count

    def __call__(self, text: Any = None) -> None:
        self.report()
        self.pieces.append(text)
        self._count()

    def at_once(self, tokens: int) -> bool:
        """Whether several of an answer's tokens came in its only piece with a text."""
        return sum(map(bool, self.pieces)) < 2 and tokens > len(self.pieces)

    def wrong(self, answer: TextAnswer) -> str:
        """What is wrong with the stream of an answer; empty if nothing is."""
        for piece in self.pieces:
            if not isinstance(piece, str):
                return f"a piece is {type(piece).__name__}, not text"
        if "".join(self.pieces) != answer.text:
            return f"the {len(self.pieces)} pieces do not make up the answer: its text is {answer.text!r:.60}"
        if answer.tokens is not None and bool(answer.tokens) != bool(self.pieces):
            return f"the answer has {answer.tokens} tokens, but {len(self.pieces)} pieces were streamed"
        return ""


class TextSystem(TokenSystem):
    """A :class:`mlperf_mobile.contracts.StreamingSystem` over text sessions of one model.

    Responses are the ids of the answers' texts by the task's tokenizer, up to the limit and the first stop id.

    Args:
        task: Has the prompts as text, and the ids of answers.
        sessions: One for each thread that may answer.
        how: The limit and the stop ids.
        codec: Encodes prompts, whose lengths are those of their ids, and decodes answers.
        more: As of :class:`mlperf_mobile.worker.token_system.TokenSystem`.
    """

    _untimely = "text-stream", "the first piece comes"

    def __init__(
        self,
        task: TextTask,
        sessions: Sequence[TextSession],
        how: Generation,
        codec: Codec,
        /,
        *more: Any,
        **named: Any,
    ) -> None:
        self._task, self._texts = task, dict[int, str]()
        self._pieces, self._counting = 0, sessions[0].counts_tokens
        super().__init__(sessions, how, _WithText(codec, task), *more, **named)

    def hold(self, index: int) -> None:
        """Encode one prompt into memory, as text and as ids, and check that the model can take it.

        Raises:
            ModelError: See :meth:`mlperf_mobile.worker.token_system.TokenSystem.hold`.
        """
        System.hold(self, index)
        *encoded, text = self._samples[index]
        self._samples[index] = tuple(encoded)
        self.check_prompt(index)
        self._texts[index] = text.tobytes().decode()

    def unload_samples(self, indices: Sequence[int]) -> None:
        super().unload_samples(indices)
        for index in indices:
            self._texts.pop(index, None)

    @property
    def generated(self) -> int:
        """Pieces streamed so far, and answers: grows unless the sessions hang."""
        return self._pieces + len(self.tokens)

    @property
    def has_depth(self) -> bool:
        """No: prompts of ids, at a depth or not, cannot be given to the engine."""
        return False

    def ask(self, prompt: TokenIds, how: Generation, context: TokenIds | None = None) -> NoReturn:
        """Raise: the engine takes no prompt of ids.

        Raises:
            BackendError: ``text-only``.
        """
        what = f"{self._label}it takes only text, but the prompts of the scenario are token ids"
        raise BackendError("text-only", what, "choose another --scenario, or another --backend")

    def check(self) -> None:
        """Raise what a session did after its last answer was complete.

        Raises:
            BackendError: ``text-stream``.
        """
        if self._faults:
            raise self._error("text-stream", f"a piece of an answer came {self._faults[0]}")

    def _counted(self, ids: TokenIds, first: FirstToken, index: int) -> tuple[int, int, End]:
        """Tokens of the prompt and of the answer, by the engine's count if it has one, and what ended the answer."""
        assert isinstance(first, PieceStream)
        answer = first.answer
        prompt = self.prompt_tokens(index) if answer.prompt_tokens is None else answer.prompt_tokens
        met = bool(len(ids)) and int(ids[-1]) in self._stops
        if answer.tokens is not None:
            count = answer.tokens
        else:  # a token that ended the answer has no text, nor may one that a piece reported
            count = min(max(len(ids) + (answer.stopped and not met), bool(first.calls)), self.how.max_new_tokens)
            count *= bool(first.calls)
        return prompt, count, End.STOP_ID if answer.stopped or met else self._cut(prompt, count)

    def _generating(self, session: Any, how: Generation, *, strict: bool, **nothing: Any) -> Answering:
        generate, texts, faults, failed = session.generate_text, self._texts, self._faults, self._failed
        limit = min(how.max_new_tokens, self.context)

        def answer(name: int | str, prompt: TokenIds, tell: Callable[[], None]) -> tuple[TokenIds, FirstToken]:
            if faults:
                self.check()
            stream = PieceStream(tell, faults, self._piece)
            try:
                found = generate(texts[int(name)], how, stream)
            except BaseException as error:
                raise failed(error) from error
            finally:
                stream.over = True
            if faults:
                self.check()
            if wrong := wrong_text(found, how, self.context, counting=self._counting):
                raise self._error("wrong-outputs", f"{named(name)}: {wrong}")
            if wrong := stream.wrong(found):
                raise self._error("text-stream", f"{named(name)}: {wrong}")
            ids = self._ids(found.text)
            if not self._counting and len(ids) > most_ids(limit):
                what = f"the answer has {len(ids)} tokens by the task's tokenizer, the limit is {limit}"
                raise self._error("wrong-outputs", f"{named(name)}: {what}")
            count, pieces = found.tokens or len(ids), len(stream.pieces)
            if pieces and count > FIRST_PIECE_TOKENS * pieces:
                what = f"the answer of {count} tokens came in {f'{pieces} pieces' if pieces > 1 else 'a single piece'}"
                raise self._error("text-stream", f"{named(name)}: {what}")
            if strict and stream.pieces and (held := len(self._ids(stream.pieces[0]))) > FIRST_PIECE_TOKENS:
                what = f"the first piece of the answer has {held} tokens, so the first token was reported late"
                raise self._error("text-stream", f"{named(name)}: {what}")
            stream.answer = found
            return _until(ids, how), stream

        return answer

    def _piece(self) -> None:
        self._pieces += 1

    def _ids(self, text: str) -> TokenIds:
        try:
            ids = np.asarray(self._task.answer_ids(text), np.int32)
            if ids.ndim != 1:
                raise ValueError(f"answer_ids returned {ids.ndim} dimensions, not 1")
        except BaseException as error:
            if isinstance(error, (MobileError, KeyboardInterrupt)):
                raise
            summary = f"{self._of_task}the answer cannot be encoded to token ids: {described(error)}"
            raise ModelError("task-failed", summary, SEE_LOG) from error
        return ids


class _WithText:
    """A codec that puts a prompt's text, as UTF-8, behind its ids."""

    def __init__(self, codec: Codec, task: TextTask) -> None:
        self._codec, self._task = codec, task
        self.decode = codec.decode

    def encode(self, sample: object) -> Tensors:
        text = self._task.prompt_text(sample)
        if not isinstance(text, str) or not text:
            raise TypeError(f"prompt_text returned {text!r:.40}, not a prompt")
        return (*self._codec.encode(sample), np.frombuffer(text.encode(), np.uint8))


def wrong_text(answer: Any, how: Generation, context: int, *, counting: bool) -> str:
    """What is wrong with an answer, apart from its stream; empty if nothing is.

    Args:
        answer: What ``TextSession.generate_text`` returned.
        how: What it was called with.
        context: The session's ``context``.
        counting: The session's ``counts_tokens``.
    """
    if not isinstance(answer, TextAnswer) or not isinstance(answer.text, str):
        return f"generate_text() returned {type(answer).__name__}, a TextAnswer was expected"
    for name in ("tokens", "prompt_tokens"):
        value = getattr(answer, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
            return f"TextAnswer.{name} is {value!r:.40}, not a whole number"
    if not isinstance(answer.stopped, bool | np.bool_):
        return f"TextAnswer.stopped is {answer.stopped!r:.40}, not True or False"
    if not is_unicode(answer.text):
        return f"the answer contains half of a surrogate pair, which is no Unicode: {answer.text!r:.60}"
    if counting != (answer.tokens is not None):
        return f"counts_tokens is {counting}, but the answer's number of tokens is {answer.tokens}"
    if (answer.tokens or 0) > how.max_new_tokens:
        return f"the answer has {answer.tokens} tokens, but at most {how.max_new_tokens} were requested"
    together = (answer.prompt_tokens or 0) + (answer.tokens or 0)
    if together > context + 1:  # the last token need not be kept
        return f"prompt and answer have {together!r:.40} tokens by its count, but the context is {context}"
    return ""


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def most_ids(limit: int) -> int:
    """The most ids of an answer of ``limit`` tokens.

    A tokenizer may split a text into other tokens than the model generated, usually fewer; a quarter more, and four,
    are granted.
    """
    return limit + limit // 4 + 4


def _until(ids: TokenIds, how: Generation) -> TokenIds:
    """The ids up to the limit, and up to the first stop id, which an engine that does not know it goes on after."""
    ids = ids[: how.max_new_tokens]
    met = np.flatnonzero(np.isin(ids, how.stop_ids))
    return ids[: int(met[0]) + 1] if met.size else ids
