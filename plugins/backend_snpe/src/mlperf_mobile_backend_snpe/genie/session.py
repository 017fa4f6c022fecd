"""One dialog of Genie as a token session: ids in, ids out, and nothing kept between prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ctypes import byref, c_void_p
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, prompt_misfit
from mlperf_mobile.contracts import Generation, Placement, Tensors, TensorSpec, TokenIds
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.genie import abi
from mlperf_mobile_backend_snpe.genie.answer import Answer, Receiver
from mlperf_mobile_backend_snpe.genie.config import ENGINES, GenieConfig
from mlperf_mobile_backend_snpe.genie.library import REASON, Library


class GenieSession:
    """A :class:`mlperf_mobile.contracts.TokenSession`.

    Args:
        library: Genie.
        config: The model's configuration.
        name: The model's name, for messages.

    Raises:
        ModelError: ``genie-config``: Genie rejects the configuration.
        BackendError: ``genie-failed``: it cannot load the model.
    """

    def __init__(self, library: Library, config: GenieConfig, name: str) -> None:
        self._library, self._config, self._name = library, config, name
        self.context = config.context
        self.inputs = self.outputs = (TensorSpec("tokens", (1, config.context), np.dtype(np.int32)),)
        self._receiver, self._dialog, self._limit = Receiver(), c_void_p(), 0
        self._answer: Answer | None = None
        self._before = 0
        settings = c_void_p()
        library.check("DialogConfig_createFromJson", name, config.text.encode(), byref(settings))
        try:
            library.check("Dialog_create", name, settings, byref(self._dialog))
        finally:
            library.function("DialogConfig_free")(settings)
        if not self._dialog:
            raise BackendError("genie-failed", f"GenieDialog_create gave no dialog for {name}", REASON)

    @property
    def generated(self) -> int:
        """Tokens generated so far; see :class:`mlperf_mobile.contracts.CountingSession`."""
        answer = self._answer
        return self._before + (len(answer.ids) if answer else 0)

    def generate(self, prompt: TokenIds, how: Generation, first_token: Callable[[], None]) -> TokenIds:
        """See :meth:`mlperf_mobile.contracts.TokenSession.generate`.

        The dialog is reset after each answer, as in the app, and that is a part of the query's time.

        Raises:
            ModelError: ``prompt-too-long``.
            BackendError: ``input-mismatch``; ``genie-failed``: a call failed; ``genie-answer``: the answer is
                impossible, or no answer.
        """
        if not self._dialog:
            raise closed(self._name)
        if wrong := prompt_misfit(prompt, self.context, self._name):
            raise wrong
        if prompt.min() < 0 or prompt.max() >= self._config.vocabulary:
            summary = f"a prompt for {self._name} has an id that is not in its vocabulary of {self._config.vocabulary}"
            raise BackendError("input-mismatch", summary, "use the tokenizer of the model")
        self._check_late()
        library, limit = self._library, min(how.max_new_tokens, self.context - prompt.size)
        if limit != self._limit:
            library.check("Dialog_setMaxNumTokens", self._name, self._dialog, limit)
            self._limit = limit
        answer = Answer(limit, frozenset(how.stop_ids), self._config.vocabulary, first_token, self._abort)
        self._answer = answer
        try:
            status = self._query(np.ascontiguousarray(prompt), answer)
        finally:
            self._receiver.over()
            self._before, self._answer = self._before + len(answer.ids), None
            reset = library.function("Dialog_reset")(self._dialog)
        self._check(answer, status, limit)
        if reset:
            raise library.failed("Dialog_reset", self._name, reset)
        return np.array(answer.ids, np.int32)

    def _query(self, prompt: TokenIds, answer: Answer) -> int:
        pointer = self._receiver.start(answer)
        query = self._library.function("Dialog_tokenQuery")
        return int(query(self._dialog, prompt.ctypes.data, prompt.size, abi.COMPLETE, self._receiver.callback, pointer))

    def _abort(self) -> None:
        self._library.function("Dialog_signal")(self._dialog, abi.ABORT)

    def _check(self, answer: Answer, status: int, limit: int) -> None:
        """Refuse an answer that Genie did not complete, or that cannot be one."""
        if answer.error:
            raise answer.error
        if answer.fault:
            raise self._impossible(answer.fault)
        if status != abi.SUCCESS and not (status == abi.ABORTED and answer.aborted):
            raise self._library.failed("Dialog_tokenQuery", self._name, status, self._advice(status, answer))
        if not answer.over:
            what = f"after {len(answer.ids)} of {limit} tokens, without a stop id" if answer.ids else "without a token"
            raise self._impossible(f"reports success {what}")

    def _advice(self, status: int, answer: Answer) -> str:
        """What is known about a status that does not say enough."""
        after = f", after {len(answer.ids)} tokens"
        if status == abi.ABORTED:  # GenieDialog.cpp keeps the status of a token query in a bool
            return f"{after}; nothing aborted it: by this number, Genie also reports that a token query failed"
        if status == abi.CONTEXT_EXCEEDED:
            return f"{after}; the model has a shorter context than its configuration's size of {self.context}"
        return after

    def _impossible(self, what: str) -> BackendError:
        return BackendError("genie-answer", f"Genie {what} ({self._name})", f"try another version of Genie; {REASON}")

    def _check_late(self) -> None:
        late, self._receiver.late = self._receiver.late, 0
        if late:
            raise self._impossible("reported tokens after its query was over")

    def run(self, inputs: Tensors) -> NoReturn:
        """Raise: the session generates, and runs nothing else."""
        if not self._dialog:
            raise closed(self._name)
        summary = f"{self._name} is loaded to generate tokens, and runs nothing else"
        raise BackendError("input-mismatch", summary, "call generate")

    def placement(self) -> Placement:
        """Where the configuration places the model, as one operation: Genie does not report where operations run."""
        if not self._dialog:
            raise closed(self._name)
        engine = self._config.engine
        where = ENGINES[engine]
        return Placement({where: 1}, {f"genie-{engine}": 1}, {where: {f"the configuration says {engine}": 1}})

    def report(self) -> Mapping[str, Any]:
        """The version of Genie, and what its configuration was."""
        return {"genie": self._library.version, "configuration": dict(self._config.facts)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._dialog:
            return
        dialog, self._dialog = self._dialog, c_void_p()
        freed = self._library.function("Dialog_free")(dialog)
        if exc[:1] in ((), (None,)):
            self._check_late()
            if freed:
                raise self._library.failed("Dialog_free", self._name, freed)
