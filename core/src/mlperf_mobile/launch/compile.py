"""Compiles a model in a separate process on this machine, so that a compiler can crash or hang without harm."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.launch.in_folder import run_in
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.results.measured import Parts


def compile_model(plan: CompilePlan, listen: Callable[[events.Event], None]) -> Parts:
    """Compile a model, or use the stored one.

    Returns:
        The worker's report: ``model``, ``backend``, and ``compiled`` by accelerator.

    Raises:
        MobileError: Compiling failed; if the worker died, the summary ends with the compiler's last words.
        KeyboardInterrupt: The user stopped it.
    """
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-") as name:
        return Parts.read(run_in(Path(name).resolve(), plan, listen).parts)[0]
