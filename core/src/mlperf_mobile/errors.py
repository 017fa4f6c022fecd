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


class ExitCode(IntEnum):
    """Exit codes of the ``mlperf-mobile`` process; documented in ``docs/errors.md``."""

    OK = 0
    NOT_VALID = 1
    """The run ended, but does not meet a rule or its quality target."""
    USAGE = 2
    MODEL = 3
    DATA = 4
    BACKEND = 5
    OUTPUT = 6
    WORKER_DIED = 7
    WORKER_SILENT = 8
    INTERNAL = 70
    INTERRUPTED = 130


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
    return f"{type(error).__name__}: {text}"[:500]


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
