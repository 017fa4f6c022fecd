"""Handles standard streams that are closed, full or broken, as in services and cron jobs, or after a library."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from mlperf_mobile.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


def guard(log: Path | None = None) -> None:
    """Open the descriptors 0, 1 and 2 if they are closed, so that no other file gets these numbers.

    Args:
        log: The file for what is written to them; discarded without one.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _open(number, log if number else None)


def _open(number: int, log: Path | None) -> None:
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT if log else os.O_RDWR
        opened = os.open(log or os.devnull, flags | os.O_CLOEXEC, 0o666)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)


class _Lossy(io.FileIO):
    """A file whose write errors are ignored."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # a buffer, as the buffered writer gives it
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


class ReaderGone(BrokenPipeError):
    """Standard output is a pipe whose reader has exited, as ``| head`` does; any other broken pipe is an error."""


class _Checked(io.FileIO):
    """A file whose write errors are ``output-lost``; the command handles a closed pipe."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError as error:
            raise ReaderGone(*error.args) from None
        except OSError as error:
            with suppress(OSError):  # what is still in the buffer is discarded
                nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)
            summary = f"standard output cannot be written: {error.strerror}"
            hint = "redirect it elsewhere; results are stored nevertheless"
            raise OutputError("output-lost", summary, hint) from None


@contextmanager
def standard() -> Iterator[None]:
    """The streams of a command: messages on standard error may be lost, but output that cannot be written is an error.

    Streams that replaced the interpreter's stay.
    """
    guard()
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = _stream(_Checked(1, "w", closefd=False), sys.stdout)
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        sys.stderr = _stream(_Lossy(2, "w", closefd=False), sys.stderr)
    try:
        yield
    finally:
        with suppress(OSError, OutputError):
            sys.stdout.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def ignore_write_errors() -> None:
    """Ignore write errors of standard streams: the worker's log may be on a full disk."""
    sys.stdout = _stream(_Lossy(1, "w", closefd=False), sys.stdout)
    sys.stderr = _stream(_Lossy(2, "w", closefd=False), sys.stderr)


def _stream(raw: io.FileIO, like: TextIO | None) -> TextIO:
    """A text stream to ``raw``; a character that the locale's encoding lacks never becomes an error."""
    encoding = like.encoding if like else "utf-8"
    errors = "backslashreplace" if raw.fileno() == 2 else "replace"
    lines = raw.fileno() == 2 or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=lines)
