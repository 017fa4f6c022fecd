"""SQuAD v1.1 in the MLPerf Mobile app's format: windows and answers in two TFRecord files.

Source: flutter/cpp/datasets/squad_utils/types.h and generate_tfrecords.py.
"""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering.options import RecordOptions
from mlperf_mobile_task_question_answering.window import Flags, Window, WindowTruth
from mlperf_mobile_tfrecords.container import read_records
from mlperf_mobile_tfrecords.record import Record, read

SAMPLES, ANSWERS = "*eval*.tfrecord", "*groundtruth*.tfrecord"


class SquadRecords:
    """One sample for each record, in the order of the file.

    Without the file of answers it supports performance runs only.

    Args:
        path: The file of windows, or a folder with it and the answers.
        options: See :class:`RecordOptions`.
    """

    def __init__(self, path: Path | None, options: RecordOptions) -> None:
        self._file = options.samples or _samples(path)
        self._records = read_records(self._file)
        self._answers_file = options.answers or _only(self._file.parent, ANSWERS)
        self._answers = _Answers(self._answers_file) if self._answers_file else None

    def __len__(self) -> int:
        return len(self._records)

    def sample(self, index: int) -> Window:
        """The window."""
        record = self._record(index)
        ids, mask, segments = (record.integers(key) for key in ("input_ids", "input_mask", "segment_ids"))
        if not (len(ids) and len(ids) == len(mask) == len(segments)):
            record.damaged(f"it has {len(ids)} tokens, a mask of {len(mask)} and {len(segments)} segments")
        if max(mask.max(), segments.max()) > 1:
            record.damaged("its mask or segments have values other than 0 and 1")
        return Window(ids, mask, segments, record.source)

    def fingerprint(self, index: int) -> bytes:
        """Digest of the window's tokens."""
        return self.sample(index).digest()

    def truth(self, index: int) -> WindowTruth:
        """The truth of the window's question.

        Raises:
            DataError: The file of answers is missing, or has none for this question.
        """
        record = self._record(index)
        if self._answers is None:
            hint = f"put {ANSWERS} beside it or give --set answers=FILE, or measure with --mode performance"
            raise DataError("no-labels", f"the questions in {self._file} have no answers", hint)
        tokens, places = record.texts("tokens"), record.integers("token_to_orig_map")
        best: Flags = record.integers("token_is_max_context") != 0
        question, first = _question(record), len(tokens) - len(places) - 1
        if first < 2 or len(best) != len(places):
            record.damaged(f"it has {len(tokens)} tokens, places of {len(places)} and contexts of {len(best)}")
        if len(tokens) > (length := len(record.integers("input_ids"))):
            record.damaged(f"it has {len(tokens)} tokens in a window of {length}")
        answers = self._answers
        references = answers.references(question, record.source)

        def words(begin: int, end: int) -> tuple[str, str]:
            return answers.words(question, int(places[begin - first]), int(places[end - first]))

        return WindowTruth(
            question=question,
            source=record.source,
            length=length,
            first=first,
            max_context=lambda: best,
            pieces=lambda begin, end: tokens[begin : end + 1],
            words=words,
            answers=references,
        )

    def _record(self, index: int) -> Record:
        if not 0 <= index < len(self._records):
            raise IndexError(index)
        return Record(self._records[index], f"{self._file} record {index}")


class _Answers:
    """The file of answers, by question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_question: dict[str, Record] = {}
        for record in read(path):
            if (question := _question(record)) in self._by_question:
                record.damaged(f"question {question:.60} already has answers")
            self._by_question[question] = record

    def references(self, question: str, source: str) -> tuple[str, ...]:
        record = self._by_question.get(question)
        answers = record.texts("answers") if record else []
        if not answers:
            reason = f"{self._path} has no answers to question {question:.60}, which {source} asks"
            raise DataError("no-labels", reason, "give two files that belong together")
        return tuple(answers)

    def words(self, question: str, first: int, last: int) -> tuple[str, str]:
        record = self._by_question[question]
        words, tokens = record.texts("words"), record.texts("tokens")
        if not first <= last < len(words) == len(tokens):
            record.damaged(
                f"it has {len(words)} words and tokens of {len(tokens)}, but the answer spans {first} to {last}"
            )
        return " ".join(words[first : last + 1]), " ".join(tokens[first : last + 1])


def _question(record: Record) -> str:
    ids = record.texts("qas_id")
    if len(ids) != 1:
        record.damaged(f"it has {len(ids)} question ids")
    return ids[0]


def _samples(path: Path | None) -> Path:
    if path is not None and path.is_file():
        return path
    found = _only(path, SAMPLES) if path is not None and path.is_dir() else None
    if found is None:
        raise DataError("data-missing", f"{path} has no {SAMPLES}", "give the file or its folder with --data-path")
    return found


def _only(folder: Path, pattern: str) -> Path | None:
    """The only file in ``folder`` that matches; None if there is none."""
    found = sorted(file for file in folder.glob(pattern) if file.is_file())
    if len(found) > 1:
        reason = f"{folder} has {len(found)} files {pattern}: {', '.join(file.name for file in found[:3])}"
        raise DataError("data-ambiguous", reason, "choose with --set samples=FILE and --set answers=FILE")
    return found[0] if found else None
