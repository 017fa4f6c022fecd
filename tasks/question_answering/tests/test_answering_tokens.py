"""Tokens are those of Google's BERT: its published algorithm once more, character by character, to compare with."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlperf_mobile_task_question_answering.basic_tokens import basic_tokens
from mlperf_mobile_task_question_answering.vocabulary import Vocabulary

HAN = [*range(0x4E00, 0xA000), *range(0x3400, 0x4DC0), *range(0x20000, 0x2A6E0), *range(0x2A700, 0x2B740)]
HAN = frozenset(
    [*HAN, *range(0x2B740, 0x2B820), *range(0x2B820, 0x2CEB0), *range(0xF900, 0xFB00), *range(0x2F800, 0x2FA20)]
)
ASCII_MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def reference(text: str) -> list[str]:
    clean = []
    for c in text:
        kind = unicodedata.category(c)
        if c in "\t\n\r" or kind == "Zs":
            clean.append(" ")
        elif c not in "\0\ufffd" and kind not in ("Cc", "Cf"):
            clean += (" ", c, " ") if ord(c) in HAN else (c,)
    pieces = []
    for token in "".join(clean).split():
        new = True
        for c in unicodedata.normalize("NFD", token.lower()):
            kind = unicodedata.category(c)
            if kind == "Mn":
                continue
            if c in ASCII_MARKS or kind[0] == "P":
                pieces.append(c)
                new = True
            elif new:
                pieces.append(c)
                new = False
            else:
                pieces[-1] += c
    return [part for piece in pieces for part in piece.split()]


def pieces_of(word: str, vocabulary: dict[str, int]) -> list[int]:
    """Greedy, the longest piece first; a word with a rest that is no piece, or of over 200 characters, is unknown."""
    found, start = [], 0
    while start < len(word) <= 200:
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                found.append(vocabulary[piece])
                break
        else:
            return [vocabulary["[UNK]"]]
        start = end
    return found if len(word) <= 200 else [vocabulary["[UNK]"]]


@pytest.mark.nightly
@pytest.mark.slow
def test_every_code_point() -> None:
    """Alone, and between letters: which of them end a word, vanish, stand alone or belong to it."""
    step = 0x1000
    for first in range(0, sys.maxunicode + 1, step):
        characters = [chr(code) for code in range(first, first + step)]
        text = " ".join(f"{c}Q" for c in characters)
        if basic_tokens(text) != reference(text):
            wrong = [hex(ord(c)) for c in characters if basic_tokens(f"{c}Q") != reference(f"{c}Q")]
            raise AssertionError(f"{len(wrong)} differ: {wrong[:20]}")


ODD = (
    "ΟΔΟΣ ΟΔΌΣ. Σ ΑΣ'Α ΑΣ\u0301 \u0130stanbul ŞŞ \u1e9e",  # final sigma, dots, capital sharp s
    "a\ue000b \U000f0000 \U0010fffd",  # private use
    "a\U0002b820b\U0002b91f\U0002ceaf\U0002ceb0",  # the fifth CJK extension
    "a\u2e4fb \u2e52 \u2e5d \U00011fff \U00016e97",  # marks of Unicode 11 to 14
    "a\x1cb\x1fc\x85d\u2028e\u2029f\xa0g\u3000h\u180ei",  # what Python, Unicode and BERT call white space
    "\u2126 \u212b \uac00\u11a8 e\u0301 ﬁ Ǻ \u0345",  # decompositions
    "\ufffd\0a \xadb \u200bc \ufeffd \u0600e",  # what is removed
    "a^b`c$d~e|f+g<h=i>j",  # signs that are marks in ASCII only
    "\ufe0f❤\ufe0f 👩\u200d👧 ±× ©",
)  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_odd_texts(text: str) -> None:
    assert basic_tokens(text) == reference(text)


def test_by_hand() -> None:
    assert basic_tokens("ΟΔΟΣ") == ["οδος"]  # a sigma at the end has a form of its own
    assert basic_tokens("a\ue000b") == ["a\ue000b"]
    assert basic_tokens("x\U0002b820y") == ["x", "\U0002b820", "y"]
    assert basic_tokens("x\u2e4fy") == ["x", "\u2e4f", "y"]
    assert basic_tokens("a\x1cb\u2028c") == ["ab", "c"]


@settings(max_examples=150)
@given(
    st.text(
        st.one_of(st.characters(), st.sampled_from("aΣςσ'. \u0301\u0345\u3000一\U0002b820\x1c\u2028\xad")), max_size=20
    )
)
@example("Σ\u0301.Σ")
def test_any_text(text: str) -> None:
    assert basic_tokens(text) == reference(text)


TOKENS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "a",
    "##a",
    "ab",
    "##b",
    "##ab",
    "b",
    "ς",
    "σ",
    "##σ",
    ".",
    "\ue000",
    "一",
]
TOKENS += ["\U0002b820", "##ς", "'", "\u2e4f"]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(TOKENS) + "\n", "utf-8")
    return Vocabulary(path)


WORDS = st.text(st.sampled_from("aabbΣς.'\ue000一\U0002b820\u2e4f\u0301\xad \u2028\ud800A"), max_size=12)


@settings(max_examples=100)
@given(texts=st.lists(WORDS, min_size=1, max_size=5))
@example(texts=["a" * 200, "a" * 201, "Aa\u0301" * 100])
def test_pieces(vocabulary: Vocabulary, texts: list[str]) -> None:
    numbers = {token: number for number, token in enumerate(TOKENS)}
    expected = [[n for word in reference(text) for n in pieces_of(word, numbers)] for text in texts]
    assert [ids.tolist() for ids in vocabulary.texts(texts)] == expected
    words = [text.split(" ") for text in texts]
    for passage, pieces in zip(words, vocabulary.passages(words), strict=True):
        each = [[n for part in reference(word) for n in pieces_of(part, numbers)] for word in passage]
        assert pieces.ids.tolist() == [n for ids in each for n in ids]
        assert pieces.words.tolist() == [number for number, ids in enumerate(each) for _ in ids]
        assert pieces.ids.dtype == pieces.words.dtype == np.int32


def test_private_use_characters_are_unknown_not_nothing(vocabulary: Vocabulary, tmp_path: Path) -> None:
    (ids,) = vocabulary.texts(["a \ue001 \ue000"])
    assert ids.tolist() == [TOKENS.index("a"), TOKENS.index("[UNK]"), TOKENS.index("\ue000")]
