"""Reads LoadGen's accuracy log item by item: in any layout of JSON, in one file or in parts, in bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import DataError

MAX_ITEM = 64 << 20
"""Maximum characters of one item; a longer one is refused."""
_CHUNK = 1 << 18
_SPACE = re.compile(r"[ \t\r\n]*")
_COUNT = "(0|[1-9][0-9]{0,18})"
_FAST_ITEM = re.compile(
    rf'(\n?)\{{ "seq_id" : {_COUNT}, "qsl_idx" : {_COUNT}, "data" : "((?:[0-9A-F]{{2}})*+)"'
    r'(?:, "token_data" : "((?:[0-9A-F]{2})*+)")?(?:, "token_count" : (-?[0-9]{1,19}))?'
    r'(?:, "outputs" : "([0-9A-F]{64})")? \},(?=\n)'
)
"""An item as LoadGen writes it, followed by another one; this fast path takes a fifth of the time."""
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(slots=True)
class Item:
    """One response; ``line`` is its first line, counted from 1 across all parts."""

    line: int
    seq_id: int
    index: int
    """The sample's index."""
    data: bytes
    outputs: bytes = b""
    """SHA-256 of the outputs that the response was decoded from, in a log of responses; LoadGen's logs have none."""
    token_data: bytes = b""
    """The first token as it was reported; empty without, and in logs of other models than language models."""
    token_count: int | None = None
    """How many tokens LoadGen was told that the answer has."""


def read(paths: Sequence[Path]) -> Iterator[Item]:
    """Every item of an accuracy log, in the order of the file; the parts of a split log are read as one.

    An empty file has no items.

    Raises:
        DataError: A file cannot be read, the text is not one whole JSON list, or an item is damaged; names the line.
    """
    try:
        yield from _Reader(paths).items()
    except (OSError, UnicodeError) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        hint = "an accuracy run writes it: --mode accuracy, or both" if isinstance(error, FileNotFoundError) else ""
        raise DataError("accuracy-log", f"cannot read {paths[0]}: {why}", hint) from error


class _Reader:
    """A text window that moves through the files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._name = paths[0]
        self._pieces = _text(paths)
        self._text, self._at, self._line, self._ended = "", 0, 1, False
        self._decode = json.JSONDecoder(object_pairs_hook=_pairs).raw_decode

    def items(self) -> Iterator[Item]:
        first = self._next()
        if not first:  # LoadGen ended before it wrote anything
            return
        if first != "[":
            raise self._wrong("the accuracy log is not a list")
        self._move(self._at + 1)
        if self._next() == "]":
            self._move(self._at + 1)
        else:
            while True:
                text, at, line = self._text, self._at, self._line
                while found := _FAST_ITEM.match(text, at):
                    ended, seq_id, index, data, first, count, outputs = found.groups()
                    at, line = found.end(), line + len(ended)
                    item = Item(line, int(seq_id), int(index), bytes.fromhex(data), bytes.fromhex(outputs or ""))
                    if count is not None:
                        item.token_data, item.token_count = bytes.fromhex(first or ""), int(count)
                    yield item
                self._at, self._line = at, line
                yield self._item()
                mark = self._next()
                if mark not in (",", "]"):
                    raise self._wrong("the accuracy log ends within the list" if not mark else "no comma after an item")
                self._move(self._at + 1)
                if mark == "]":
                    break
        if self._next():
            raise self._wrong("there is text after the end of the list")

    def _item(self) -> Item:
        if self._next() != "{":
            raise self._wrong("not an item of an accuracy log")
        while True:
            try:
                value, end = self._decode(self._text, self._at)
                break
            except json.JSONDecodeError as error:
                if self._ended or len(self._text) - self._at > MAX_ITEM:
                    raise self._wrong("not an item of an accuracy log") from error
                self._fill(len(self._text) - self._at)
            except (ValueError, RecursionError) as error:
                raise self._wrong("not an item of an accuracy log") from error
        try:
            item = _checked(value, self._line)
        except (ValueError, KeyError, TypeError) as error:
            raise self._wrong("not an item of an accuracy log") from error
        self._move(end)
        return item

    def _next(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(0)

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _fill(self, least: int) -> None:
        """Read at least as much as is buffered, so that a long item is not parsed too often."""
        pieces = [self._text[self._at :]]
        got = 0
        while got <= least:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            pieces.append(piece)
            got += len(piece)
        self._text, self._at = "".join(pieces), 0

    def _wrong(self, what: str) -> DataError:
        return DataError("accuracy-log", f"{self._name}:{self._line}: {what}")


def _text(paths: Sequence[Path]) -> Iterator[str]:
    decoder: codecs.IncrementalDecoder | None = None
    for path in paths:
        with path.open("rb") as file:
            while raw := file.read(_CHUNK):
                if decoder is None:
                    name = next((each for mark, each in _MARKS.items() if raw.startswith(mark)), "utf-8")
                    decoder = codecs.getincrementaldecoder(name)()
                yield decoder.decode(raw)
    if decoder is not None:
        yield decoder.decode(b"", final=True)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _checked(value: dict[str, Any], line: int) -> Item:
    """Parse an item; anything but two integers and hexadecimal digits is refused."""
    seq_id, index, text = value.get("seq_id", 0), value["qsl_idx"], value["data"]
    if type(seq_id) is not int or type(index) is not int:
        raise ValueError("invalid index")
    data = bytes.fromhex(text)
    if len(text) != 2 * len(data):  # spaces between the digits
        raise ValueError("not hexadecimal digits")
    outputs, first = bytes.fromhex(value.get("outputs", "")), bytes.fromhex(value.get("token_data", ""))
    count = value.get("token_count")
    if count is not None and type(count) is not int:
        raise ValueError("invalid count")
    return Item(line, seq_id, index, data, outputs, first, count)
