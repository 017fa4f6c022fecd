"""The system under test of a language model: prompts in memory, answers by token sessions, and what they must obey."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter_ns
from typing import Any

from mlperf_mobile.contracts import (
    Codec,
    CountingSession,
    Dataset,
    DeepSession,
    Generation,
    Session,
    TextSession,
    TimedAnswer,
    TokenIds,
    TokenSession,
)
from mlperf_mobile.errors import SEE_LOG, BackendError, MobileError, ModelError, described
from mlperf_mobile.results.tokens import AT_ONCE, End
from mlperf_mobile.worker.blame import labelled
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.first_token_times import JUDGED_TOKENS, Answered, misfit
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.token_answers import (
    Answering,
    Early,
    FirstToken,
    Generate,
    Ready,
    after,
    few,
    named,
    nobody,
    prompt_of,
    wrong_answer,
    wrong_ids,
)
from mlperf_mobile.worker.watch import Watch

_DEFECT = "this is a defect of the backend; report it to its vendor. The conformance kit reproduces it"


class TokenSystem(System):
    """A :class:`mlperf_mobile.contracts.PromptedSystem` over token sessions of one model.

    Args:
        sessions: One for each thread that may answer.
        how: The limit and the stop ids.
        codec: Encodes prompts, decodes answers.
        dataset: The data set of the prompts.
        watch: Reports the progress of encoding.
        store: Keeps encoded prompts between runs.
        strict: Whether to check every id of an answer, which takes time: in runs that are not timed.
        abandon: Ends the process after an error in a load generator's callback.
        backend: The backend's name, for errors.
        task: The task's name, for errors.
        data: The data set's name, for errors.
        model: The model's name, for errors.
    """

    stream: Callable[[int, Callable[[], None]], tuple[bytes, int]]
    _untimely = "first-token", "the first token is reported"

    def __init__(
        self,
        sessions: Sequence[TokenSession] | Sequence[TextSession],
        how: Generation,
        codec: Codec,
        dataset: Dataset,
        watch: Watch,
        store: EncodedStore | None = None,
        *,
        strict: bool = False,
        abandon: Callable[[BaseException], None] | None = None,
        backend: str = "",
        task: str = "",
        data: str = "",
        model: str = "the model",
    ) -> None:
        super().__init__(
            sessions, 1, codec, dataset, watch, store, abandon=abandon, backend=backend, task=task, data=data
        )
        self.token_sessions, self.how = sessions, how
        self.context = sessions[0].context
        self._stops = frozenset(how.stop_ids)
        self.tokens, self.was_asked, self._untimed = array("q"), False, 0
        self._label, self._of_task = labelled("backend", backend), labelled("task", task)
        self._model = model
        self._faults: list[str] = []
        self.stream = self._streaming(self._generating(sessions[0], how, strict=strict))
        generating = [self._generating(session, how, strict=strict) for session in sessions]
        self.answer = partial(self._answer, generating[0])
        self.answer_batch = lambda indices, session: [self._answer(generating[session], index) for index in indices]

    @staticmethod
    def takes(session: Session) -> None:
        """Prompts are checked with the context, see :meth:`check_prompt`."""

    def hold(self, index: int) -> None:
        """Encode one prompt into memory, and check that the model can take it.

        Raises:
            ModelError: ``prompt-too-long``, or ``task-failed``: the codec did not encode it to token ids.
        """
        super().hold(index)
        self.check_prompt(index)

    def check_prompt(self, index: int) -> None:
        """Check that a sample is encoded to one prompt, which the model can take.

        Raises:
            ModelError: See :meth:`hold`.
        """
        prompt_of(self._samples[index], index, self.context, self._model)

    def prompt_tokens(self, index: int) -> int:
        """The length of a loaded prompt, in tokens."""
        return int(self._samples[index][0].size)

    def generate(self, index: int, number: int, how: Generation) -> TokenIds:
        """The checked answer to one loaded prompt, not timed."""
        ids, _ = self._generating(self.token_sessions[number], how, strict=True)(index, self.prompt(index), nobody)
        self._untimed += 1
        return ids

    def prompt(self, index: int) -> TokenIds:
        """See :meth:`mlperf_mobile.contracts.PromptedSystem.prompt`."""
        prompt: TokenIds = self._samples[index][0]
        return prompt

    @property
    def has_depth(self) -> bool:
        """See :meth:`mlperf_mobile.contracts.PromptedSystem.has_depth`."""
        return isinstance(self.token_sessions[0], DeepSession)

    def ask(self, prompt: TokenIds, how: Generation, context: TokenIds | None = None) -> TimedAnswer:
        """See :meth:`mlperf_mobile.contracts.PromptedSystem.ask`."""
        session, ready, self.was_asked = self.token_sessions[0], Ready(), True
        assert isinstance(session, TokenSession)
        generate: Generate = session.generate
        depth = 0
        if context is not None:
            assert isinstance(session, DeepSession)
            generate, depth = after(session, context, ready), context.size
        answer = self._generating(session, how, strict=False, generate=generate, depth=depth)
        began = perf_counter_ns()
        ids, first = answer("a prompt of the scenario", prompt, nobody)
        self.respond(ids)
        ended = perf_counter_ns()
        if context is not None:
            if ready.calls != 1 or (first.calls and first.time_ns < ready.time_ns):
                what = f"ready was called {ready.calls} times, or after the first token"
                raise self._error("first-token", f"a prompt at depth {depth}: {what}")
            began = ready.time_ns
        return TimedAnswer(len(ids), first.time_ns - began if len(ids) else 0, ended - began)

    @property
    def generated(self) -> int:
        """Tokens generated so far by sessions that count them, and answers of the others: grows unless they hang."""
        counted = sum(each.generated for each in self.token_sessions if isinstance(each, CountingSession))
        return counted + len(self.tokens) + self._untimed

    def check_stream(self, index: int) -> None:
        """Answer a loaded sample again, and raise if its first token is not reported when that of a short answer is.

        Raises:
            BackendError: ``first-token``, or ``text-stream`` of an engine that takes text.
        """
        code, what = self._untimely
        if times := misfit(lambda: self._timed(index, JUDGED_TOKENS), lambda: self._timed(index, 1)):
            raise self._error(code, f"sample {index}: {what} {times}")

    def _timed(self, index: int, tokens: int) -> Answered:
        answer = self._generating(self.token_sessions[0], few(self.how, tokens), strict=True)
        began = perf_counter_ns()
        ids, first = answer(index, self.prompt(index), nobody)
        whole_ns = perf_counter_ns() - began
        return Answered(self._counted(ids, first, index)[1], first.time_ns - began, whole_ns)

    def check(self) -> None:
        """Raise what a session did after its last answer was complete.

        Raises:
            BackendError: ``first-token``.
        """
        if self._faults:
            raise self._error("first-token", f"first_token was called {self._faults[0]}")

    def _counted(self, ids: TokenIds, first: FirstToken, index: int) -> tuple[int, int, End]:
        """Tokens of the prompt and of the answer, and what ended it."""
        count, prompt = len(ids), self.prompt_tokens(index)
        if count and int(ids[-1]) in self._stops:
            return prompt, count, End.STOP_ID
        return prompt, count, self._cut(prompt, count)

    def _cut(self, prompt: int, count: int) -> End:
        """What ended an answer without a stop id."""
        if count >= self.how.max_new_tokens:
            return End.LIMIT
        return End.CONTEXT if prompt + count >= self.context else End.OTHER

    def _generating(
        self,
        session: Any,
        how: Generation,
        *,
        strict: bool,
        generate: Generate | None = None,
        depth: int = 0,
    ) -> Answering:
        """The call of a session, and the checks of its answer; a ``try`` costs the timed region nothing.

        Args:
            session: The session.
            how: The limit and the stop ids.
            strict: Whether to check every id of the answer.
            generate: Called instead of the session's ``generate``.
            depth: Tokens that are in the context before the prompt.

        Returns:
            A function of the sample's index, or what else to call the prompt in errors, and of the prompt.
        """
        generate, faults, failed = generate or session.generate, self._faults, self._failed
        wrong = wrong_ids if strict else wrong_answer
        room = self.context - depth
        counts = session if strict and isinstance(session, CountingSession) else None

        def answer(name: int | str, prompt: TokenIds, tell: Callable[[], None]) -> tuple[TokenIds, FirstToken]:
            if faults:
                self.check()
            before = counts.generated if counts else 0
            early = Early(counts, before, tell) if counts else None
            first = FirstToken(early or tell, faults)
            try:
                ids = generate(prompt, how, first)
            except BaseException as error:
                raise failed(error) from error
            finally:
                first.over = True
            if faults:
                self.check()
            if found := wrong(ids, how, room - prompt.size):
                raise self._error("wrong-outputs", f"{named(name)}: {found}")
            if first.calls != (1 if len(ids) else 0):
                times = "never called" if not first.calls else f"called {first.calls} times"
                raise self._error("first-token", f"{named(name)}: first_token was {times} for {len(ids)} tokens")
            if early and early.tokens > 1:
                what = f"first_token was called when {early.tokens} tokens were known"
                raise self._error("first-token", f"{named(name)}: {what}")
            return ids, first

        return answer

    def _streaming(self, answer: Answering) -> Callable[[int, Callable[[], None]], tuple[bytes, int]]:
        record, samples, counted, respond = self.tokens.extend, self._samples, self._counted, self.respond

        def stream(index: int, first_token: Callable[[], None]) -> tuple[bytes, int]:
            began = perf_counter_ns()
            ids, first = answer(index, samples[index][0], first_token)
            response = respond(ids)
            prompt, count, end = counted(ids, first, index)
            first_ns = first.time_ns - began if count else 0
            record((prompt, count, first_ns, end + AT_ONCE * first.at_once(count)))
            return response, count

        return stream

    def respond(self, ids: TokenIds) -> bytes:
        """The response for an answer.

        Raises:
            ModelError: ``task-failed``.
        """
        try:
            return self.codec.decode((ids,))
        except BaseException as error:
            if isinstance(error, (MobileError, KeyboardInterrupt)):
                raise
            summary = f"{self._of_task}the answer cannot be decoded: {described(error)}"
            raise ModelError("task-failed", summary, SEE_LOG) from error

    def _answer(self, answer: Answering, index: int) -> bytes:
        """The response to one loaded prompt, without the time of its first token; from any thread."""
        ids, first = answer(index, self.prompt(index), nobody)
        prompt, count, end = self._counted(ids, first, index)
        self.tokens.extend(array("q", (prompt, count, 0, end)))
        return self.respond(ids)

    def _failed(self, error: BaseException) -> BaseException:
        if isinstance(error, (MobileError, KeyboardInterrupt)):
            return error
        return BackendError("backend-failed", f"{self._label}generation failed: {described(error)}", SEE_LOG)

    def _error(self, code: str, what: str) -> BackendError:
        return BackendError(code, f"{self._label}{what}", _DEFECT)
