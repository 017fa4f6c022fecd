"""SQuAD v1.1 as text: questions about passages, tokenised and cut into windows."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering.basic_tokens import basic_tokens
from mlperf_mobile_task_question_answering.options import SquadOptions, WindowOptions
from mlperf_mobile_task_question_answering.spans import max_context, spans
from mlperf_mobile_task_question_answering.squad_file import Question, read_squad
from mlperf_mobile_task_question_answering.vocabulary import Vocabulary
from mlperf_mobile_task_question_answering.window import Flags, Integers, Window, WindowTruth

DEFAULT_ANNOTATIONS = "dev-v1.1.json"
DEFAULT_VOCABULARY = "vocab.txt"
MAX_WINDOWS = 10_000_000
WHITE = re.compile("[ \t\r\n\u202f]+")
"""What separates words. Source: Google's BERT, run_squad.py, is_whitespace."""


class Squad:
    """One sample for each window of each question, in the order of the file.

    Args:
        path: A file, or a folder with ``dev-v1.1.json``.
        options: See :class:`SquadOptions`.
    """

    def __init__(self, path: Path | None, options: SquadOptions) -> None:
        file = options.annotations or _annotations(path)
        self._open(file, options.vocabulary or file.parent / DEFAULT_VOCABULARY, options)

    def _open(self, file: Path, vocabulary: Path, windows: WindowOptions) -> None:
        self._file, self._windows = file, windows
        squad = read_squad(file)
        self._vocabulary = Vocabulary(vocabulary)
        self._questions = squad.questions
        self._words = [[word for word in WHITE.split(passage) if word] for passage in squad.passages]
        self._pieces = self._vocabulary.passages(self._words)
        queries = self._vocabulary.texts([question.text for question in squad.questions])
        self._queries = [query[: windows.max_query_length] for query in queries]
        self._ends = np.cumsum([self._count(number) for number in range(len(self._questions))]).tolist()
        if self._ends[-1] > MAX_WINDOWS:
            reason = f"{file} makes {self._ends[-1]} windows, more than {MAX_WINDOWS}"
            raise DataError("data-too-large", reason, "raise doc_stride, or use fewer questions")

    def __len__(self) -> int:
        return int(self._ends[-1])

    def sample(self, index: int) -> Window:
        """The window."""
        number, place = self._find(index)
        query, pieces = self._queries[number], self._pieces[self._questions[number].passage]
        starts, lengths = self._spans(number)
        start, length = int(starts[place]), int(lengths[place])
        first, last = len(query) + 2, len(query) + 2 + length
        ids = np.full(self._windows.max_seq_length, self._vocabulary.pad, np.int32)
        ids[0], ids[first - 1], ids[last] = self._vocabulary.cls, self._vocabulary.sep, self._vocabulary.sep
        ids[1 : first - 1] = query
        ids[first:last] = pieces.ids[start : start + length]
        mask, segments = np.zeros_like(ids), np.zeros_like(ids)
        mask[: last + 1] = 1
        segments[first : last + 1] = 1
        return Window(ids, mask, segments, self._source(number))

    def fingerprint(self, index: int) -> bytes:
        """Digest of the window's tokens."""
        return self.sample(index).digest()

    def truth(self, index: int) -> WindowTruth:
        """The truth of the window's question.

        Raises:
            DataError: The question has no reference answers.
        """
        number, place = self._find(index)
        question, first = self._questions[number], len(self._queries[number]) + 2
        if not question.answers:
            hint = "measure with --mode performance, or give a SQuAD v1.1 file, where every question has an answer"
            raise DataError("no-labels", f"{self._source(number)} has no answers", hint)

        def context() -> Flags:
            starts, lengths = self._spans(number)
            return max_context(starts, lengths, place)

        def tokens(begin: int, end: int) -> slice:
            start = int(self._spans(number)[0][place]) - first
            return slice(start + begin, start + end + 1)

        def pieces(begin: int, end: int) -> Sequence[str]:
            ids: Integers = self._pieces[question.passage].ids[tokens(begin, end)]
            return [self._vocabulary.tokens[token] for token in ids]

        def words(begin: int, end: int) -> tuple[str, str]:
            numbers = self._pieces[question.passage].words[tokens(begin, end)]
            text = " ".join(self._words[question.passage][numbers[0] : numbers[-1] + 1])
            return text, " ".join(basic_tokens(text))

        return WindowTruth(
            question=question.id,
            source=self._source(number),
            length=self._windows.max_seq_length,
            first=first,
            max_context=context,
            pieces=pieces,
            words=words,
            answers=question.answers,
        )

    def _spans(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        room = self._windows.max_seq_length - len(self._queries[number]) - 3
        tokens = len(self._pieces[self._questions[number].passage].ids)
        return spans(tokens, room, self._windows.doc_stride)

    def _count(self, number: int) -> int:
        count = len(self._spans(number)[0])
        if not count:
            raise DataError("data-damaged", f"the passage of {self._source(number)} has no tokens", "remove it")
        return count

    def _find(self, index: int) -> tuple[int, int]:
        """The indices of the question, and of the window among the question's."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect_right(self._ends, index)
        return number, index - (self._ends[number - 1] if number else 0)

    def _source(self, number: int) -> str:
        question: Question = self._questions[number]
        return f"{self._file} question {question.id:.60}"


def _annotations(path: Path | None) -> Path:
    if path is not None and path.is_dir():
        return path / DEFAULT_ANNOTATIONS
    if path is None or not path.is_file():
        hint = f"give a SQuAD v1.1 file, or a folder with {DEFAULT_ANNOTATIONS}, with --data-path"
        raise DataError("data-missing", f"{path} is neither a file nor a folder", hint)
    return path
