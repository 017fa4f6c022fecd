"""Runs one of the SDK's programs with a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.native import sdk
from mlperf_mobile_native_libraries import programs


def run(name: str, arguments: Sequence[str], *, directory: Path, timeout_s: float) -> str:
    """Run a program; returns the end of its output.

    Args:
        name: Of the program.
        arguments: Passed as they are, without a shell.
        directory: Where it works.
        timeout_s: After which it is killed, with all that it started.

    Raises:
        BackendError: ``tool-missing``, ``tool-timeout``, ``tool-died``, ``tool-failed``.
    """
    program = sdk.program(name)
    if program is None:
        raise BackendError("tool-missing", f"the program {name} was not found", f"put the SDK's {name} on PATH")
    try:
        ended = programs.run([program, *arguments], directory=directory, seconds=timeout_s)
    except OSError as error:
        summary = f"{program} cannot be started: {error}"
        raise BackendError("tool-missing", summary, "use the SDK's build for this machine") from error
    except subprocess.TimeoutExpired as error:
        summary = f"{name} was killed because it ran longer than {timeout_s:g} s"
        raise BackendError("tool-timeout", summary, "allow more time, or find out what it waits for") from error
    if ended.code:
        last = ended.last_lines()
        summary = f"{name} {ended.outcome}{f': {last}' if last else ''}"
        raise BackendError("tool-died" if ended.code < 0 else "tool-failed", summary, "see its output for the reason")
    return ended.output
