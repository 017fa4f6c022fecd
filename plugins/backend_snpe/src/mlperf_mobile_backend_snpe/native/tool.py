"""Runs one of the SDK's programs, for a limited time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.native import sdk

MOST_OUTPUT = 4096
"""Bytes of what a program says that are looked at: the last ones."""


def run(name: str, arguments: Sequence[str], *, directory: Path, timeout_s: float) -> str:
    """What the program says, at most the end of it.

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
        raise BackendError("tool-missing", f"there is no program {name}", f"put the SDK's {name} on PATH")
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603  a list of arguments, no shell
                [program, *arguments],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            summary = f"{program} cannot be started: {error}"
            raise BackendError("tool-missing", summary, "use the SDK's build for this machine") from error
        try:
            code = process.wait(timeout_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            summary = f"{name} was killed, because it ran longer than {timeout_s:g} s"
            raise BackendError("tool-timeout", summary, "allow more time, or see what it waits for") from error
        output.seek(max(0, output.seek(0, os.SEEK_END) - MOST_OUTPUT))
        said = output.read().decode("utf-8", "replace")
    if code:
        lines = [line for line in said.splitlines() if line.strip()][-3:]
        last = "".join(letter if letter.isprintable() else "?" for letter in " / ".join(lines))[-500:]
        died = f"died of {_signal(-code)}" if code < 0 else f"failed with exit code {code}"
        summary = f"{name} {died}{f': {last}' if last else ''}"
        raise BackendError("tool-died" if code < 0 else "tool-failed", summary, "see what it says of the model")
    return said


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
