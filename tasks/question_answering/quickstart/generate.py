"""Made-up passages with questions about them, in the format of SQuAD v1.1, and the vocabulary that covers them.

Every name, place and value is composed of parts. A composed text belongs to the test set if its CRC-32 is divisible by
five, and to the training set otherwise, so that training contains no answer and no name of the test set, but all of
their parts.
"""

import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from facts import KINDS, PERSON, THING, TOWN, Attribute


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


HEADS = words("""
    bal ber bra cal car cor dal den dor el fal fen gar gil hal har hel jor kal kel kin lan lin lor mal mar mel mir
    mon nal nel nor or pal per pol ral ren ror sal sel sor tal tel tor ul val ver vin wal wen wil yor zan zel
""")
TAILS = words("""
    a ac an ard as ax da den dra e ek el en eth fin ga ia ic id il in io is ix ka ko la len lin lo ma mo na ne no
    o on or os ra ren ri rik ro sa sen ta ter ti to tus va vin vo wen ya za
""")
ENDINGS = words("""
    bridge bury chester dale field ford gate ham haven holm mouth port stead ton vale ville wick worth
""")
COMPANIES = words("""
    bakery bank brewery dairy garage gallery hotel mill museum press school shipyard theatre workshop
""")
TRADES = words("""
    baker builder carver cleaner dealer designer driver keeper maker painter repairer seller teacher tuner
""")
WARES = words("""
    boat bell book bread candle chair clock glass guitar harp hat kite lamp map mirror organ piano roof
""")
DISHES = words("""
    cake curry dumplings noodles pancakes pasta pie pudding rice salad soup stew tart
""")
TASTES = words("""
    apple bean carrot cheese cherry fish garlic lemon mushroom onion pear plum potato pumpkin spinach
""")
LOOKS = words("""
    blue brass bronze copper crooked golden green heavy iron ivory painted red silver small wooden yellow
""")
THINGS = words("""
    box compass drum kettle ladder lantern medal mug needle ring shield spoon statue table vase violin
""")
ANIMALS = words("""
    cat dog donkey goat goose horse owl parrot rabbit snake
""")
MONTHS = words("""
    January February March April May June July August September October November December
""")

Pool = Callable[[str], bool]
"""Whether a composed text may be used."""


def held_out(text: str) -> bool:
    """Whether a composed text belongs to the test set."""
    return zlib.crc32(text.encode()) % 5 == 0


def trained_on(text: str) -> bool:
    """Whether a composed text belongs to the training set."""
    return not held_out(text)


class Composer:
    """Composes texts that the pool allows, without repetition until :meth:`fresh`."""

    def __init__(self, rng: random.Random, pool: Pool) -> None:
        self.rng, self._pool = rng, pool
        self._used: set[str] = set()

    def fresh(self) -> None:
        """Forget the used texts: a new passage begins."""
        self._used.clear()

    def _one(self, compose: Callable[[], str]) -> str:
        while True:
            text = compose()
            if text not in self._used and self._pool(text):
                self._used.add(text)
                return text

    def _pick(self, parts: tuple[str, ...]) -> str:
        return parts[self.rng.randrange(len(parts))]

    def word(self) -> str:
        return (self._pick(HEADS) + self._pick(TAILS)).capitalize()

    def name(self, family: str = "") -> str:
        """First name and family name."""
        return self._one(lambda: f"{self.word()} {family or self.word()}")

    def town(self) -> str:
        return self._one(lambda: (self._pick(HEADS) + self._pick(ENDINGS)).capitalize())  # noqa: PLW0108  a new call each

    def river(self) -> str:
        return self._one(self.word)

    def pet(self) -> str:
        return self._one(self.word)

    def company(self) -> str:
        return self._one(lambda: f"{self.word()} {self._pick(COMPANIES).capitalize()}")

    def job(self) -> str:
        return self._one(lambda: f"{self._pick(WARES)} {self._pick(TRADES)}")

    def dish(self) -> str:
        return self._one(lambda: f"{self._pick(TASTES)} {self._pick(DISHES)}")

    def thing(self) -> str:
        return self._one(lambda: f"{self._pick(LOOKS)} {self._pick(THINGS)}")

    def date(self) -> str:
        return self._one(lambda: f"{self.rng.randint(1, 28)} {self._pick(MONTHS)} {self.rng.randint(1850, 1999)}")

    def year(self) -> str:
        return self._one(lambda: str(self.rng.randint(1100, 1849)))

    def price(self) -> str:
        return self._one(lambda: f"{self.rng.randint(2, 99)} dollars")

    def weight(self) -> str:
        return self._one(lambda: f"{self.rng.randint(2, 99)} pounds")

    def count(self) -> str:
        return self._one(lambda: f"{self.rng.randint(2, 99)},{self.rng.randint(1, 9)}00 people")

    def animal(self) -> str:
        return self._pick(ANIMALS)


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the answer's start in the passage."""

    text: str
    answer: str
    start: int


def passage(composer: Composer, facts: int) -> tuple[str, list[Question]]:
    """A passage of ``facts`` facts about two or more subjects, and a question about each fact."""
    rng = composer.rng
    composer.fresh()
    chosen: list[tuple[str, Attribute]] = []
    family = ""
    while len(chosen) < facts:
        kind = rng.choice(("name", "name", "thing", "town"))
        same = kind == "name" and family and rng.random() < 0.25
        subject = composer.name(family) if same else getattr(composer, kind)()
        if kind == "name":
            family = subject.split()[1]
        several = rng.sample(KINDS[kind], min(facts - len(chosen), rng.randint(2, 4)))
        chosen += [(subject, attribute) for attribute in several]
    if rng.random() < 0.3:
        rng.shuffle(chosen)
    text, questions = "", []
    for subject, attribute in chosen:
        value, detail = getattr(composer, attribute.value)(), composer.animal() if attribute.detail else ""
        say = rng.choice(attribute.says).replace("{s}", subject).replace("{x}", detail)
        ask = rng.choice(attribute.asks).replace("{s}", subject).replace("{x}", detail)
        text += " " * bool(text)
        questions.append(Question(ask, value, len(text) + say.index("{v}")))
        text += say.replace("{v}", value)
    return text, questions


def squad(seed: int, passages: int, questions: int, pool: Pool) -> dict[str, Any]:
    """A SQuAD v1.1 document of ``passages`` passages, 3 to 24 facts each, with ``questions`` questions about each."""
    composer = Composer(random.Random(seed), pool)  # noqa: S311  passages, not secrets
    data = []
    for number in range(passages):
        facts = composer.rng.randint(14, 24) if number % 5 == 0 else composer.rng.randint(3, 9)
        text, possible = passage(composer, facts)
        chosen = composer.rng.sample(possible, min(questions, len(possible)))
        qas = [
            {
                "id": f"{number:03}-{place}",
                "question": question.text,
                "answers": [{"text": question.answer, "answer_start": question.start}],
            }
            for place, question in enumerate(chosen)
        ]
        data.append({"title": f"Passage {number}", "paragraphs": [{"context": text, "qas": qas}]})
    return {"version": "1.1", "data": data}


def vocabulary() -> list[str]:
    """The special tokens, all characters, all two-digit numbers, the templates' words, the names' parts."""
    known: set[str] = {*MONTHS, "dollars", "people", "pounds"}
    for attribute in PERSON + THING + TOWN:
        for template in attribute.says + attribute.asks:
            known.update(re.findall(r"[A-Za-z]+", re.sub(r"\{.\}", " ", template)))
    for several in (COMPANIES, TRADES, WARES, DISHES, TASTES, LOOKS, THINGS, ANIMALS):
        known.update(several)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    numbers = [str(number) for number in range(10)] + [f"{number:02}" for number in range(100)]
    first = {word.lower() for word in known} | set(HEADS) | set(letters) | set(numbers)
    later = set(TAILS) | set(ENDINGS) | set(letters) | set(numbers)
    marks = [chr(code) for code in range(33, 127) if not chr(code).isalnum()]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    return special + marks + sorted(first) + sorted(f"##{word}" for word in later)


def training_passages(seed: int) -> Iterator[tuple[str, list[Question]]]:
    """An endless stream of training passages."""
    composer = Composer(random.Random(seed), trained_on)  # noqa: S311  passages, not secrets
    while True:
        yield passage(composer, composer.rng.randint(3, 11))


def dump(document: dict[str, Any]) -> str:
    """The document as text, identical on every machine."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"
