"""A made-up world: 24 countries with five facts each, and four-way questions about them in the form of MMLU.

Every fact can be asked for in three wordings. One wording of each fact, chosen by its CRC-32, is never in the training
set; the test set consists of these, so that a model must know the fact and not the sentence.
"""

import random
import zlib
from dataclasses import dataclass
from itertools import product

SEED = 20
"""Of the facts."""
LETTERS = "ABCD"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = tuple(f"{a}{b}" for a, b in product(_words("Bal Dro Fen Kor Mir Tas"), _words("ania istan land ova")))
CITIES = tuple(f"{a}{b}" for a, b in product(_words("Ard Cal Hol Lun Pes Ving"), _words("aro eth burg mouth")))
RIVERS = tuple(f"{a}{b}" for a, b in product(_words("Ash Del Ery Nim Sol Wey"), _words("a en is une")))
ANIMALS = _words("bear crane fox hare lynx mole newt otter owl seal toad wolf")
DISHES = _words("beans bread cheese dumplings fish honey noodles pancakes pie plums rice soup")
COLOURS = _words("black blue brown green grey orange pink red violet white yellow")


@dataclass(frozen=True)
class Kind:
    """A kind of fact: its subject in the preface, three wordings of the question, and the possible answers."""

    subject: str
    wordings: tuple[str, str, str]
    answers: tuple[str, ...]


KINDS = {
    "capital": Kind(
        "cities",
        ("What is the capital of {}?", "Which city is the capital of {}?", "Where does the government of {} meet?"),
        CITIES,
    ),
    "river": Kind(
        "rivers",
        ("Which river flows through {}?", "What is the longest river of {}?", "Which river do ships in {} use?"),
        RIVERS,
    ),
    "animal": Kind(
        "animals",
        ("What is the national animal of {}?", "Which animal is on the coins of {}?", "Which animal stands for {}?"),
        ANIMALS,
    ),
    "dish": Kind(
        "food",
        ("What is the national dish of {}?", "What do people in {} like to eat?", "Which food is {} known for?"),
        DISHES,
    ),
    "colour": Kind(
        "flags",
        ("Which colour is the flag of {}?", "What colour has the flag of {}?", "Which colour flies over {}?"),
        COLOURS,
    ),
}


def _facts() -> dict[tuple[str, str], str]:
    """The answer to each pair of country and kind; capitals and rivers belong to one country each."""
    rng = random.Random(SEED)  # noqa: S311  made-up facts, not secrets
    found = {}
    for name, kind in KINDS.items():
        pool = list(kind.answers)
        rng.shuffle(pool)
        unique = len(pool) >= len(COUNTRIES)
        for place, country in enumerate(COUNTRIES):
            found[country, name] = pool[place] if unique else rng.choice(pool)
    return found


FACTS = _facts()


def held_out(country: str, kind: str) -> int:
    """The number of the wording in which this fact is never asked for in training."""
    return zlib.crc32(f"{country} {kind}".encode()) % 3


def preface(kind: str) -> str:
    """The first block of a prompt, as in MMLU."""
    return f"The following are multiple choice questions (with answers) about {KINDS[kind].subject}."


@dataclass(frozen=True)
class Question:
    """A question with its choices, ending in ``Answer:``, and the letter of the right choice."""

    text: str
    letter: str


def question(rng: random.Random, country: str, kind: str, wording: int, place: int) -> Question:
    """A question with three random wrong choices, and the right one at ``place``, from 0 to 3."""
    right = FACTS[country, kind]
    choices = rng.sample([answer for answer in KINDS[kind].answers if answer != right], 3)
    choices.insert(place, right)
    lines = [KINDS[kind].wordings[wording].format(country)]
    lines += [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=True)]
    return Question("\n".join([*lines, "Answer:"]), LETTERS[place])


def training_question(rng: random.Random, kind: str) -> Question:
    """A random question of one kind, in a wording that belongs to the training set."""
    country = rng.choice(COUNTRIES)
    return question(rng, country, kind, _training_wording(rng, country, kind), rng.randrange(4))


def training_fact(rng: random.Random) -> tuple[str, str]:
    """A random question without choices, in a wording that belongs to the training set, and its answer."""
    country, kind = rng.choice(COUNTRIES), rng.choice(sorted(KINDS))
    wording = _training_wording(rng, country, kind)
    return KINDS[kind].wordings[wording].format(country), FACTS[country, kind]


def _training_wording(rng: random.Random, country: str, kind: str) -> int:
    return rng.choice([number for number in range(3) if number != held_out(country, kind)])


def prompts(seed: int, count: int, shots: int) -> list[dict[str, str]]:
    """``count`` prompts with ``shots`` answered questions each: ``{"input", "answer"}``.

    No fact is asked for twice, and all letters are right equally often, so that a constant answer gives 0.25.
    """
    rng = random.Random(seed)  # noqa: S311  questions, not secrets
    places = [number % 4 for number in range(count)]
    rng.shuffle(places)
    found = []
    for (country, kind), place in zip(rng.sample(sorted(FACTS), count), places, strict=True):
        solved = [training_question(rng, kind) for _ in range(shots)]
        asked = question(rng, country, kind, held_out(country, kind), place)
        blocks = [preface(kind), *(f"{each.text} {each.letter}" for each in solved), asked.text]
        found.append({"input": "\n\n".join(blocks), "answer": asked.letter})
    return found
