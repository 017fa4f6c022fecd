"""Compares a text with reference answers.

Source: the official evaluation of SQuAD v1.1, evaluate-v1.1.py; and the reference app's, which first splits at
single spaces, and counts articles and punctuation as matching words: flutter/cpp/datasets/squad_utils/common.h.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_APP_ARTICLES = frozenset(("a", "an", "the", "A", "An", "The"))
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@lru_cache(maxsize=1 << 16)
def normalised(text: str) -> str:
    """The text in lower case without punctuation and articles, words separated by one space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, references: Iterable[str]) -> bool:
    """Whether the answer is one of the references, both normalised."""
    text = normalised(answer)
    return any(text == normalised(reference) for reference in references)


def f1(answer: str, references: Iterable[str]) -> float:
    """The best F1 of the answer's words against those of one reference, between 0 and 1."""
    words = normalised(answer).split()
    return max((_f1(words, normalised(reference).split()) for reference in references), default=0.0)


def app_f1(answer: str, references: Iterable[str]) -> float:
    """The F1 that the reference app computes."""
    words = _app_words(answer)
    return max((_f1(words, _app_words(reference)) for reference in references), default=0.0)


def _f1(words: Sequence[str], reference: Sequence[str]) -> float:
    same = sum((Counter(words) & Counter(reference)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(words), same / len(reference)
    return 2 * precision * recall / (precision + recall)


def _app_words(text: str) -> list[str]:
    words = ["" if word in _APP_ARTICLES else word for word in text.split(" ")]
    return [word.translate(_PUNCTUATION).translate(_ASCII_LOWER) for word in words]
