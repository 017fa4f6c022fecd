"""Data sets of the task instruction_following: IFEval in both of its forms, which also takes requests of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile_task_language_model.data_file import Line, checked_prompt, find, not_empty, read_lines
from mlperf_mobile_task_language_model.ifeval.instruction import Instruction, Value
from mlperf_mobile_task_language_model.options import FileOptions
from mlperf_mobile_task_language_model.prompting import Prompt
from mlperf_mobile_task_language_model.quickstart_files import packaged
from mlperf_mobile_tfrecords.record import Record, read

IFEVAL = ("*ifeval*.tfrecord", "*.jsonl")
NUMBERS = frozenset((
    "capital_frequency", "num_placeholders", "num_sections", "num_bullets", "num_highlights", "frequency",
    "let_frequency", "nth_paragraph", "num_paragraphs", "num_sentences", "num_words",
))  # fmt: skip
LISTS = frozenset(("keywords", "forbidden_words"))
TEXTS = frozenset((
    "capital_relation", "prompt_to_repeat", "postscript_marker", "section_spliter", "keyword", "relation", "letter",
    "let_relation", "language", "first_word", "end_phrase",
))  # fmt: skip
"""The arguments of instructions by type; others are ignored. Source: flutter/cpp/datasets/ifeval.cc."""
_ARGUMENT = re.compile(r"kwargs/(\d{1,4})/(\w+)")


@dataclass(frozen=True, slots=True)
class Instructions:
    """The truth of a request: what its answer must follow."""

    key: int
    instructions: tuple[Instruction, ...]


class Requests:
    """Prompts with instructions that can be checked."""

    def __init__(self, samples: Iterable[tuple[Prompt, Instructions]], path: Path) -> None:
        self._samples = list(samples)
        not_empty(len(self._samples), path)
        ids = {each.id for _, truth in self._samples for each in truth.instructions if not each.known}
        self.warnings: Sequence[str] = (
            [f"{path} has instructions of unknown kinds, which are not scored, as in the reference app: {_few(ids)}."]
            if ids
            else []
        )

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, index: int) -> Prompt:
        """The request."""
        return self._at(index)[0]

    def truth(self, index: int) -> Instructions:
        """Its instructions."""
        return self._at(index)[1]

    def _at(self, index: int) -> tuple[Prompt, Instructions]:
        if not 0 <= index < len(self._samples):
            raise IndexError(index)
        return self._samples[index]


class IfEval(Requests):
    """IFEval: the reference app's TFRecord file, or the published JSON lines.

    Args:
        path: The file, or a folder with one of them.
        options: See :class:`FileOptions`.
    """

    def __init__(self, path: Path | None, options: FileOptions) -> None:
        file = find(path, options.file, IFEVAL)
        super().__init__(_from_records(file) if file.suffix == ".tfrecord" else _from_lines(file), file)


class MadeUpRequests(Requests):
    """60 requests with instructions that the quickstart's model has not seen in this combination.

    Args:
        path: A file of the same name; by default the packaged one, checked by sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        file = packaged("requests.jsonl", path)
        super().__init__(_from_lines(file), file)


def _few(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(f"{name!r:.60}" for name in shown[:3]) + (", …" if len(shown) > 3 else "")


def _from_records(file: Path) -> Iterator[tuple[Prompt, Instructions]]:
    for record in read(file):
        keys = record.numbers("key")
        if len(keys) != 1:
            record.damaged(f"it has {len(keys)} keys")
        ids = record.texts("instruction_id_list") if "instruction_id_list" in record.names else ()
        arguments = _arguments(record, len(ids))
        found = tuple(Instruction(each, values) for each, values in zip(ids, arguments, strict=True))
        text = checked_prompt(record.text("prompt"), record.source)
        yield Prompt(text, record.source), Instructions(int(keys[0]), found)


def _arguments(record: Record, count: int) -> list[dict[str, Value]]:
    """The arguments of each instruction, from features named ``kwargs/NUMBER/NAME``."""
    found: list[dict[str, Value]] = [{} for _ in range(count)]
    for feature in record.names:
        match = _ARGUMENT.fullmatch(feature)
        if not match or int(match[1]) >= count:
            continue
        name = match[2]
        if name in NUMBERS:
            if (values := record.integers(feature)).size:
                found[int(match[1])][name] = int(values[0])
        elif name in LISTS:
            found[int(match[1])][name] = tuple(record.texts(feature))
        elif name in TEXTS and (texts := record.texts(feature)):
            found[int(match[1])][name] = texts[0]
    return found


def _from_lines(file: Path) -> Iterator[tuple[Prompt, Instructions]]:
    for line in read_lines(file):
        ids, arguments = line.values.get("instruction_id_list"), line.values.get("kwargs", [])
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            line.damaged("'instruction_id_list' must be a list of texts")
        if not isinstance(arguments, list) or not all(isinstance(each, dict | None) for each in arguments):
            line.damaged("'kwargs' must be a list of objects")
        if len(arguments) > len(ids):
            line.damaged(f"it has arguments for {len(arguments)} instructions, but {len(ids)} instructions")
        arguments += [{}] * (len(ids) - len(arguments))
        key = line.values.get("key", 0)
        if not isinstance(key, int):
            line.damaged(f"'key' is {key!r:.40}, not a whole number")
        found = tuple(
            Instruction(each, _checked(line, values or {})) for each, values in zip(ids, arguments, strict=True)
        )
        yield Prompt(checked_prompt(line.text("prompt"), line.source), line.source), Instructions(key, found)


def _checked(line: Line, values: Mapping[str, Any]) -> dict[str, Value]:
    """The known arguments of an instruction; null means missing, as in some copies of the data."""
    found: dict[str, Value] = {}
    for name, value in values.items():
        if value is None:
            continue
        if name in NUMBERS:
            whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
            if not whole or not 0 <= value < 2**31:
                line.damaged(f"{name!r} is {value!r:.40}, not a whole number from 0 to 2^31 - 1")
            found[name] = int(value)
        elif name in LISTS:
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                line.damaged(f"{name!r} is {value!r:.40}, not a list of texts")
            found[name] = tuple(line.checked(each, name) for each in value)
        elif name in TEXTS:
            if not isinstance(value, str):
                line.damaged(f"{name!r} is {value!r:.40}, not a text")
            found[name] = line.checked(value, name)
    return found
