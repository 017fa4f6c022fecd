"""WordPiece vocabularies: turn the words of a text into token ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import CharDelimiterSplit

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering.basic_tokens import basic_tokens
from mlperf_mobile_task_question_answering.window import Integers

MAX_BYTES = 1 << 26
MAX_CHARACTERS = 200
"""Longest word; longer ones are unknown tokens. Source: Google's BERT, tokenization.py, max_input_chars_per_word."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")

HALVES = re.compile("[\ud800-\udfff]")
"""Lone surrogates, which neither a vocabulary nor UTF-8 has; U+FFFF, not a character either, replaces them."""


def _spaced(text: str) -> str:
    """Basic tokens with one space between them."""
    tokens = " ".join(basic_tokens(text))
    return tokens if tokens.isascii() else HALVES.sub("\uffff", tokens)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Tokenised words.

    Args:
        ids: Token ids, int32 [n].
        words: For each token the index of its word, int32 [n].
    """

    ids: Integers
    words: Integers


class Vocabulary:
    """A vocabulary file: one token per line; a token's id is its line number, from 0.

    Raises:
        DataError: It cannot be read, is not text, or lacks one of ``SPECIAL``.
    """

    def __init__(self, path: Path) -> None:
        self.tokens = _lines(path)
        numbers = {token: number for number, token in enumerate(self.tokens)}
        if absent := [token for token in SPECIAL if token not in numbers]:
            reason = f"{path} lacks {', '.join(absent)}"
            raise DataError("vocabulary", reason, "give the model's own vocab.txt with --set vocabulary=FILE")
        self.pad, self.unknown, self.cls, self.sep = (numbers[token] for token in SPECIAL)
        self._tokenizer = Tokenizer(WordPiece(numbers, unk_token=SPECIAL[1], max_input_chars_per_word=MAX_CHARACTERS))
        self._tokenizer.pre_tokenizer = CharDelimiterSplit(" ")

    def texts(self, texts: Sequence[str]) -> list[Integers]:
        """Token ids of each text, computed on all cores."""
        several = self._tokenizer.encode_batch_fast([_spaced(text) for text in texts], add_special_tokens=False)
        return [np.array(one.ids, np.int32) for one in several]

    def passages(self, passages: Sequence[Sequence[str]]) -> list[Pieces]:
        """Each passage's words, tokenised separately, on all cores."""
        words = [[_spaced(word) for word in passage] for passage in passages]
        several = self._tokenizer.encode_batch(words, is_pretokenized=True, add_special_tokens=False)
        return [Pieces(np.array(one.ids, np.int32), np.array(one.word_ids, np.int32)) for one in several]


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "give the model's vocab.txt with --set vocabulary=FILE"
        raise DataError("vocabulary-missing", f"cannot read {path}: {error.strerror}", hint) from error
    if len(data) > MAX_BYTES:
        raise DataError(
            "vocabulary", f"{path} is larger than {MAX_BYTES} bytes", "give a vocabulary, one token per line"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            "vocabulary", f"{path} is not text in UTF-8", "give a vocabulary, one token per line"
        ) from error
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
