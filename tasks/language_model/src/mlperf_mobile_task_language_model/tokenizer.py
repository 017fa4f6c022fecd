"""Tokenizers, by the libraries that own their formats: SentencePiece models, and tokenizer.json."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from mlperf_mobile.errors import DataError, UsageError

MAX_BYTES = 1 << 26
"""Largest file; Llama 3's tokenizer.json has 9 MB."""

MAX_SIZE = 1 << 31
"""Ids are int32 in prompts, answers and responses."""


class Tokenizer(Protocol):
    """Texts to token ids and back."""

    @property
    def size(self) -> int:
        """One more than the largest id; ids may have gaps, so there may be fewer tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text; nothing is added before or after it. Special tokens in it become their ids."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, each at least 0 and below :attr:`size`; undecodable bytes become U+FFFD."""
        ...

    def token(self, name: str) -> int | None:
        """The id of a special token such as ``<|eot_id|>``; None if it has none."""
        ...


def open_tokenizer(path: Path) -> Tokenizer:
    """Open a file: ``.json`` as a tokenizer.json, anything else as a SentencePiece model.

    Raises:
        DataError: ``tokenizer-missing``: it cannot be read; ``tokenizer-damaged``: it is not such a file, or too large.
        UsageError: ``tokenizer-library``: the package that reads it is not installed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "check --set tokenizer=FILE"
        raise DataError("tokenizer-missing", f"cannot read {path}: {error.strerror}", hint) from error
    if len(data) > MAX_BYTES:
        raise _damaged(path, f"has more than {MAX_BYTES} bytes")
    return _Json(data, path) if path.suffix == ".json" else _SentencePiece(data, path)


class _SentencePiece:
    """A SentencePiece model; its ids are those of the reference app, which uses the same library."""

    def __init__(self, data: bytes, path: Path) -> None:
        self._model = _library("sentencepiece", path).SentencePieceProcessor()
        try:
            loaded = self._model.load_from_serialized_proto(data) if data else False
        except (RuntimeError, ValueError) as error:
            raise _damaged(path, "is not a SentencePiece model") from error
        self._size = int(self._model.vocab_size()) if loaded else 0
        if not self._size:
            raise _damaged(path, "is not a SentencePiece model")

    @property
    def size(self) -> int:
        return self._size

    def encode(self, text: str) -> list[int]:
        return list(self._model.encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._model.decode(list(ids)))

    def token(self, name: str) -> int | None:
        found = int(self._model.piece_to_id(name))
        return None if found == self._model.unk_id() and self._model.id_to_piece(found) != name else found


class _Json:
    """A tokenizer.json of the library ``tokenizers``."""

    def __init__(self, data: bytes, path: Path) -> None:
        library = _library("tokenizers", path)
        try:
            self._model = library.Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises Exception itself
            raise _damaged(path, "is not a tokenizer.json") from error
        self._model.no_truncation()
        self._model.no_padding()
        self._size = 1 + max(self._model.get_vocab(with_added_tokens=True).values(), default=-1)
        if self._size > MAX_SIZE:
            raise _damaged(path, f"has the token id {self._size - 1}, which is no int32")

    @property
    def size(self) -> int:
        return self._size

    def encode(self, text: str) -> list[int]:
        return list(self._model.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._model.decode(list(ids), skip_special_tokens=False))

    def token(self, name: str) -> int | None:
        found = self._model.token_to_id(name)
        return None if found is None else int(found)


def _library(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        hint = f"pip install 'mlperf-mobile-task-language-model[{name}]'"
        raise UsageError(
            "tokenizer-library", f"{path} needs the package {name}, which is not installed", hint
        ) from error


def _damaged(path: Path, what: str) -> DataError:
    return DataError("tokenizer-damaged", f"{path} {what}", "give the model's own tokenizer with --set tokenizer=FILE")
