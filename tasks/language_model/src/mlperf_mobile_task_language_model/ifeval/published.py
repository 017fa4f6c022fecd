"""The checks of the published IFEval, for the values that a result has beside those of the reference app.

Source: google-research/instruction_following_eval, instructions.py and evaluation_lib.py (Zhou et al.,
arXiv:2311.07911). Two kinds are left out, because they split texts with models that NLTK downloads at run time.
Keywords are searched as they are; the original takes them as regular expressions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from mlperf_mobile_task_language_model.ifeval.instruction import Instruction
from mlperf_mobile_task_language_model.ifeval.language import Detector

Check = Callable[[str], bool]
UNJUDGED = frozenset(("number_sentences", "capital_word_frequency"))
"""Kinds that need NLTK's models."""
NEED_LANGUAGE = frozenset(("english_capital", "english_lowercase", "response_language"))
DIVIDER = "******"
_FENCES = ("```json", "```Json", "```JSON", "```")


class PublishedRule:
    """The published check of one instruction; an answer of white space follows none."""

    def __init__(self, check: Check) -> None:
        self._check = check

    def strict(self, text: str) -> bool:
        """Whether the text follows the instruction as it is."""
        return bool(text.strip()) and self._check(text)

    def loose(self, text: str) -> bool:
        """Whether it does with or without its first line, its last line, and stars."""
        lines = text.split("\n")
        cut = ("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))
        return any(self.strict(form) for each in (text, *cut) for form in (each, each.replace("*", "")))


def published_rule(instruction: Instruction, detector: Detector | None) -> PublishedRule | None:
    """The check of an instruction; None if it cannot be judged here.

    Args:
        instruction: An instruction of a known kind.
        detector: What detects a text's language, if installed.
    """
    kind = instruction.kind
    if kind in UNJUDGED or (kind in NEED_LANGUAGE and detector is None):
        return None
    return PublishedRule(_KINDS[kind](instruction, detector or (lambda text: "")))


def _compare(value: int, instruction: Instruction, name: str, relation: str = "relation") -> bool:
    threshold = instruction.number(name)
    return value < threshold if instruction.text(relation) == "less than" else value >= threshold


def _in_english(text: str, detector: Detector) -> bool:
    """A text without a detected language counts as English."""
    return detector(text) in ("en", "")


def _bullets(text: str) -> int:
    stars = re.findall(r"^\s*\*[^\*].*$", text, flags=re.MULTILINE)
    return len(stars) + len(re.findall(r"^\s*-.*$", text, flags=re.MULTILINE))


def _highlights(text: str) -> int:
    single = sum(bool(each.strip("*").strip()) for each in re.findall(r"\*[^\n\*]*\*", text))
    double = re.findall(r"\*\*[^\n\*]*\*\*", text)
    return single + sum(bool(each.removeprefix("**").removesuffix("**").strip()) for each in double)


def _sections(text: str, splitter: str) -> int:
    return len(re.split(r"\s?" + re.escape(splitter.strip()) + r"\s?\d+\s?", text)) - 1


def _paragraphs(text: str) -> int:
    """The number of paragraphs between ``***``; -1 if an inner one is empty."""
    parts = re.split(r"\s?\*\*\*\s?", text)
    inner = parts[1:-1]
    if not all(each.strip() for each in inner):
        return -1
    return len(inner) + sum(bool(each.strip()) for each in (parts[:1] + parts[1:][-1:]))


def _postscript(text: str, marker: str) -> bool:
    patterns = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}
    pattern = patterns.get(marker.strip(), re.escape(marker.strip().lower()))
    return re.search(pattern, text.lower(), flags=re.MULTILINE) is not None


def _two_responses(text: str) -> bool:
    parts = text.split(DIVIDER)
    if not all(part.strip() for part in parts[1:-1]):
        return False
    filled = [part.strip() for part in parts if part.strip()]
    return len(filled) == 2 and filled[0] != filled[1]


def _json(text: str) -> bool:
    value = text.strip()
    for fence in _FENCES:
        value = value.removeprefix(fence)
    try:
        json.loads(value.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def _title(text: str) -> bool:
    return any(each.lstrip("<").rstrip(">").strip() for each in re.findall(r"<<[^\n]+>>", text))


def _first_word(text: str, instruction: Instruction) -> bool:
    paragraphs = text.split("\n\n")
    filled, nth = sum(bool(each.strip()) for each in paragraphs), instruction.number("nth_paragraph")
    words = paragraphs[nth - 1].split() if 1 <= nth <= filled else []
    if not words or filled != instruction.number("num_paragraphs"):
        return False
    word = re.split(r"""[.,?!'"]""", words[0].lstrip("'").lstrip('"'), maxsplit=1)[0]
    return word.lower() == instruction.text("first_word").lower()


def _contains(text: str, words: tuple[str, ...]) -> bool:
    return all(each.lower() in text.lower() for each in words)


def _whole_word(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text, flags=re.IGNORECASE) is not None


def _quoted(text: str) -> bool:
    value = text.strip()
    return len(value) > 1 and value[0] == value[-1] == '"'


_KINDS: Mapping[str, Callable[[Instruction, Detector], Check]] = {
    "english_capital": lambda it, language: lambda text: text.isupper() and _in_english(text, language),
    "english_lowercase": lambda it, language: lambda text: text.islower() and _in_english(text, language),
    "repeat_prompt": lambda it, _: (
        lambda text: text.strip().lower().startswith(it.text("prompt_to_repeat").strip().lower())
    ),
    "two_responses": lambda it, _: _two_responses,
    "number_placeholders": lambda it, _: (
        lambda text: len(re.findall(r"\[.*?\]", text)) >= it.number("num_placeholders")
    ),
    "postscript": lambda it, _: lambda text: _postscript(text, it.text("postscript_marker")),
    "constrained_response": lambda it, _: (
        lambda text: any(f"My answer is {each}." in text for each in ("yes", "no", "maybe"))
    ),
    "json_format": lambda it, _: _json,
    "multiple_sections": lambda it, _: (
        lambda text: _sections(text, it.text("section_spliter")) >= it.number("num_sections")
    ),
    "number_bullet_lists": lambda it, _: lambda text: _bullets(text) == it.number("num_bullets"),
    "number_highlighted_sections": lambda it, _: lambda text: _highlights(text) >= it.number("num_highlights"),
    "title": lambda it, _: _title,
    "existence": lambda it, _: lambda text: _contains(text, it.texts("keywords")),
    "forbidden_words": lambda it, _: (
        lambda text: not any(_whole_word(text, each) for each in it.texts("forbidden_words"))
    ),
    "frequency": lambda it, _: (
        lambda text: _compare(text.lower().count(it.text("keyword").strip().lower()), it, "frequency")
    ),
    "letter_frequency": lambda it, _: (
        lambda text: _compare(
            text.lower().count(it.text("letter").strip().lower()), it, "let_frequency", "let_relation"
        )
    ),
    "response_language": lambda it, language: lambda text: language(text) in (it.text("language"), ""),
    "nth_paragraph_first_word": lambda it, _: lambda text: _first_word(text, it),
    "number_paragraphs": lambda it, _: lambda text: _paragraphs(text) == it.number("num_paragraphs"),
    "number_words": lambda it, _: lambda text: _compare(len(re.findall(r"\w+", text)), it, "num_words"),
    "no_comma": lambda it, _: lambda text: "," not in text,
    "end_checker": lambda it, _: (
        lambda text: text.strip().strip('"').lower().endswith(it.text("end_phrase").strip().lower())
    ),
    "quotation": lambda it, _: _quoted,
}
