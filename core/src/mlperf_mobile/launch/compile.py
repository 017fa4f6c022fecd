"""Compiles a model in a separate process on this machine, so that a compiler can crash or hang without harm."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode, MobileError
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.launch.local import Run
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.results import store
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.results.measured import Parts
from mlperf_mobile.results.model import Status


def compile_model(plan: CompilePlan, listen: Callable[[events.Event], None]) -> Parts:
    """Compile a model, or use the stored one.

    Returns:
        The worker's report: ``model``, ``backend``, and ``compiled`` by accelerator.

    Raises:
        MobileError: Compiling failed; if the worker died, the summary ends with the compiler's last words.
        KeyboardInterrupt: The user stopped it.
    """
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-") as name, Interrupts() as interrupts:
        folder = Path(name).resolve()
        journal = JournalFile.create(folder / store.EVENTS)
        try:
            run = Run(plan, folder, listen, journal)
            status, error = run.until_ended(interrupts)
        finally:
            journal.close()
    if status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    if error:
        last_words = error.stderr_tail.splitlines()[-1:]
        output = f"; its last words: {last_words[0][:300]}" if last_words and error.code.startswith("worker") else ""
        raise MobileError(error.code, error.summary + output, error.hint, ExitCode(error.exit_code))
    return Parts.read(run.journal.parts)[0]
