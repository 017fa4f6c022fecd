"""Instructions: their kinds, their arguments, and the checks that they become.

Source of kinds and arguments: ``BuildInstructions`` in flutter/cpp/datasets/ifeval.cc.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from mlperf_mobile_task_language_model.ifeval import counts, formats
from mlperf_mobile_task_language_model.ifeval.language import Detector
from mlperf_mobile_task_language_model.ifeval.texts import compare, ends_with, starts_with, variants

Check = Callable[[bytes], bool]
"""Whether a text, as UTF-8, follows an instruction."""
_WORDS = re.compile(rb"[A-Za-z0-9]+")
Value = int | str | tuple[str, ...]
_SPARE = 3
"""Bytes beyond a phrase within which a beginning or an end may be."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: ``length_constraints:number_words`` with its arguments."""

    id: str
    arguments: Mapping[str, Value]

    @property
    def kind(self) -> str:
        """The id behind its first colon, which is all that the reference app looks at."""
        return self.id.partition(":")[2] if ":" in self.id else self.id

    @property
    def known(self) -> bool:
        """Whether it is one of the reference app's 25 kinds; the app leaves others out."""
        return self.kind in KINDS

    def number(self, name: str) -> int:
        """An argument that is a number; 0 if it is missing."""
        value = self.arguments.get(name, 0)
        return value if isinstance(value, int) else 0

    def text(self, name: str) -> str:
        """An argument that is a text; empty if it is missing."""
        value = self.arguments.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """An argument that is a list of texts; empty if it is missing."""
        value = self.arguments.get(name, ())
        return value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()


@dataclass(frozen=True, slots=True)
class AppRule:
    """The reference app's check of one instruction.

    Args:
        check: The strict check.
    """

    check: Check

    def strict(self, text: str) -> bool:
        """Whether the text follows the instruction as it is."""
        return self.check(_bytes(text))

    def loose(self, text: str) -> bool:
        """Whether one of its eight variants does."""
        return any(self.check(each) for each in variants(_bytes(text)))


def app_rule(instruction: Instruction, language: Callable[[], Detector]) -> AppRule:
    """The check of an instruction of a known kind.

    Args:
        instruction: The instruction.
        language: Called for an instruction that asks for a language.

    Raises:
        UsageError: No detector of languages is installed.
    """
    return AppRule(KINDS[instruction.kind](instruction, language))


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _contains(text: bytes, phrase: bytes) -> bool:
    return phrase.lower() in text.lower()


def _letter_frequency(text: bytes, letter: bytes, count: int, relation: str) -> bool:
    return compare(text.lower().count(letter.lower()), count, relation)


def _number_words(text: bytes, count: int, relation: str) -> bool:
    """Compares the number of runs of ASCII letters and digits."""
    return compare(len(_WORDS.findall(text)), count, relation)


def _in_language(detector: Detector, code: str) -> Check:
    return lambda text: detector(text.decode(errors="replace")) == code


def _phrase(instruction: Instruction, name: str) -> bytes:
    return _bytes(instruction.text(name))


def _phrases(instruction: Instruction, name: str) -> tuple[bytes, ...]:
    return tuple(map(_bytes, instruction.texts(name)))


Maker = Callable[[Instruction, Callable[[], Detector]], Check]
KINDS: Mapping[str, Maker] = {
    "capital_word_frequency": lambda it, _: partial(
        formats.capital_word_frequency, count=it.number("capital_frequency"), relation=it.text("capital_relation")
    ),
    "english_capital": lambda it, _: formats.english_capital,
    "english_lowercase": lambda it, _: formats.english_lowercase,
    "repeat_prompt": lambda it, _: partial(starts_with, phrase=_phrase(it, "prompt_to_repeat"), spare=_SPARE),
    "two_responses": lambda it, _: formats.two_responses,
    "number_placeholders": lambda it, _: partial(formats.number_placeholders, count=it.number("num_placeholders")),
    "postscript": lambda it, _: partial(_contains, phrase=_phrase(it, "postscript_marker")),
    "constrained_response": lambda it, _: formats.constrained_response,
    "json_format": lambda it, _: formats.json_format,
    "multiple_sections": lambda it, _: partial(
        formats.multiple_sections, count=it.number("num_sections"), splitter=_phrase(it, "section_spliter")
    ),
    "number_bullet_lists": lambda it, _: partial(formats.number_bullet_lists, count=it.number("num_bullets")),
    "number_highlighted_sections": lambda it, _: partial(
        formats.number_highlighted_sections, count=it.number("num_highlights")
    ),
    "title": lambda it, _: formats.title,
    "existence": lambda it, _: partial(formats.existence, keywords=_phrases(it, "keywords")),
    "forbidden_words": lambda it, _: partial(formats.forbidden_words, words=_phrases(it, "forbidden_words")),
    "frequency": lambda it, _: partial(
        counts.frequency, keyword=_phrase(it, "keyword"), count=it.number("frequency"), relation=it.text("relation")
    ),
    "letter_frequency": lambda it, _: partial(
        _letter_frequency,
        letter=(_phrase(it, "letter") or b"a")[:1],
        count=it.number("let_frequency"),
        relation=it.text("let_relation"),
    ),
    "response_language": lambda it, detector: _in_language(detector(), it.text("language")),
    "nth_paragraph_first_word": lambda it, _: partial(
        formats.nth_paragraph_first_word,
        total=it.number("num_paragraphs"),
        nth=it.number("nth_paragraph"),
        word=_phrase(it, "first_word"),
    ),
    "number_paragraphs": lambda it, _: partial(formats.number_paragraphs, count=it.number("num_paragraphs")),
    "number_sentences": lambda it, _: partial(
        counts.number_sentences, count=it.number("num_sentences"), relation=it.text("relation")
    ),
    "number_words": lambda it, _: partial(_number_words, count=it.number("num_words"), relation=it.text("relation")),
    "no_comma": lambda it, _: lambda text: b"," not in text,
    "end_checker": lambda it, _: partial(ends_with, phrase=_phrase(it, "end_phrase"), spare=_SPARE),
    "quotation": lambda it, _: formats.quotation,
}
"""The 25 kinds, and how a check is made of an instruction; arguments that are missing are 0 or empty, as in the app."""
