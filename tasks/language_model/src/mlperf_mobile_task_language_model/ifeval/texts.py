"""What several of the reference app's checks do with texts.

Texts are UTF-8 bytes, as in the app: lengths are bytes, and only ASCII letters have a case or belong to words.
Source: flutter/cpp/datasets/ifeval_utils/common.h.
"""

from __future__ import annotations

SPACES = b" \t\n\v\f\r"
_MODIFIERS = b"*_~\\"
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def compare(value: int, threshold: int, relation: str) -> bool:
    """``at least``; any other relation means less than."""
    return value >= threshold if relation == "at least" else value < threshold


def starts_with(text: bytes, phrase: bytes, spare: int) -> bool:
    """Whether the phrase is within the first ``len(phrase) + spare`` bytes, in any case."""
    return len(text) >= len(phrase) and phrase.lower() in text[: len(phrase) + spare].lower()


def ends_with(text: bytes, phrase: bytes, spare: int) -> bool:
    """Whether the phrase is within the last ``len(phrase) + spare`` bytes, in any case.

    The app fails on a text that is as long as the phrase but has no ``spare`` bytes more; here it is searched as it is.
    """
    start = max(0, len(text) - len(phrase) - spare)
    return len(text) >= len(phrase) and phrase.lower() in text[start:].lower()


def contains_word(text: bytes, word: bytes) -> bool:
    """Whether a word, in any case, stands in the text without a letter, digit or ``_`` next to it."""
    whole, part = text.lower(), word.lower()
    place = whole.find(part) if part else -1
    while place >= 0:
        end = place + len(part)
        if (place == 0 or whole[place - 1] not in _WORD) and (end == len(whole) or whole[end] not in _WORD):
            return True
        place = whole.find(part, place + 1)
    return False


def containing_words(text: bytes, part: bytes) -> list[bytes]:
    """The words, in lower case, that contain ``part`` in any case: each occurrence with all letters around it.

    The search goes on after each word. Empty for an empty part.
    """
    whole, part = text.lower(), part.lower()
    found: list[bytes] = []
    place = whole.find(part) if part else -1
    while place >= 0:
        start, end = place, place + len(part)
        while start > 0 and whole[start - 1] in _WORD:
            start -= 1
        while end < len(whole) and whole[end] in _WORD:
            end += 1
        found.append(whole[start:end])
        place = whole.find(part, end)
    return found


def variants(text: bytes) -> list[bytes]:
    """The eight forms of a text that a loose check accepts: with and without marks, first line and last line."""
    found = []
    for mask in range(8):
        each = _without_marks(text) if mask & 1 else text
        if mask & 2:
            each = each.partition(b"\n")[2] if b"\n" in each else each
        if mask & 4:
            each = each.rpartition(b"\n")[0] if b"\n" in each else each
        found.append(each)
    return found


def _without_marks(text: bytes) -> bytes:
    r"""Without backticks, ``* _ ~ \`` unless a backslash precedes, and ``#`` and ``>`` at a line's start."""
    kept = bytearray()
    for place, byte in enumerate(text):
        before = text[place - 1] if place else ord("\n")  # the app reads the byte in front of the text
        if byte == ord("`") or (byte in _MODIFIERS and before != ord("\\")):
            continue
        if byte in b"#>" and before == ord("\n"):
            continue
        kept.append(byte)
    return bytes(kept)
