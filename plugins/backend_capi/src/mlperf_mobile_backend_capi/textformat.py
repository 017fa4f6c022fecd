"""Parses protobuf's text format into plain fields, without a schema and with limits.

The language: https://protobuf.dev/reference/protobuf/textformat-spec. Features that settings never use are errors:
extensions and ``Any`` in brackets, and floating-point numbers. This module does not use protobuf, because vendors'
packages require conflicting versions of it and generated modules work with one version only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 16
"""Settings nest four levels deep."""


class Malformed(ValueError):
    """The text is not protobuf's text format; the message gives the line."""


@dataclass(frozen=True, slots=True)
class Word:
    """A value without quotes: a name, such as ``true``, or an integer as it was written."""

    text: str


@dataclass(slots=True)
class Message:
    """Fields in the order of the text; a repeated field has several entries."""

    line: int = 1
    fields: list[tuple[str, str | Word | Message]] = field(default_factory=list)


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
    |(?P<word>-?[ ]*[A-Za-z0-9_]+)
    |(?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([abfnrtv?\\'\"])|(.))", re.DOTALL
)
_LETTERS = dict(zip("abfnrtv?\\'\"", "\a\b\f\n\r\t\v?\\'\"", strict=True))
_CLOSING = {"{": "}", "<": ">"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str) -> Message:
    """Parse a complete text.

    Raises:
        Malformed: It is too long, too deep, or not text format; names the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise Malformed(f"it is longer than {MAX_CHARACTERS} characters")
    return _Parser(text).message("", 0)


def _tokens(text: str) -> Iterator[_Token]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found or not found.lastgroup:
            raise Malformed(f"line {line}: {text[place : place + 20]!r} is not text format")
        if found.lastgroup != "space":
            yield _Token(found.lastgroup, found[0], line)
        line += found[0].count("\n")
        place = found.end()
    yield _Token("end", "", line)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens)

    def message(self, closing: str, depth: int) -> Message:
        """Fields up to and including ``closing``; up to the end for ``""``."""
        if depth > MAX_DEPTH:
            raise Malformed(f"line {self._next.line}: messages nest more than {MAX_DEPTH} levels deep")
        message = Message(self._next.line)
        while not self._at(closing):
            name = self._take()
            if name.kind != "word" or name.text[0] in "-0123456789":
                raise self._unexpected(name, "a field name")
            colon = self._skip(":")
            for value in self._values(depth, colon):
                message.fields.append((name.text, value))
            if not self._skip(","):
                self._skip(";")
        if closing:
            self._take()
        return message

    def _values(self, depth: int, colon: bool) -> Iterator[str | Word | Message]:
        """One value, or the values of a list."""
        if not self._skip("["):
            yield self._value(depth, colon)
            return
        while not self._skip("]"):
            yield self._value(depth, colon)
            if not self._skip(",") and self._next.text != "]":
                raise self._unexpected(self._next, "',' or ']'")

    def _value(self, depth: int, colon: bool) -> str | Word | Message:
        token = self._take()
        if token.kind == "mark" and token.text in _CLOSING:
            return self.message(_CLOSING[token.text], depth + 1)
        if not colon:
            raise self._unexpected(token, "':' or '{'")
        if token.kind == "word":
            return Word(token.text.replace(" ", ""))
        if token.kind != "string":
            raise self._unexpected(token, "a value")
        parts = [token]
        while self._next.kind == "string":  # adjacent strings are one string
            parts.append(self._take())
        return "".join([_unescaped(part) for part in parts])

    def _at(self, closing: str) -> bool:
        if self._next.kind == "end" and closing:
            raise self._unexpected(self._next, f"'{closing}'")
        return self._next.text == closing and self._next.kind in ("mark", "end")

    def _take(self) -> _Token:
        token = self._next
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def _skip(self, mark: str) -> bool:
        if self._next.kind != "mark" or self._next.text != mark:
            return False
        self._take()
        return True

    @staticmethod
    def _unexpected(token: _Token, expected: str) -> Malformed:
        found = repr(token.text[:40]) if token.text else "the end"
        return Malformed(f"line {token.line}: expected {expected}, not {found}")


def _unescaped(token: _Token) -> str:
    """The text of a string literal, decoded as UTF-8."""

    def replace(found: re.Match[str]) -> str:
        octal, hexadecimal, short, long, letter, unknown = found.groups()
        if unknown is not None:
            raise Malformed(f"line {token.line}: the escape \\{unknown} is unknown")
        if letter:
            return _LETTERS[letter]
        if short or long:
            return _character(int(short or long, 16), token.line)
        return chr(int(octal, 8) if octal else int(hexadecimal, 16))

    body = token.text[1:-1]
    if "\\" not in body:
        return body
    # Numeric escapes are bytes, and several may form one character: convert everything to bytes first, as latin-1 text.
    plain = _ESCAPE.sub(replace, body.encode().decode("latin-1"))
    try:
        return plain.encode("latin-1").decode()
    except UnicodeError as error:
        raise Malformed(f"line {token.line}: a string is not UTF-8") from error


def _character(code: int, line: int) -> str:
    try:
        return chr(code).encode().decode("latin-1")
    except (ValueError, UnicodeError) as error:
        raise Malformed(f"line {line}: U+{code:X} is not a character") from error
