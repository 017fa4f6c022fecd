"""Removes control characters from everything printed, so that no result, file or plugin can control a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_LAYOUT = "\n\t"


class _Printable(dict[int, int]):
    """A table for :meth:`str.translate`, filled on demand: what is not printable becomes U+FFFD.

    Escape sequences begin with a control character (ECMA-48), which Unicode puts into the category Cc; Cf has the
    marks that reorder text (UAX 9), and Cs the surrogates, which cannot be encoded.
    """

    def __init__(self, kept: str) -> None:
        super().__init__((ord(c), ord(c)) for c in kept)

    def __missing__(self, code: int) -> int:
        self[code] = shown = code if chr(code).isprintable() or _is_space(code) else 0xFFFD
        return shown


def _is_space(code: int) -> bool:
    import unicodedata  # here, because few commands need it

    return unicodedata.category(chr(code)) == "Zs"


_LINE, _LINES = _Printable(""), _Printable(_LAYOUT)


def clean(text: str) -> str:
    """One line of text: control, format and unassigned characters, line ends included, become U+FFFD."""
    return text if text.isprintable() else text.translate(_LINE)


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 result``, ``1,200 results``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def clean_lines(text: str) -> str:
    """Like :func:`clean`, but line feeds and tabs stay."""
    return text if text.isprintable() else text.translate(_LINES)


class CleanStream(io.TextIOBase):
    """A text stream that cleans what is written to it.

    Args:
        raw: The underlying stream; programs that draw on a terminal, and clean what they draw, use it directly.
    """

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write the cleaned text; a character that the encoding lacks becomes a question mark."""
        cleaned = clean_lines(text)
        try:
            self.raw.write(cleaned)
        except UnicodeEncodeError:
            encoding = self.raw.encoding or "ascii"
            self.raw.write(cleaned.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        self.raw.flush()

    def isatty(self) -> bool:
        return self.raw.isatty()

    def fileno(self) -> int:
        return self.raw.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute here
        return self.raw.encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@contextmanager
def cleaned_output() -> Iterator[None]:
    """Clean standard output and standard error while a command runs."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = CleanStream(out), CleanStream(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def raw(stream: TextIO) -> TextIO:
    """The stream underlying a cleaned one, or the stream itself if it is not cleaned."""
    return stream.raw if isinstance(stream, CleanStream) else stream
