"""BERT's basic tokenisation for uncased models, identical for every code point.

Source: Google's BERT, tokenization.py, BasicTokenizer. As there, the running Python's Unicode tables define a
character's category (``unicodedata.unidata_version``). A character that is newer than the tables counts as a letter.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache

CHINESE = (0x3400, 0x4DC0, 0x4E00, 0xA000, 0xF900, 0xFB00, 0x20000, 0x2A6E0, 0x2A700, 0x2CEB0, 0x2F800, 0x2FA20)
"""Starts and ends, alternating, of the blocks whose characters are one token each."""
KEPT = 0xFFFF
"""The last code point that is cached: a text with all code points needs a few megabytes."""


class _Cleaned(dict[int, str | None]):
    """Replaces each character before words are split: by nothing, a space, itself, or itself between spaces."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        value: str | None = character
        if character in " \t\n\r" or kind == "Zs":
            value = " "
        elif code in (0, 0xFFFD) or kind in ("Cc", "Cf"):
            value = None
        elif bisect_right(CHINESE, code) % 2:
            value = f" {character} "
        if code <= KEPT:
            self[code] = value
        return value


class _Parted(dict[int, str | None]):
    """Replaces each character of a decomposed word: by nothing, itself, or, for punctuation, a separate word."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        value: str | None = character
        if kind == "Mn":
            value = None
        elif kind.startswith("P") or (code < 128 and kind.startswith("S")):
            value = f" {character} "
        if code <= KEPT:
            self[code] = value
        return value


_cleaned, _parted = _Cleaned(), _Parted()


def basic_tokens(text: str) -> list[str]:
    """Lower case, no accents, split at white space and around punctuation and Chinese characters."""
    return [token for word in text.translate(_cleaned).split() for token in _of_word(word)]


@lru_cache(maxsize=1 << 17)
def _of_word(word: str) -> tuple[str, ...]:
    return tuple(unicodedata.normalize("NFD", word.lower()).translate(_parted).split())
