"""Reads JSON files in SQuAD v1.1's format, checked record by record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 27


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its id, text, reference answers, and the index of its passage."""

    id: str
    text: str
    answers: tuple[str, ...]
    passage: int


@dataclass(frozen=True, slots=True)
class SquadFile:
    """Passages, and the questions about them, in the order of the file."""

    passages: list[str]
    questions: list[Question]


def read_squad(path: Path) -> SquadFile:
    """Read ``{"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text"}]}]}]}]}``.

    Other keys are ignored, such as an answer's start, which the evaluation does not use.

    Raises:
        DataError: The file cannot be read or is damaged; the message names the place.
    """
    return _Reader(path).read(_document(path))


def _document(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "check --data-path, or --set annotations=FILE"
        raise DataError("data-missing", f"cannot read {path}: {error.strerror}", hint) from error
    if len(data) > MAX_BYTES:
        raise DataError("data-damaged", f"{path} is larger than {MAX_BYTES} bytes", "give a SQuAD v1.1 file")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        reason = f"{path}:{error.lineno}:{error.colno} is not JSON: {error.msg}"
        raise DataError("data-damaged", reason, "replace the file") from error
    except (ValueError, RecursionError) as error:
        what = "too deeply nested" if isinstance(error, RecursionError) else "not JSON in UTF-8"
        raise DataError("data-damaged", f"{path} is {what}", "replace the file") from error


class _Reader:
    """Reads one document, and reports errors with their place in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, str] = {}
        self._passages: list[str] = []
        self._questions: list[Question] = []

    def read(self, document: Any) -> SquadFile:
        for a, article in enumerate(self._list(document, "data", "")):
            for p, paragraph in enumerate(self._list(article, "paragraphs", f"data[{a}]")):
                where = f"data[{a}].paragraphs[{p}]"
                self._passages.append(self._text(paragraph, "context", where))
                for q, question in enumerate(self._list(paragraph, "qas", where)):
                    self._question(question, f"{where}.qas[{q}]")
        if not self._questions:
            raise DataError("data-empty", f"{self._path} has no questions", "give a SQuAD v1.1 file")
        return SquadFile(self._passages, self._questions)

    def _question(self, question: Any, where: str) -> None:
        name = self._text(question, "id", where)
        if name in self._seen:
            self._damaged(where, f"the id {name!r:.60} is also that of {self._seen[name]}")
        self._seen[name] = where
        text = self._text(question, "question", where)
        answers = self._list(question, "answers", where) if "answers" in question else []
        texts = [self._text(answer, "text", f"{where}.answers[{n}]") for n, answer in enumerate(answers)]
        if not self._passages[-1].strip():
            self._damaged(where, f"the passage of question {name!r:.60} is empty")
        self._questions.append(Question(name, text, tuple(texts), len(self._passages) - 1))

    def _list(self, record: Any, key: str, where: str) -> list[Any]:
        value = record.get(key) if isinstance(record, dict) else None
        if not isinstance(value, list):
            self._damaged(where, f"the list {key!r} is missing")
        return value

    def _text(self, record: Any, key: str, where: str) -> str:
        value = record.get(key) if isinstance(record, dict) else None
        if not isinstance(value, str):
            self._damaged(where, f"the text {key!r} is missing")
        try:
            value.encode()
        except UnicodeEncodeError:
            self._damaged(where, f"{key!r} contains half of a surrogate pair")
        return value

    def _damaged(self, where: str, what: str) -> NoReturn:
        place = f"{self._path}: {where}" if where else str(self._path)
        raise DataError("data-damaged", f"{place}: {what}", "the format must be that of SQuAD v1.1")
