"""Data sets of the task multiple_choice: TinyMMLU in both of its forms, and JSON lines of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_language_model.choice_metric import LETTERS
from mlperf_mobile_task_language_model.data_file import Line, checked_prompt, find, not_empty, read_lines
from mlperf_mobile_task_language_model.options import ChoiceOptions, FileOptions
from mlperf_mobile_task_language_model.parquet import read_columns
from mlperf_mobile_task_language_model.prompting import Prompt
from mlperf_mobile_task_language_model.quickstart_files import packaged
from mlperf_mobile_tfrecords.record import read

TINYMMLU = ("*mmlu*.tfrecord", "*.parquet")
NO_LETTER = "X"
"""The truth of a question whose answer is none of the four, which no answer matches
(flutter/cpp/datasets/mmlu_utils/generate_tfrecords.py)."""


class Choices:
    """Prompts with the letters of their right answers."""

    def __init__(self, samples: Iterable[tuple[Prompt, str]], path: Path) -> None:
        self._samples = list(samples)
        not_empty(len(self._samples), path)

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, index: int) -> Prompt:
        """The prompt, solved examples included."""
        return self._at(index)[0]

    def truth(self, index: int) -> str:
        """A to D, or X if none is right."""
        return self._at(index)[1]

    def _at(self, index: int) -> tuple[Prompt, str]:
        if not 0 <= index < len(self._samples):
            raise IndexError(index)
        return self._samples[index]


class TinyMmlu(Choices):
    """TinyMMLU: the reference app's TFRecord file, or the parquet file of tinyBenchmarks.

    Args:
        path: The file, or a folder with one of them.
        options: See :class:`FileOptions`.
    """

    def __init__(self, path: Path | None, options: FileOptions) -> None:
        file = find(path, options.file, TINYMMLU)
        super().__init__(_from_parquet(file) if file.suffix == ".parquet" else _from_records(file), file)


class MultipleChoiceLines(Choices):
    """JSON lines: ``{"input", "answer"}``, or ``{"question", "choices", "answer"}``.

    Args:
        path: The file, or a folder with one ``.jsonl``.
        options: See :class:`ChoiceOptions`.
    """

    def __init__(self, path: Path | None, options: ChoiceOptions) -> None:
        file = find(path, options.file, ("*.jsonl",))
        super().__init__(_from_lines(file, options.preface), file)


class MadeUpQuestions(Choices):
    """100 questions about the quickstart's made-up world, each with two solved examples.

    Args:
        path: A file of the same name; by default the packaged one, checked by sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        file = packaged("questions.jsonl", path)
        super().__init__(_from_lines(file, ""), file)


def _from_records(file: Path) -> Iterator[tuple[Prompt, str]]:
    for record in read(file):
        letter = record.text("answer")[:1]
        text = checked_prompt(record.text("input"), record.source)
        yield Prompt(text, record.source), letter if letter and letter in LETTERS else NO_LETTER


def _from_parquet(file: Path) -> Iterator[tuple[Prompt, str]]:
    for number, (text, answer) in enumerate(read_columns(file, ("input_formatted", "answer"))):
        source = f"{file} row {number}"
        if not isinstance(text, str):
            raise DataError("data-damaged", f"{source}: input_formatted is not text", "give tinyMMLU's parquet file")
        right = isinstance(answer, int) and 0 <= answer < len(LETTERS)
        yield Prompt(checked_prompt(text, source), source), LETTERS[int(str(answer))] if right else NO_LETTER


def _from_lines(file: Path, preface: str) -> Iterator[tuple[Prompt, str]]:
    for line in read_lines(file):
        if "input" in line.values:
            text, choices = line.text("input"), len(LETTERS)
        else:
            text, choices = _composed(line, preface)
        yield Prompt(checked_prompt(text, line.source), line.source), _answer(line, choices)


def _composed(line: Line, preface: str) -> tuple[str, int]:
    """A question in MMLU's form, and the number of its choices."""
    choices = line.values.get("choices")
    if not isinstance(choices, list) or not 2 <= len(choices) <= len(LETTERS):
        line.damaged(f"'choices' must be a list of 2 to {len(LETTERS)} texts, or 'input' a whole prompt")
    if not all(isinstance(each, str) for each in choices):
        line.damaged("one of the choices is no text")
    lettered = [f"{letter}. {line.checked(each, 'choices')}" for letter, each in zip(LETTERS, choices, strict=False)]
    question = "\n".join([line.text("question"), *lettered, "Answer:"])
    return f"{preface}\n\n{question}" if preface else question, len(choices)


def _answer(line: Line, choices: int) -> str:
    answer = line.values.get("answer")
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < choices:
        return LETTERS[answer]
    if not isinstance(answer, str) or len(answer) != 1 or answer not in LETTERS[:choices]:
        line.damaged(f"'answer' is {answer!r:.40}, not A to {LETTERS[choices - 1]} or 0 to {choices - 1}")
    return answer
