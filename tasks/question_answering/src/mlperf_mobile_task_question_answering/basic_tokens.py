"""BERT's basic tokenisation of uncased models, the same for every code point.

Source: Google's BERT, tokenization.py, BasicTokenizer. As there, the running Python's Unicode tables decide what a
character is (``unicodedata.unidata_version``). A character that is newer than the tables counts as a letter.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import lru_cache

CHINESE = (0x3400, 0x4DC0, 0x4E00, 0xA000, 0xF900, 0xFB00, 0x20000, 0x2A6E0, 0x2A700, 0x2CEB0, 0x2F800, 0x2FA20)
"""Where blocks begin whose characters are tokens of their own, and where they end, in turn."""
KEPT = 0xFFFF
"""The last code point whose answer is kept: a text of all there are takes a few megabytes."""


class _Cleaned(dict[int, str | None]):
    """What becomes of each character before words are parted: nothing, a space, itself, or itself between spaces."""

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
    """What becomes of each character of a decomposed word: nothing, itself, or, of punctuation, a word of its own."""

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
