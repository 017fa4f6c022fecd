"""One engine of LiteRT-LM as a text session: a session of the engine for each prompt, and its chunks as pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, text_misfit
from mlperf_mobile.contracts import Generation, Placement, Tensors, TensorSpec, TextAnswer
from mlperf_mobile.errors import BackendError

_HINT = "worker.log has LiteRT-LM's reason"


class LiteRtLmSession:
    """A :class:`mlperf_mobile.contracts.TextSession`.

    Args:
        module: The package ``litert_lm``.
        engine: An engine with the model, and with its benchmark enabled; it is closed with the session.
        context: Its context, in tokens.
        name: The model's name, for messages.
    """

    counts_tokens = True

    def __init__(self, module: Any, engine: Any, context: int, name: str) -> None:
        self._engine, self._name, self.context = engine, name, context
        self._greedy = module.SamplerConfig(top_k=1, top_p=1.0, temperature=0.0, seed=0)
        self.inputs = self.outputs = (TensorSpec("tokens", (1, context), np.dtype(np.int32)),)

    def generate_text(self, prompt: str, how: Generation, piece: Callable[[str], None]) -> TextAnswer:
        """See :meth:`mlperf_mobile.contracts.TextSession.generate_text`.

        The engine ends an answer at the stop tokens of the model file; ``how.stop_ids`` cannot be given to it.

        Raises:
            ModelError: ``prompt-too-long``.
            BackendError: ``input-mismatch``, or ``invoke-failed``: the engine reports an error, or counts no tokens.
        """
        if self._engine is None:
            raise closed(self._name)
        if wrong := text_misfit(prompt, 0, self.context, self._name):
            raise wrong
        started = self._engine.create_session(
            apply_prompt_template=False, sampler_config=self._greedy, max_output_tokens=how.max_new_tokens
        )
        with started as session:
            try:
                session.run_prefill([prompt])
            except RuntimeError as error:
                raise self._refused(prompt, error) from error
            pieces = self._stream(session, piece)
            try:
                counted = session.get_benchmark_info()
            except RuntimeError as error:
                raise self._failed("its number of tokens is unknown", error) from error
        before, new = int(counted.last_prefill_token_count), int(counted.last_decode_token_count)
        new = min(new, how.max_new_tokens) if pieces else 0  # a stop token alone is reported by no piece
        if pieces and not new:
            raise self._failed("it counted no tokens in an answer", None)
        stopped = new < how.max_new_tokens and before + new < self.context
        return TextAnswer("".join(pieces), new, before, stopped=stopped)

    def _stream(self, session: Any, piece: Callable[[str], None]) -> list[str]:
        """Pass the engine's chunks on as they come.

        The engine works in a thread of its own, and its package queues the chunks for this one.
        """
        pieces: list[str] = []
        try:
            for chunk in session.run_decode_async():
                for text in chunk.texts:
                    pieces.append(text)
                    piece(text)
        except RuntimeError as error:
            raise self._failed("generation failed", error) from error
        except BaseException:
            session.cancel_process()  # the engine must not work on while it is closed
            raise
        return pieces

    def _refused(self, prompt: str, error: RuntimeError) -> BaseException:
        """The error of a prompt that the engine did not take; it is counted here, where no time is measured."""
        try:
            tokens = len(self._engine.tokenize(prompt))
        except RuntimeError:
            tokens = 0
        return text_misfit(prompt, tokens, self.context, self._name) or self._failed("the prompt was refused", error)

    def _failed(self, what: str, error: RuntimeError | None) -> BackendError:
        text = f": {' '.join(str(error).split())}" if error else ""
        return BackendError("invoke-failed", f"LiteRT-LM with {self._name}: {what}{text}", _HINT)

    def run(self, inputs: Tensors) -> NoReturn:
        """Raise: the session only generates."""
        if self._engine is None:
            raise closed(self._name)
        raise BackendError("input-mismatch", f"{self._name} only generates", "call generate_text")

    def placement(self) -> Placement:
        """The engine as one operation on the CPU: it reports no operations, and was given no other accelerator."""
        return Placement({"cpu": 1})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = None
