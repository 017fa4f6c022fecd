"""Runs a vendor's program without a shell, for a limited time."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from mlperf_mobile_native_libraries.functions import printable

MOST_OUTPUT = 1 << 16
"""Most bytes of a program's output that are kept: the last ones."""


@dataclass(frozen=True, slots=True)
class ProgramExit:
    """How a program ended."""

    code: int
    """Its exit code, or the negative number of the signal that killed it."""
    output: str
    """The end of its output, on both streams."""

    @property
    def outcome(self) -> str:
        """The same in words: ``"failed with exit code 7"``, ``"died of SIGSEGV"``."""
        if self.code >= 0:
            return f"failed with exit code {self.code}" if self.code else "succeeded"
        try:
            return f"died of {signal.Signals(-self.code).name}"
        except ValueError:
            return f"died of signal {-self.code}"

    def last_lines(self, lines: int = 3, most: int = 500) -> str:
        """The last lines of its output, as one printable line."""
        printed = [printable(line) for line in self.output.splitlines() if line.strip()]
        return " / ".join(printed[-lines:])[-most:]


def run(
    command: Sequence[str | Path],
    *,
    directory: Path,
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
    most: int = MOST_OUTPUT,
) -> ProgramExit:
    """Run a program to its end.

    It belongs to this process's group, so it ends with the worker when the core ends the worker's group.

    Args:
        command: The program and its arguments.
        directory: Its working directory.
        seconds: Time limit, after which it is killed with all its children; by default none.
        environment: Its environment; by default that of this process.
        most: Most bytes of its output to keep.

    Raises:
        OSError: It cannot be started.
        subprocess.TimeoutExpired: It reached the time limit and was killed.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603  a list of arguments, no shell
                [*map(str, command)],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except ValueError as error:  # an argument with a NUL in it
            raise OSError(errno.EINVAL, str(error)) from error
        try:
            code = process.wait(seconds)
        except BaseException:
            _kill(process)
            raise
        output.seek(max(0, output.seek(0, os.SEEK_END) - most))
        return ProgramExit(code, output.read(most).decode("utf-8", "replace"))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and its children."""
    started: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        started = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for each in started:
        with contextlib.suppress(psutil.Error):
            each.kill()
    process.wait()
