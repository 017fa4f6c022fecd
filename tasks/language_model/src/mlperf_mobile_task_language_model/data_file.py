"""Finds the file of a data set, and reads JSON lines, bounded and checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 28
"""Largest file."""
MAX_PROMPT = 1 << 18
"""Most characters of a prompt: hundred times what 2048 tokens usually have."""


def find(path: Path | None, given: Path | None, patterns: Sequence[str]) -> Path:
    """The file that the options name, the path itself, or the only file in the folder that matches.

    Raises:
        DataError: There is no such file, or more than one.
    """
    if given is not None:
        return given
    if path is not None and path.is_file():
        return path
    found = sorted({file for each in patterns for file in path.glob(each) if file.is_file()}) if path else []
    if not found:
        shown = " or ".join(patterns)
        raise DataError("data-missing", f"{path} has no {shown}", "give the file or its folder with --data-path")
    if len(found) > 1:
        reason = f"{path} has {len(found)} files that fit: {', '.join(file.name for file in found[:3])}"
        raise DataError("data-ambiguous", reason, "choose with --set file=FILE")
    return found[0]


class Line:
    """One JSON object of a file, and its place for messages."""

    def __init__(self, values: dict[str, Any], source: str) -> None:
        self.values, self.source = values, source

    def text(self, key: str) -> str:
        """A text.

        Raises:
            DataError: It is missing, no text, or has half of a surrogate pair.
        """
        value = self.values.get(key)
        if not isinstance(value, str):
            self.damaged(f"the text {key!r} is missing")
        return self.checked(value, key)

    def checked(self, value: str, key: str) -> str:
        """The text, if it is Unicode.

        Raises:
            DataError: It has half of a surrogate pair.
        """
        try:
            value.encode()
        except UnicodeEncodeError:
            self.damaged(f"{key!r} contains half of a surrogate pair")
        return value

    def damaged(self, what: str) -> NoReturn:
        """Raise the error of this line."""
        raise DataError("data-damaged", f"{self.source}: {what}", "see the README of the task for the format")


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, empty ones left out.

    Raises:
        DataError: The file cannot be read, is too large, or a line is not a JSON object in UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError("data-missing", f"cannot read {path}: {error.strerror}", "check --data-path") from error
    if len(data) > MAX_BYTES:
        raise DataError("data-damaged", f"{path} has more than {MAX_BYTES} bytes", "give fewer prompts")
    for number, line in enumerate(data.split(b"\n"), 1):
        source = f"{path}:{number}"
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901  the mark that some editors write
        if not line.strip():
            continue
        try:
            values = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8, or too deeply nested"
            reason = f"{source} is not JSON: {what}"
            raise DataError("data-damaged", reason, "the file must have one JSON object on each line") from error
        if not isinstance(values, dict):
            raise DataError("data-damaged", f"{source} is not a JSON object", "put one object on each line")
        yield Line(values, source)


def checked_prompt(text: str, source: str) -> str:
    """The prompt, if it has a length that a prompt may have.

    Raises:
        DataError: It is empty or has more than ``MAX_PROMPT`` characters.
    """
    if not text.strip():
        raise DataError("prompt-empty", f"{source} has an empty prompt", "remove it from the data")
    if len(text) > MAX_PROMPT:
        reason = f"{source} has a prompt of {len(text)} characters, more than {MAX_PROMPT}"
        raise DataError("prompt-length", reason, "remove it from the data")
    return text


def not_empty(count: int, path: Path) -> None:
    """Raise an error for a file without samples."""
    if not count:
        raise DataError("data-empty", f"{path} has no prompts", "give a file with at least one")
