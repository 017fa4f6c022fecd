"""Why a run did not complete, in words: whose fault it is, and what to do about it."""

from __future__ import annotations

import signal

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.launch.process import Exit
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.results.model import ErrorFacts
from mlperf_mobile.results.recompose import Journal


def interrupted() -> ErrorFacts:
    """The user, or the system that stops its services."""
    return ErrorFacts(code="interrupted", summary="stopped by the user", exit_code=ExitCode.INTERRUPTED)


def told(failed: events.Failed, last_words: str) -> ErrorFacts:
    """Its own account."""
    return ErrorFacts(
        code=failed.code,
        summary=failed.summary,
        hint=failed.hint,
        exit_code=failed.exit_code,
        stderr_tail=last_words,
    )


def launcher_died(told: Journal, last_words: str) -> ErrorFacts:
    """Nobody judged its end: whoever would have is gone."""
    phase = "performance" if told.timed and "performance" not in told.parts else told.phase
    during = f"in the phase {phase}" if phase else "before the run began"
    return ErrorFacts(
        code="launcher-died",
        summary=f"the command was killed, or the machine went down, {during}",
        hint="run it again, or go on with its session: mlperf-mobile run --resume FILE",
        exit_code=ExitCode.INTERRUPTED,
        stderr_tail=last_words,
    )


def too_slow_to_compile(plan: CompilePlan, last_words: str) -> ErrorFacts:
    """It compiled for longer than it may."""
    return ErrorFacts(
        code="compile-timeout",
        summary=f"compiling took longer than {plan.compile_timeout_s:g} s and was stopped",
        hint="it may need more: --set compile_timeout_s=SECONDS; worker.log has the compiler's words",
        exit_code=ExitCode.BACKEND,
        stderr_tail=last_words,
    )


def silent(plan: CompilePlan, last_words: str) -> ErrorFacts:
    """It said nothing for longer than it may."""
    return ErrorFacts(
        code="worker-silent",
        summary=f"the worker said nothing for {plan.silence_timeout_s:g} s and was stopped",
        hint="look at worker.log; a slow driver may need more: --set silence_timeout_s=SECONDS",
        exit_code=ExitCode.WORKER_SILENT,
        stderr_tail=last_words,
    )


def died(plan: CompilePlan, end: Exit, last_words: str) -> ErrorFacts:
    """It ended without a word, or can say nothing any more."""
    hint = f"the backend {plan.backend} or a library it uses crashed; worker.log has its last words"
    if end.killed or end.returncode == ExitCode.WORKER_DIED:
        cause = "it closed its channel, and nothing more can be heard of it"
        hint = f"the backend {plan.backend} or a library it uses closes file descriptors that are not its own"
    elif end.returncode >= 0:
        cause = f"it exited with {end.returncode} without a word"
    else:
        cause = f"killed by {_signal(-end.returncode)}"
        if end.returncode == -signal.SIGKILL and end.out_of_memory:
            cause += "; the kernel killed a process because memory ran out"
            hint = "the run needs more memory than there is: lower performance_sample_count, or close other programs"
    return ErrorFacts(
        code="worker-died",
        summary=f"the worker died: {cause}",
        hint=hint,
        exit_code=ExitCode.WORKER_DIED,
        stderr_tail=last_words,
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
