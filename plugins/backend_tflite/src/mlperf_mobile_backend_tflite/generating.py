"""A language model as a token session: the prompt through ``prefill_N``, then one token after another, greedily."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, prompt_misfit
from mlperf_mobile.contracts import Generation, Placement, Tensors, TensorSpec, TokenIds
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_tflite.caches import Caches


class TFLiteTokenSession:
    """A :class:`mlperf_mobile.contracts.DeepSession`, which also counts its tokens.

    Args:
        caches: The model with its caches.
        name: The model's name, for messages.
        placement: Where its operations run.
    """

    def __init__(self, caches: Caches, name: str, placement: Placement) -> None:
        self._caches: Caches | None = caches
        self._name, self._placement = name, placement
        self.context = caches.signatures.context
        self.inputs = self.outputs = (TensorSpec("tokens", (1, self.context), np.dtype(np.int32)),)
        self.generated = 0
        """Tokens generated so far, in all calls."""

    def generate(self, prompt: TokenIds, how: Generation, first_token: Callable[[], None]) -> TokenIds:
        """See :meth:`mlperf_mobile.contracts.TokenSession.generate`.

        All but the last token of the prompt go through ``prefill_N``; the last one goes through ``decode``, which gives
        the first new token.

        Raises:
            ModelError: ``prompt-too-long``.
            BackendError: ``input-mismatch``, ``nan-logits``, or ``invoke-failed``: the runtime's reason.
        """
        return self._checked(prompt, prompt.size, how, None, first_token)

    def generate_after(
        self,
        context: TokenIds,
        prompt: TokenIds,
        how: Generation,
        ready: Callable[[], None],
        first_token: Callable[[], None],
    ) -> TokenIds:
        """See :meth:`mlperf_mobile.contracts.DeepSession.generate_after`.

        The context goes through ``prefill_N`` as far as they take it, and the prompt after it, as in :meth:`generate`.

        Raises:
            ModelError: ``prompt-too-long``.
            BackendError: As in :meth:`generate`.
        """
        for part in (context, prompt):
            if wrong := prompt_misfit(part, self.context, self._name):
                raise wrong
        whole = np.concatenate((context, prompt))
        return self._checked(whole, prompt.size, how, ready, first_token)

    def _checked(
        self,
        ids: TokenIds,
        timed: int,
        how: Generation,
        ready: Callable[[], None] | None,
        first_token: Callable[[], None],
    ) -> TokenIds:
        """The answer to ``ids``; ``ready`` is called when all but the last ``timed`` of them are in the caches."""
        caches = self._caches
        if caches is None:
            self._closed()
        if wrong := prompt_misfit(ids, self.context, self._name):
            raise wrong
        try:
            caches.clear()
            if ready:
                self._process(caches, ids, 0, ids.size - timed)
                ready()
            return self._answer(caches, ids, ids.size - timed if ready else 0, how, first_token)
        except (RuntimeError, ValueError) as error:
            text = " ".join(str(error).split()).rstrip(".")
            raise BackendError("invoke-failed", f"{self._name} failed to run: {text}", "see worker.log") from error

    def _answer(
        self, caches: Caches, prompt: TokenIds, done: int, how: Generation, first_token: Callable[[], None]
    ) -> TokenIds:
        """Process the prompt from ``done`` on, the last token through ``decode``, and generate."""
        count = prompt.size
        self._process(caches, prompt, done, count - 1)
        decode, stops = caches.decode, how.stop_ids
        logits = decode(int(prompt[count - 1]), count - 1)
        ids: list[int] = []
        room = min(how.max_new_tokens, self.context - count)
        while True:
            token = int(logits.argmax())
            if logits[token] != logits[token]:  # the first NaN, if there is any (numpy.argmax)
                raise BackendError("nan-logits", f"{self._name} computed NaN for token {len(ids) + 1} of an answer",
                                   "the model or its quantisation is broken, or the kernels are")  # fmt: skip
            if not ids:
                first_token()
            ids.append(token)
            self.generated += 1
            if token in stops or len(ids) == room:
                return np.array(ids, np.int32)
            logits = decode(token, count + len(ids) - 1)

    def _process(self, caches: Caches, prompt: TokenIds, start: int, end: int) -> None:
        """Run the tokens from ``start`` to ``end`` through the prefill signatures, and what none takes one by one."""
        for at in range(self._prefill(caches, prompt, start, end), end):
            caches.decode(int(prompt[at]), at)

    def _prefill(self, caches: Caches, prompt: TokenIds, at: int, end: int) -> int:
        """Run the tokens from ``at`` to ``end`` through the prefill signatures; returns up to where they were run.

        The largest signature as often as it is full, then the smallest one that takes the rest. Its unused slots have
        the positions after the prompt, as in the reference app, where later tokens replace what they write before any
        token may attend to it. Their token is the last one before them, since every vocabulary has it.
        """
        while at < end:
            chosen = self._choose(end - at, self.context - at)
            if chosen is None:
                break
            size, name = chosen
            used = min(size, end - at)
            tokens = np.full(size, prompt[at + used - 1], np.int32)
            tokens[:used] = prompt[at : at + used]
            caches.prefill(name, tokens, np.arange(at, at + size, dtype=np.int32))
            at += used
        return at

    def _choose(self, left: int, room: int) -> tuple[int, str] | None:
        """The signature for the next of ``left`` tokens, whose slots fit into ``room`` positions; None for none."""
        assert self._caches is not None
        fitting = [each for each in self._caches.signatures.prefills if each[0] <= room]
        enough = [each for each in fitting if each[0] >= left]
        full = [each for each in fitting if each[0] <= left]
        if enough:
            return enough[-1]
        return full[0] if full else None

    def run(self, inputs: Tensors) -> NoReturn:
        """Raise: the session only generates."""
        if self._caches is None:
            self._closed()
        summary = f"{self._name} is loaded to generate tokens only"
        raise BackendError("input-mismatch", summary, "call generate")

    def placement(self) -> Placement:
        """See :meth:`mlperf_mobile.contracts.Session.placement`."""
        return self._placement

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._caches = None

    def _closed(self) -> NoReturn:
        raise closed(self._name)
