"""Runs a plan in a separate process for something other than a result, so that it can crash or hang without harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode, MobileError
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.launch.local import Run
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.results import store
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.results.model import Status
from mlperf_mobile.results.recompose import Journal


class RunFailed(MobileError):
    """The run failed; if its process died, the summary ends with its last words."""

    def __init__(self, code: str, summary: str, hint: str, exit_code: int, last_words: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode(exit_code))
        self.last_words = last_words
        """The last line of the log of a process that died; empty for any other error."""


def run_in(folder: Path, plan: CompilePlan, listen: Callable[[events.Event], None]) -> Journal:
    """Carry out a plan, and return what its process reported.

    Args:
        folder: An existing folder for its files, absolute.
        plan: The plan.
        listen: Called with every event as it arrives.

    Raises:
        RunFailed: The run failed.
        KeyboardInterrupt: The user stopped it.
    """
    with Interrupts() as interrupts:
        file = JournalFile.create(folder / store.EVENTS)
        try:
            run = Run(plan, folder, listen, file)
            status, error = run.until_ended(interrupts)
        finally:
            file.close()
    if status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    if error:
        words = error.stderr_tail.splitlines()[-1:] if error.code.startswith("worker") else []
        spoken = f"; its last words: {words[0][:300]}" if words else ""
        raise RunFailed(error.code, error.summary + spoken, error.hint, error.exit_code, spoken)
    return run.journal
