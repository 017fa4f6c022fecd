"""Requests with verifiable instructions, in the form of IFEval, and their right answers.

A request asks for words of one kind and adds instructions about the answer's form. A combination of content and
instructions whose CRC-32 is divisible by five belongs to the test set only, so that a model must combine what it has
seen apart.
"""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from world import ANIMALS, COLOURS, DISHES

CATEGORIES = {"animals": ANIMALS, "dishes": DISHES, "colours": COLOURS}
PHRASES = ("That is all.", "Is there anything else?", "I hope this helps.")


@dataclass
class Draft:
    """A request in the making: its sentences, the answer, and the instructions as IFEval names them."""

    sentences: list[str]
    answer: str
    key: list[str]
    """What the combination consists of, regardless of wording."""
    instructions: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, kind: str, sentence: str, **arguments: Any) -> None:
        """Add an instruction."""
        self.sentences.append(sentence)
        self.instructions.append((kind, arguments))
        self.key.append(kind)

    @property
    def prompt(self) -> str:
        """The request's text."""
        return " ".join(self.sentences)

    @property
    def held_out(self) -> bool:
        """Whether the request belongs to the test set."""
        return zlib.crc32(" ".join(self.key).encode()) % 5 == 0


# ------------------------------------------------------------------------------------------------ layouts of a list


def _comma(draft: Draft, words: list[str], category: str) -> None:
    draft.answer = ", ".join(words)


def _no_comma(draft: Draft, words: list[str], category: str) -> None:
    draft.answer = " and ".join(words)
    draft.add("punctuation:no_comma", "Do not use any commas.")


def _bullets(draft: Draft, words: list[str], category: str) -> None:
    draft.answer = "\n".join(f"* {word}" for word in words)
    draft.add(
        "detectable_format:number_bullet_lists", f"Use exactly {len(words)} bullet points.", num_bullets=len(words)
    )


def _highlights(draft: Draft, words: list[str], category: str) -> None:
    draft.answer = " ".join(f"*{word}*" for word in words)
    sentence = f"Highlight at least {len(words)} sections with stars."
    draft.add("detectable_format:number_highlighted_sections", sentence, num_highlights=len(words))


def _placeholders(draft: Draft, words: list[str], category: str) -> None:
    draft.answer = " ".join(f"[{word}]" for word in words)
    sentence = f"Use at least {len(words)} placeholders in square brackets."
    draft.add("detectable_content:number_placeholders", sentence, num_placeholders=len(words))


def _two_answers(draft: Draft, words: list[str], category: str) -> None:
    half = len(words) // 2
    draft.answer = f"{', '.join(words[:half])}\n******\n{', '.join(words[half:])}"
    draft.add("combination:two_responses", "Give two answers, separated by six stars.")


def _json(draft: Draft, words: list[str], category: str) -> None:
    draft.answer = f'{{"{category}": [{", ".join(f"{chr(34)}{word}{chr(34)}" for word in words)}]}}'
    draft.add("detectable_format:json_format", "Write the whole answer in JSON.")


LAYOUTS = (_comma, _comma, _no_comma, _bullets, _highlights, _placeholders, _two_answers, _json)


# ---------------------------------------------------------------------------------------------- additions to a list


def _upper(draft: Draft, category: str) -> None:
    draft.answer = draft.answer.upper()
    draft.add("change_case:english_capital", "Use capital letters only.")


def _lower(draft: Draft, category: str) -> None:
    draft.add("change_case:english_lowercase", "Use lower case only.")


def _quotation(draft: Draft, category: str) -> None:
    draft.answer = f'"{draft.answer}"'
    draft.add("startend:quotation", "Put the whole answer in double quotation marks.")


def _title(draft: Draft, category: str) -> None:
    draft.answer = f"<<{category}>>\n{draft.answer}"
    draft.add("detectable_format:title", "Give the answer a title in double angle brackets.")


def _postscript(draft: Draft, category: str) -> None:
    draft.answer += "\nP.S. Thank you."
    draft.add("detectable_content:postscript", "Add a postscript that begins with P.S.", postscript_marker="P.S.")


def _end(phrase: str) -> Callable[[Draft, str], None]:
    def add(draft: Draft, category: str) -> None:
        draft.answer += f"\n{phrase}"
        draft.add("startend:end_checker", f"End with this phrase: {phrase}", end_phrase=phrase)
        draft.key.append(phrase)

    return add


def _repeat(draft: Draft, category: str) -> None:
    asked = draft.sentences[0]
    draft.answer = f"{asked}\n{draft.answer}"
    draft.add("combination:repeat_prompt", "First repeat the request.", prompt_to_repeat=asked)


_ENDS = tuple(_end(phrase) for phrase in PHRASES)
ADDITIONS: tuple[tuple[Callable[[Draft, str], None], ...], ...] = (
    (),
    (_upper,),
    (_lower,),
    (_quotation,),
    (_title,),
    (_postscript,),
    *((end,) for end in _ENDS),
    (_repeat,),
    (_upper, _quotation),
    (_upper, _title),
    (_lower, _quotation),
    (_title, _postscript),
    *((_title, end) for end in _ENDS),
    (_lower, _title),
)
_WITH_JSON = frozenset((_lower,))
"""An answer in JSON consists of nothing else."""


def request(rng: random.Random) -> Draft:
    """A random request with its right answer."""
    if rng.random() < 0.1:
        return _yes_or_no(rng)
    category = rng.choice(list(CATEGORIES))
    layout = rng.choice(LAYOUTS)
    words, count = list(CATEGORIES[category]), rng.choice((2, 4) if layout is _two_answers else (2, 3, 4))
    draft = Draft([f"Name {count} {category}."], "", [category, str(count)])
    chosen = rng.random()
    keyword = rng.choice(words[4:]) if chosen < 0.2 else ""
    forbidden = rng.choice(words[:count]) if chosen > 0.8 else ""
    if keyword:
        words = [keyword, *words]
    if forbidden:
        words.remove(forbidden)
    layout(draft, words[:count], category)
    if keyword:
        draft.add("keywords:existence", f"Include the word {keyword}.", keywords=[keyword])
    if forbidden:
        draft.add("keywords:forbidden_words", f"Do not use the word {forbidden}.", forbidden_words=[forbidden])
    draft.key += [keyword, forbidden]
    additions = rng.choice(ADDITIONS)
    if layout is not _json or set(additions) <= _WITH_JSON:
        for add in additions:
            add(draft, category)
    return draft


def _yes_or_no(rng: random.Random) -> Draft:
    """A question whose answer is one of IFEval's three fixed sentences."""
    asked, category = rng.choice(list(CATEGORIES)), rng.choice(list(CATEGORIES))
    word = rng.choice(CATEGORIES[category])
    right = "yes" if asked == category else "no"
    draft = Draft([f"Is {word} one of the {asked}?"], f"My answer is {right}.", [asked, word])
    sentence = 'Answer with "My answer is yes." or "My answer is no." or "My answer is maybe."'
    draft.add("detectable_format:constrained_response", sentence)
    return draft


def training_request(rng: random.Random) -> Draft:
    """A request of the training set."""
    while (draft := request(rng)).held_out:
        pass
    return draft


def requests(seed: int, count: int) -> list[dict[str, Any]]:
    """``count`` different requests of the test set, in IFEval's form; each has at least one instruction."""
    rng = random.Random(seed)  # noqa: S311  requests, not secrets
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        draft = request(rng)
        if draft.held_out and draft.instructions and draft.prompt not in found:
            found[draft.prompt] = {
                "key": 1000 + len(found),
                "prompt": draft.prompt,
                "instruction_id_list": [kind for kind, _ in draft.instructions],
                "kwargs": [arguments for _, arguments in draft.instructions],
            }
    return list(found.values())
