"""The reference app's counts of sentences, and of a keyword in all its forms.

Source: flutter/cpp/datasets/ifeval_utils/types.h and irregular-plurals.h.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from mlperf_mobile_task_language_model.ifeval.texts import compare, containing_words

_MARKS = b".!?"
_LETTERS = re.compile(rb"[A-Za-z]*")
_LAST_LETTERS = re.compile(rb"[A-Za-z]*$")
_LOWER_CASE = re.compile(rb" *[a-z]")
_TITLES = frozenset((b"Mr", b"Mrs", b"Ms", b"Dr", b"Prof", b"Sr", b"Jr"))
_DOMAINS = frozenset((b"com", b"net", b"org", b"io", b"gov", b"edu", b"me"))
_LONGEST_TITLE = 5
"""One more letter than any title has, so that a longer word is none."""


# ------------------------------------------------------------------------------------------------------- sentences


def number_sentences(text: bytes, count: int, relation: str) -> bool:
    """Compares the number of sentences: runs of ``. ! ?`` except full stops that end none."""
    found = sum(_ends_sentence(text, match.end() - 1) for match in re.finditer(rb"[.!?]+", text))
    return compare(found, count, relation)


def _ends_sentence(text: bytes, place: int) -> bool:
    """Whether the last mark of a run ends a sentence; only a full stop may not."""
    return text[place] != ord(".") or not (
        _in_decimal(text, place)
        or _in_enumeration(text, place)
        or (_in_abbreviation(text, place) and _goes_on(text, place))
        or _letters_after(text, place) in _DOMAINS
    )


def _in_decimal(text: bytes, place: int) -> bool:
    return place > 0 and text[place - 1 : place].isdigit() and text[place + 1 : place + 2].isdigit()


def _in_enumeration(text: bytes, place: int) -> bool:
    """``1.`` or ``a.`` before a space: the digits, or the one character, begin a text, a line, a word or a sentence."""
    if place == 0 or text[place + 1 : place + 2] not in (b" ", b"\n"):
        return False
    start = place - 1
    if text[start : start + 1].isdigit():
        while start > 0 and text[start - 1 : start].isdigit():
            start -= 1
    elif text[start : start + 1].isalpha() and text[max(0, start - 1) : start].isalpha():
        return False
    return start == 0 or text[start - 1] in b" \n" + _MARKS


def _in_abbreviation(text: bytes, place: int) -> bool:
    return _in_initials(text, place) or _in_latin(text, place) or _letters_before(text, place) in _TITLES


def _in_initials(text: bytes, place: int) -> bool:
    """At least two capital letters with a full stop each, such as ``U.S.``; never the last character of a text."""
    found, at = 0, place
    while at > 0 and text[at - 1 : at].isupper() and at + 1 < len(text) and text[at] == ord("."):
        found += 1
        at -= 2
    follows = text[place + 1 : place + 2].isupper() and text[place + 2 : place + 3] == b"."
    return found >= 2 or (found == 1 and follows)


def _in_latin(text: bytes, place: int) -> bool:
    """The last full stop of ``e.g.`` and the like."""
    return place >= 3 and bool(re.fullmatch(rb"[a-z]\.[a-z]\.", text[place - 3 : place + 1]))


def _letters_before(text: bytes, place: int) -> bytes:
    found = _LAST_LETTERS.search(text[max(0, place - _LONGEST_TITLE) : place])
    return found.group() if found else b""


def _letters_after(text: bytes, place: int) -> bytes:
    found = _LETTERS.match(text, place + 1)
    return found.group() if found else b""


def _goes_on(text: bytes, place: int) -> bool:
    """Whether the next character that is no space is a lower-case letter."""
    return bool(_LOWER_CASE.match(text, place + 1))


# -------------------------------------------------------------------------------------------------------- keywords


def frequency(text: bytes, keyword: bytes, count: int, relation: str) -> bool:
    """Compares how often a keyword occurs: itself, words of the same stem, and irregular plurals or singulars."""
    return compare(occurrences(text, keyword), count, relation)


def occurrences(text: bytes, keyword: bytes) -> int:
    """How often a keyword occurs in any of its forms, each as a whole word in any case."""
    base = keyword.lower()
    root = stem(base)
    inside = root in base
    searched = containing_words(text, root if inside else base)
    found = sum(_is_form(word, base, root, inside=inside) for word in searched)
    if not inside:  # "try" has the stem "tri", which only "tries" contains
        found += sum(stem(word) == root for word in containing_words(text, root))
    plurals, singulars = _irregular()
    for other in (plurals.get(base), singulars.get(base)):
        if other is not None and stem(other) != root:
            return found + containing_words(text, other).count(other)
    return found


def _is_form(word: bytes, base: bytes, root: bytes, *, inside: bool) -> bool:
    """Whether a word is the keyword or has its stem."""
    own = stem(word)
    if base in (word, own):
        return True
    return inside and root != base and root in (word, own)


@lru_cache(maxsize=1 << 14)
def stem(word: bytes) -> bytes:
    """The stem by the Snowball algorithm for English ("Porter 2"), which the reference app has in C++."""
    return str(_stemmer().stemWord(word.decode("utf-8", "surrogateescape"))).encode("utf-8", "surrogateescape")


@cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@cache
def _irregular() -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Plurals by singular, and singulars by plural."""
    lines = (
        files("mlperf_mobile_task_language_model").joinpath("ifeval/irregular_plurals.txt").read_bytes().split(b"\n")
    )
    pairs = [line.split() for line in lines if line]
    return dict(pairs), {many: one for one, many in pairs}
