"""What a run of a language model needs besides other runs: a backend and sessions that generate, and how they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, cast

from mlperf_mobile.contracts import (
    CountingSession,
    GeneratingTask,
    Generation,
    Session,
    Task,
    TextSession,
    TextTask,
    TokenSession,
)
from mlperf_mobile.errors import BackendError
from mlperf_mobile.options import broken
from mlperf_mobile.terms import Mode
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.returned import returned
from mlperf_mobile.worker.text_system import TextSystem
from mlperf_mobile.worker.token_system import TokenSystem

GeneratingSessions: TypeAlias = Sequence[TokenSession] | Sequence[TextSession]
"""Sessions of one model, which all take token ids or all take text."""


@dataclass(frozen=True, slots=True)
class Generations:
    """How a task generates in both modes, by sessions of one context."""

    performance: Generation
    accuracy: Generation
    context: int
    tokens_counted_by: str = ""
    """For sessions that take text: ``engine`` or ``tokenizer``."""

    def facts(self) -> dict[str, Any]:
        """The facts for the result's ``system``."""
        counted = {"tokens_counted_by": self.tokens_counted_by} if self.tokens_counted_by else {}
        return {
            "context": self.context,
            "generation": {"performance": asdict(self.performance), "accuracy": asdict(self.accuracy)},
            **counted,
        }


def generations(task: Task, name: str, sessions: Sequence[Session], backend: str) -> Generations | None:
    """How a task generates; None if it is not one for language models.

    Args:
        task: The task, after it was bound to the model.
        name: The task's name.
        sessions: The loaded sessions.
        backend: The backend's name.

    Raises:
        BackendError: ``plugin-broken``: the sessions cannot generate, or the task does not say how; ``text-only``: they
            take text, and the task has none.
    """
    if not isinstance(task, GeneratingTask):
        return None
    generating = generating_sessions(sessions, backend)
    counted_by = ""
    if is_text(generating):
        text_task(task, name)
        counted_by = "engine" if cast("TextSession", generating[0]).counts_tokens else "tokenizer"
    return planned(task, name, generating[0].context, counted_by)


def planned(task: GeneratingTask, name: str, context: int, counted_by: str = "") -> Generations:
    """How a task generates in a context.

    Args:
        task: The task, after it was bound to the model.
        name: The task's name.
        context: The most tokens that prompt and answer may have together.
        counted_by: For sessions that take text: ``engine`` or ``tokenizer``.

    Raises:
        BackendError: ``plugin-broken``: the task does not say how.
    """
    with blame("task", name):
        performance, accuracy = (
            returned("task", name, "generation", task.generation(mode), Generation)
            for mode in (Mode.PERFORMANCE, Mode.ACCURACY)
        )
    return Generations(performance, accuracy, context, counted_by)


def generating_sessions(sessions: Sequence[Session], backend: str) -> GeneratingSessions:
    """The sessions, which all generate, and from the same kind of prompt.

    Raises:
        BackendError: ``plugin-broken``.
    """
    kind = TokenSession if isinstance(sessions[0], TokenSession) else TextSession
    for each in sessions:
        if not isinstance(each, kind):
            reason = "it declares that it generates, but loads a session without generate and generate_text"
            raise broken("backend", backend, reason)
        if not isinstance(each.context, int) or each.context < 2:
            raise broken("backend", backend, f"{kind.__name__}.context is {each.context!r}, not a number of 2 or more")
        if isinstance(each, TextSession) and not isinstance(each.counts_tokens, bool):
            raise broken("backend", backend, f"TextSession.counts_tokens is {each.counts_tokens!r}, not True or False")
        if isinstance(each, CountingSession) and not isinstance(each.generated, int):
            raise broken("backend", backend, f"CountingSession.generated is {each.generated!r:.40}, not a whole number")
    return cast("GeneratingSessions", sessions)


def is_text(sessions: GeneratingSessions) -> bool:
    """Whether the sessions take text, and not token ids."""
    return not isinstance(sessions[0], TokenSession)


def text_task(task: Task, name: str) -> TextTask:
    """The task, which has its prompts as text.

    Raises:
        BackendError: ``text-only``.
    """
    if not isinstance(task, TextTask):
        summary = f"the backend takes only text, but task {name} gives only token ids"
        raise BackendError("text-only", summary, "choose another --backend")
    return task


def token_system(
    task: Task, name: str, sessions: GeneratingSessions, how: Generation, /, *more: Any, **named: Any
) -> TokenSystem:
    """The system under test for sessions of either kind.

    Args:
        task: The task.
        name: The task's name.
        sessions: One for each thread that may answer.
        how: The limit and the stop ids.
        more: As of :class:`mlperf_mobile.worker.token_system.TokenSystem`.
        named: As of it.

    Raises:
        BackendError: ``text-only``.
    """
    if is_text(sessions):
        return TextSystem(text_task(task, name), cast("Sequence[TextSession]", sessions), how, *more, **named)
    return TokenSystem(sessions, how, *more, **named)
