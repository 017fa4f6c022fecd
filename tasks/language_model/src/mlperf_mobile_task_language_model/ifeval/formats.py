"""The reference app's checks of an answer's form: case, marks, layout, beginning and end.

Source: flutter/cpp/datasets/ifeval_utils/types.h and json.h.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from mlperf_mobile_task_language_model.ifeval.texts import SPACES, compare, contains_word

DIVIDER = b"******"
_OPTIONS = tuple(f"My answer is {each}.".encode() for each in ("yes", "no", "maybe"))
_SPARE = 3
_NOT_IN_A_WORD = re.compile(rb"^[^A-Za-z0-9'-]+|[^A-Za-z0-9'-]+$")
_NO_LETTERS = re.compile(rb"[^a-z]+")
_SECTION_NUMBERS = b"0123456789IVX"
_HIGHLIGHT = re.compile(rb"\*[^*\r\n]+\*")
_PARAGRAPH_SPARE = 5


def capital_word_frequency(text: bytes, count: int, relation: str) -> bool:
    """Compares the number of words without a lower-case letter and with at least one letter."""
    words = [_NOT_IN_A_WORD.sub(b"", word) for word in text.split()]
    return compare(sum(word.isupper() for word in words), count, relation)


def english_capital(text: bytes) -> bool:
    """No ASCII letter is in lower case."""
    return text == text.upper()


def english_lowercase(text: bytes) -> bool:
    """No ASCII letter is in upper case."""
    return text == text.lower()


def two_responses(text: bytes) -> bool:
    """Exactly one divider that is not at the very start or end."""
    count, place = 0, text.find(DIVIDER)
    while place >= 0:
        count += place not in (0, len(text) - len(DIVIDER))
        place = text.find(DIVIDER, place + len(DIVIDER))
    return count == 1


def number_placeholders(text: bytes, count: int) -> bool:
    """At least ``count`` pairs of square brackets with something between them."""
    found, place = 0, 0
    while found < count:
        begin = text.find(b"[", place)
        end = text.find(b"]", begin + 1) if begin >= 0 else -1
        if end < 0:
            return False
        found += end > begin + 1
        place = end + 1
    return True


def constrained_response(text: bytes) -> bool:
    """One of the three sentences, with at most three more bytes."""
    return any(option in text and len(text) <= len(option) + _SPARE for option in _OPTIONS)


def json_format(text: bytes) -> bool:
    """JSON; of a text that begins with a backtick, what is between its first and last line.

    The app's parser takes control characters in strings, and no ``NaN``; nesting that exhausts the stack is no JSON.
    """
    if text.startswith(b"`"):
        first, last = text.find(b"\n"), text.rfind(b"\n")
        if 0 <= first < last:
            text = text[first + 1 : last]
    spaced = text.translate(bytes.maketrans(b"\v\f", b"  ")).decode("latin-1")
    try:
        json.loads(spaced, strict=False, parse_constant=_no_constant, parse_int=len, parse_float=len)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def multiple_sections(text: bytes, count: int, splitter: bytes) -> bool:
    """Exactly ``count`` sections: each begins with the splitter, and a number follows it after one more byte.

    The first one needs no number. A splitter without one drops what came since the splitter before it. With a divider
    between two responses, each of them has half of the sections.
    """
    if not splitter:
        sections = [text]
    else:
        sections, start = [], text.find(splitter)
        while start >= 0:
            following = text.find(splitter, start + len(splitter))
            if following < 0:
                sections.append(text[start:])
            else:
                place = following + len(splitter) + 1
                if place < len(text) and text[place] in _SECTION_NUMBERS:
                    sections.append(text[start:following])
            start = following
    found = sum(bool(section.strip(SPACES)) for section in sections)
    return (found // 2 if DIVIDER in text else found) == count


def number_bullet_lists(text: bytes, count: int) -> bool:
    """Exactly ``count`` lines that begin with ``* `` or ``- ``, white space around them ignored."""
    return sum(line.strip(SPACES).startswith((b"* ", b"- ")) for line in text.split(b"\n")) == count


def number_highlighted_sections(text: bytes, count: int) -> bool:
    """At least ``count`` pairs of stars with something between them, on one line."""
    return len(_HIGHLIGHT.findall(text)) >= count


def title(text: bytes) -> bool:
    """``<<``, and ``>>`` somewhere after it."""
    begin = text.find(b"<<")
    return begin >= 0 and text.find(b">>", begin + 2) >= 0


def existence(text: bytes, keywords: tuple[bytes, ...]) -> bool:
    """Every keyword as a whole word, in any case."""
    return all(contains_word(text, each) for each in keywords)


def forbidden_words(text: bytes, words: tuple[bytes, ...]) -> bool:
    """None of the words as a whole word, in any case."""
    return not any(contains_word(text, each) for each in words)


def nth_paragraph_first_word(text: bytes, total: int, nth: int, word: bytes) -> bool:
    """Exactly ``total`` paragraphs between blank lines; the letters of the nth one's first word are ``word``."""
    paragraphs = [each for each in text.split(b"\n\n") if each]
    if len(paragraphs) != total or not 1 <= nth <= total:
        return False
    words = paragraphs[nth - 1].split()
    return bool(words) and _NO_LETTERS.sub(b"", words[0].lower()) == word.lower()


def number_paragraphs(text: bytes, count: int) -> bool:
    """Exactly ``count`` - 1 times ``***``, at least five bytes from the start and the end."""
    found, place = 0, text.find(b"***")
    while place >= 0:
        found += _PARAGRAPH_SPARE <= place <= len(text) - 3 - _PARAGRAPH_SPARE
        place = text.find(b"***", place + 4)
    return found == count - 1


def quotation(text: bytes) -> bool:
    """The first and the last byte are double quotation marks."""
    return len(text) >= 2 and text.startswith(b'"') and text.endswith(b'"')
