"""Reads hostile JSON files: bounded, in any Unicode encoding, with the line and column of what is wrong."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import DataError

MAX_BYTES = 32 << 20
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class JsonError(DataError):
    """A file that cannot be read as JSON; ``row`` and ``column`` start at 1, and are None for the file as a whole."""

    def __init__(self, path: Path, what: str, row: int | None = None, column: int | None = None) -> None:
        place = ":".join(str(part) for part in (path, row, column) if part is not None)
        super().__init__("bad-json", f"{place}: {what}", "the file must be JSON in UTF-8")
        self.what, self.row, self.column = what, row, column


def encoding_of(start: bytes) -> str:
    """The encoding that the first bytes of a text announce; UTF-8 otherwise."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def clean(text: str) -> str:
    """A text that can be written: halves of surrogate pairs, which JSON can hold, become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read(path: Path) -> Any:
    """The content of a JSON file; NaN and Infinity are taken, as some writers write them.

    Raises:
        JsonError: It cannot be read, is larger than ``MAX_BYTES``, or is not JSON.
    """
    return parse(path, text(path))


def text(path: Path) -> str:
    """The text of a JSON file.

    Raises:
        JsonError: It cannot be read, is empty, larger than ``MAX_BYTES``, or no text.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise JsonError(path, "not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise JsonError(path, f"cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise JsonError(path, f"larger than {MAX_BYTES >> 20} MB")
    if not data.strip(b"\0 \r\n\t"):
        raise JsonError(path, "nothing in it")
    try:
        return data.decode(encoding_of(data))
    except UnicodeError as error:
        raise JsonError(path, f"not text in UTF-8: {error}"[:200]) from error


def parse(path: Path, text: str) -> Any:
    """The content of a text that was read from ``path``.

    Raises:
        JsonError: It is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise JsonError(path, _explained(text, error), error.lineno, error.colno) from error
    except (ValueError, RecursionError) as error:
        raise JsonError(path, f"not JSON: {error}"[:200]) from error


def _explained(text: str, error: json.JSONDecodeError) -> str:
    before = text[: error.pos].rstrip()
    if before.endswith(",") and text[error.pos : error.pos + 1] in ("}", "]"):
        return f"not JSON: a comma before the closing {text[error.pos]!r}"
    return f"not JSON: {error.msg}"
