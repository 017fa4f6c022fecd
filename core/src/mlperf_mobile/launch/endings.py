"""The reasons why a run did not complete, and what to do about them."""

from __future__ import annotations

import signal

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.launch.process import Exit
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.problems import CORE
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.results.model import ErrorFacts
from mlperf_mobile.results.observed import TELEMETRY
from mlperf_mobile.results.recompose import Journal

LOST = "device-lost"
"""The code of an error after which a run may still go on on its device."""


def interrupted(lost: ErrorFacts | None = None) -> ErrorFacts:
    """The user stopped the run, or the system is stopping its services.

    Args:
        lost: The error if the run may still go on on its device.
    """
    if lost is None:
        return ErrorFacts(code="interrupted", summary="stopped by the user", exit_code=ExitCode.INTERRUPTED)
    summary = f"stopped by the user; {lost.summary}"
    return lost.model_copy(update={"summary": summary, "exit_code": ExitCode.INTERRUPTED})


def left_on_device(plan: CompilePlan, last_words: str) -> ErrorFacts:
    """The driver did not end in time after it was cancelled, and was killed."""
    return ErrorFacts(
        code=LOST,
        summary=f"{plan.device} did not answer in time, so the run may go on there",
        hint="follow it again: mlperf-mobile attach",
        exit_code=ExitCode.DEVICE,
        stderr_tail=last_words,
    )


def driver_died(plan: CompilePlan, end: Exit, last_words: str) -> ErrorFacts:
    """The driver reached the device, and exited without a word about its run's end."""
    return ErrorFacts(
        code=LOST,
        summary=f"the process that followed the run on {plan.device} died: {_cause(end)}; the run may go on there",
        hint="follow it again: mlperf-mobile attach",
        exit_code=ExitCode.DEVICE,
        stderr_tail=last_words,
    )


def failure(failed: events.Failed, last_words: str) -> ErrorFacts:
    """The worker reported an error."""
    return ErrorFacts(
        code=failed.code,
        summary=failed.summary,
        hint=failed.hint,
        exit_code=failed.exit_code,
        stderr_tail=last_words,
    )


def launcher_died(journal: Journal, last_words: str) -> ErrorFacts:
    """The launcher died before it recorded how the run ended."""
    phase = "performance" if journal.timed and "performance" not in journal.parts else journal.phase
    during = f"in the phase {phase}" if phase else "before the run began"
    return ErrorFacts(
        code="launcher-died",
        summary=f"the command was killed, or the machine went down, {during}",
        hint="run it again, or resume its session: mlperf-mobile run --resume FILE",
        exit_code=ExitCode.INTERRUPTED,
        stderr_tail=last_words,
    )


def too_slow_to_compile(plan: CompilePlan, last_words: str) -> ErrorFacts:
    """Compiling exceeded its time limit."""
    return ErrorFacts(
        code="compile-timeout",
        summary=f"compiling took longer than {plan.compile_timeout_s:g} s and was stopped",
        hint="allow more time with --set compile_timeout_s=SECONDS; worker.log has the compiler's output",
        exit_code=ExitCode.BACKEND,
        stderr_tail=last_words,
    )


def silent(plan: CompilePlan, last_words: str) -> ErrorFacts:
    """The worker sent no event within the silence timeout."""
    return ErrorFacts(
        code="worker-silent",
        summary=f"the worker sent nothing for {plan.silence_timeout_s:g} s and was stopped",
        hint="see worker.log; for a slow driver, allow more time with --set silence_timeout_s=SECONDS",
        exit_code=ExitCode.WORKER_SILENT,
        stderr_tail=last_words,
    )


def died(plan: CompilePlan, end: Exit, last_words: str) -> ErrorFacts:
    """The worker exited without an error event, or closed its channel."""
    hint = f"{_suspects(plan)} crashed; see worker.log"
    if _closed_channel(end):
        hint = f"{_suspects(plan)} closes file descriptors that it did not open"
    elif end.returncode == -signal.SIGKILL and end.out_of_memory:
        hint = "the run needs more memory than is available: lower performance_sample_count, or close other programs"
    return ErrorFacts(
        code="worker-died",
        summary=f"the worker died: {_cause(end)}",
        hint=hint,
        exit_code=ExitCode.WORKER_DIED,
        stderr_tail=last_words,
    )


def _closed_channel(end: Exit) -> bool:
    return end.killed or end.returncode == ExitCode.WORKER_DIED


def _cause(end: Exit) -> str:
    if _closed_channel(end):
        return "it closed its event channel"
    if end.returncode >= 0:
        return f"it exited with {end.returncode} without reporting an error"
    cause = f"killed by {_signal(-end.returncode)}"
    if end.returncode == -signal.SIGKILL and end.out_of_memory:
        cause += "; the kernel killed a process because the system ran out of memory"
    return cause


def _suspects(plan: CompilePlan) -> str:
    """Whose code can end a worker: the backend's, and that of scenarios and observers from other distributions."""
    foreign = []
    if isinstance(plan, Plan):
        foreign = [f"the observer {name}" for name in sorted(plan.observers.keys() - {TELEMETRY})]
        scenario = installed_plugins().scenarios.get(plan.scenario) if plan.has_performance else None
        if scenario and scenario.source.distribution != CORE:
            foreign.insert(0, f"the scenario {plan.scenario}")
    if not foreign:
        return f"the backend {plan.backend} or a library it uses"
    return ", ".join([f"the backend {plan.backend}", "a library it uses", *foreign[:-1]]) + f", or {foreign[-1]}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
