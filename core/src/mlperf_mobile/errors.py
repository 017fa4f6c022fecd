"""Errors for users: one line, a stable code, a hint, and an exit code for each kind.

To add an error code, raise one of these classes, and describe the code in ``docs/errors.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

__all__ = [
    "NOT_FOREIGN",
    "BackendError",
    "DataError",
    "ExitCode",
    "MobileError",
    "ModelError",
    "OutputError",
    "UsageError",
    "described",
    "did_you_mean",
]


WORKER_LOG = "worker.log in the result folder"
"""Where a worker's output is. A command whose worker makes no result says another place."""
SEE_LOG = f"{WORKER_LOG} has the details"
"""The hint of errors in a plugin's code."""


class ExitCode(IntEnum):
    """Exit codes of the ``mlperf-mobile`` process; documented in ``docs/errors.md``."""

    OK = 0
    """Everything that was asked for was done, and every result is valid."""
    NOT_VALID = 1
    """The run ended, but does not meet a rule or its quality target."""
    USAGE = 2
    """The command line or a setting is wrong; nothing was started."""
    MODEL = 3
    """A model is missing or damaged, or does not fit."""
    DATA = 4
    """Data are missing or damaged."""
    BACKEND = 5
    """A backend or another plugin failed, or cannot be used here."""
    OUTPUT = 6
    """Results cannot be written or read."""
    WORKER_DIED = 7
    """The run's process ended unexpectedly."""
    WORKER_SILENT = 8
    """The run's process sent nothing for too long, and was stopped."""
    DEVICE = 9
    """The device cannot be reached or used."""
    INTERNAL = 70
    """A defect of mlperf-mobile."""
    INTERRUPTED = 130
    """The user stopped it."""


class MobileError(Exception):
    """An error reported in one line, without a traceback: what happened, where, and what to do.

    Args:
        code: Stable, kebab-case; users and scripts match on it.
        summary: What happened and where, in one sentence without a full stop.
        hint: What the user can do about it.
        exit_code: The kind of failure, as the process reports it.
    """

    def __init__(self, code: str, summary: str, hint: str = "", exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(summary)
        self.code = code
        self.summary = " ".join(summary.split())
        self.hint = " ".join(hint.split())
        self.exit_code = ExitCode(exit_code)

    def __str__(self) -> str:
        return self.line()

    def line(self) -> str:
        """The error as one line of text."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"error[{self.code}]: {self.summary}{hint}"

    def record(self) -> dict[str, str | int]:
        """The error as the ``error`` object of events, results and ``--json``."""
        return {"code": self.code, "summary": self.summary, "hint": self.hint, "exit_code": int(self.exit_code)}


NOT_FOREIGN = (MobileError, MemoryError, KeyboardInterrupt)
"""Exceptions that pass through a plugin's code without being its fault. Any other ``BaseException`` is: a panic in Rust
derives from it, and so does ``SystemExit``."""


def described(error: BaseException) -> str:
    """Any exception as one line: its type, and its text if it has one."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  a plugin's code makes the text, too
        text = "its text is not available"
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def interrupted() -> MobileError:
    """The error of a command that the user, or the system, stopped."""
    return MobileError("interrupted", "stopped by the user", "", ExitCode.INTERRUPTED)


class UsageError(MobileError):
    """The command line, a run file or an environment variable requests something impossible."""


class ModelError(MobileError):
    """The model file is missing, damaged, of another format, or does not fit the task."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode.MODEL)


class DataError(MobileError):
    """A data set is missing, damaged or inconsistent; the summary names the file and the record."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode.DATA)


class BackendError(MobileError):
    """The backend cannot be used here, or refused the model."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode.BACKEND)


class OutputError(MobileError):
    """A result cannot be written or read."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode.OUTPUT)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of ``known``, or all of them when none is near."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known: {', '.join(names)}" if names else "none is installed"
