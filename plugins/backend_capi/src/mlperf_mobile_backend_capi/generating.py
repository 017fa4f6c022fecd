"""A language model of a vendor's library as a token session: vectors of ids in and out, as in the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ctypes import byref, c_int32, c_void_p
from threading import get_ident
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, prompt_misfit
from mlperf_mobile.contracts import Generation, Placement, Tensors, TensorSpec, TokenIds
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_capi.abi import PREFIX
from mlperf_mobile_backend_capi.first_token import Bell, Issuer
from mlperf_mobile_backend_capi.instance import Instance
from mlperf_mobile_backend_capi.session import claim
from mlperf_mobile_backend_capi.vectors import Memory, PromptVector

MIN_REQUESTED = 2
"""The fewest tokens to request: the app's own library fails when one is requested (llm_pipeline.cc, commit 051a47a)."""

MAX_ID = 1 << 20
"""Ids are below it: about four times the largest vocabulary of published models, 262,144 (Gemma 3)."""

_REPORT = "report it to the library's vendor"


def context_of(instance: Instance, option: int | None) -> int:
    """The context of a language model, from the option, or else from the library's size of input 0.

    Raises:
        BackendError: ``capi-tokens``: the instance is no language model, or its context is unknown or contradicted.
    """
    name = instance.library.name
    if [dtype for dtype, _ in instance.inputs] != [np.int32] * 2 or len(instance.outputs) != 1:
        found = ", ".join(str(dtype) for dtype, _ in instance.inputs)
        summary = (f"{name} has loaded {instance.model} as no language model: it has {len(instance.outputs)} outputs, "
                   f"and inputs of {found}, not int32 token ids and an int32 limit")  # fmt: skip
        hint = "select a benchmark of language models with the option benchmark, or custom_settings.pipeline"
        raise BackendError("capi-tokens", summary, hint)
    reported = instance.inputs[0][1]
    if option is not None and option > reported > 1:
        summary = f"the option context is {option}, but {name} reports {reported} for {instance.model}"
        raise BackendError("capi-tokens", summary, f"use at most {reported}, or leave the option out")
    context = option or reported
    if context < MIN_REQUESTED:
        summary = f"{name} reports no context for {instance.model}"
        raise BackendError("capi-tokens", summary, "set it: --set context=3072")
    return context


def token_specs(context: int) -> tuple[TensorSpec]:
    """What a language model takes and returns: int32[1, context], at most."""
    return (TensorSpec("tokens", (1, context), np.dtype(np.int32)),)


class CTokenSession:
    """A :class:`mlperf_mobile.contracts.TokenSession` over the app's calls for a query of a language model.

    The query is issued in the caller's thread, as in the app. If the library reports the first token in a thread of its
    own, the query is repeated in a helper thread, and so are all later ones, while the caller waits for the report.

    Args:
        instance: Closed with the session.
        context: Tokens that prompt and answer may have together.
    """

    def __init__(self, instance: Instance, context: int) -> None:
        self._instance, self._open, self.context = instance, True, context
        self.inputs = self.outputs = token_specs(context)
        self._prompt, self._memory, self._limit = PromptVector(context), Memory(), c_int32()
        self._bell = Bell()
        self._issuer: Issuer | None = None
        self._reported = 0

    def generate(self, prompt: TokenIds, how: Generation, first_token: Callable[[], None]) -> TokenIds:
        """See :meth:`mlperf_mobile.contracts.TokenSession.generate`.

        The interface takes no stop ids: the library ends an answer at its own. One that goes on after a stop id of the
        task is cut there, and so is one that had to be requested longer.

        Raises:
            ModelError: ``prompt-too-long``.
            BackendError: ``input-mismatch``; ``capi-failed``, ``capi-output``: a call failed; ``capi-tokens``: the
                answer is impossible; ``first-token``: the library reported it late, twice or not at all.
        """
        if not self._open:
            self._closed()
        if wrong := prompt_misfit(prompt, self.context, self._instance.model):
            raise wrong
        limit = min(how.max_new_tokens, self.context - prompt.size)
        ids = self._query(prompt, limit, first_token)
        if ids is None:
            self._issuer = Issuer()
            ids = self._query(prompt, limit, first_token)
            assert ids is not None
        ends = np.flatnonzero(np.isin(ids, how.stop_ids))
        return ids[: min(limit, int(ends[0]) + 1 if ends.size else limit)]

    def _query(self, prompt: TokenIds, limit: int, first_token: Callable[[], None]) -> TokenIds | None:
        """The library's answer; None if the first token must be received from another thread."""
        bell, instance = self._bell, self._instance
        self._check_late()
        pointer, set_input, requested = instance.pointer, instance.function("set_input"), max(limit, MIN_REQUESTED)
        self._prompt.fill(prompt)
        self._limit.value = requested
        for i, data in enumerate((self._prompt.address, byref(self._limit))):
            if status := set_input(pointer, 0, i, data):
                raise instance.failed("set_input", status)
        try:
            if status := self._issue(first_token):
                raise bell.error or instance.failed("issue_query", status)
            try:
                ids = self._answer(requested)
            finally:
                bell.over()
                flushed = instance.function("flush_queries")(pointer)
        finally:
            bell.over()
        if bell.error:
            raise bell.error
        if flushed:
            raise instance.failed("flush_queries", flushed)
        self._check_late()
        if bell.foreign:
            return None
        self._reported += bell.calls
        if bell.calls != (1 if ids.size else 0):
            times = f"{bell.calls} times" if bell.calls else "never"
            raise self._wrong(f"reported the first token {times} for an answer of {ids.size} tokens", "first-token")
        return ids

    def _issue(self, first_token: Callable[[], None]) -> int:
        bell, issuer, pointer = self._bell, self._issuer, self._instance.pointer
        function = self._instance.function("issue_query")
        if issuer is None:
            return int(function(pointer, bell.callback, bell.start(first_token, get_ident())))
        return issuer.run(
            lambda tell: int(function(pointer, bell.callback, bell.start(tell, None))),
            lambda: bell.pass_on(first_token),
        )

    def _answer(self, requested: int) -> TokenIds:
        """A checked copy of the library's output."""
        place = c_void_p()
        if status := self._instance.function("get_output")(self._instance.pointer, 0, 0, byref(place)):
            raise self._instance.failed("get_output", status)
        if not place.value:
            raise self._wrong(f"returned NULL as the answer in {PREFIX}get_output", "capi-output")
        try:
            ids = self._memory.ids(place.value, requested)
        except ValueError as error:
            raise self._wrong(f"returned an impossible answer: {error}") from error
        outside = ids[(ids < 0) | (ids >= MAX_ID)]
        if outside.size:
            raise self._wrong(f"returned the id {outside[0]}, which no vocabulary has")
        if not self._prompt.intact:
            raise self._wrong("changed the vector of the prompt, which is not its own")
        return ids

    def _check_late(self) -> None:
        late, self._bell.late = self._bell.late, 0
        if late:
            raise self._wrong("reported a first token after its query was over", "first-token")

    def _wrong(self, what: str, code: str = "capi-tokens") -> BackendError:
        return BackendError(code, f"{self._instance.library.name} {what} ({self._instance.model})", _REPORT)

    def run(self, inputs: Tensors) -> NoReturn:
        """Raise: the session only generates."""
        if not self._open:
            self._closed()
        summary = f"{self._instance.model} is loaded to generate tokens only"
        raise BackendError("input-mismatch", summary, "call generate")

    def placement(self) -> Placement:
        """The library's claim, as one operation per accelerator in its text."""
        if not self._open:
            self._closed()
        return claim(self._instance)

    def report(self) -> Mapping[str, Any]:
        """The library's names for itself, how often it reported a first token, and in whose thread."""
        thread = "the library's" if self._issuer else "the query's"
        return {**self._instance.names, "first_tokens": self._reported, "first_token_thread": thread}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._open:
            return
        self._open = False
        try:
            if self._issuer:
                self._issuer.close()
        finally:
            self._memory.close()
            self._instance.close()
        if exc[:1] in ((), (None,)):
            self._check_late()

    def _closed(self) -> NoReturn:
        raise closed(self._instance.model)
