"""Checks the structure of a .tflite file before a runtime sees it.

LiteRT verifies a model itself; tflite-runtime 2.14 does not, and a truncated file ends its process.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model.flatbuffer import Damaged, Data, Table, Walker
from mlperf_mobile_tflite_model.schema import TABLES, UNIONS

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every TensorFlow Lite model (file_identifier of tensorflow/lite/schema/schema.fbs)."""

SCHEMA_VERSION = 3

HINT = "copy, download or convert it again"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What the check learned about the file."""

    operators: int
    """Operations of the main subgraph."""


def check(path: Path) -> ModelFile:
    """Check that every offset that a runtime follows when it loads the model is inside the file.

    Raises:
        ModelError: ``model-missing``, ``model-not-tflite`` or ``model-damaged``; the message names the file.
    """
    with mapped_file(path) as data:
        return check_data(data, path)


@contextmanager
def mapped_file(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of a file that exists and is not empty.

    Raises:
        ModelError: ``model-missing`` or ``model-damaged``.
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise ModelError("model-damaged", f"{path} is empty", HINT)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise ModelError("model-missing", f"cannot read {path}: {reason}", "check the model's path") from error


def check_data(data: Data, path: Path) -> ModelFile:
    """The same as :func:`check` for a file in memory; ``path`` is for messages."""
    if data[4:8] != IDENTIFIER:
        raise ModelError("model-not-tflite", f"{path} is not a TensorFlow Lite model", "convert it to .tflite first")
    try:
        model = Walker(data, TABLES, UNIONS).root("Model")
        return _Meaning(model, len(data)).check()
    except Damaged as damage:
        summary = f"{path} is damaged: {damage} (the file ends at byte {len(data)})"
        raise ModelError("model-damaged", summary, HINT) from damage


class _Meaning:
    """Checks the indices and offsets in a well-formed model; field ids are those of ``schema.py``."""

    def __init__(self, model: Table, size: int) -> None:
        self._model, self._size = model, size
        self._codes, self._buffers = model.length(1), model.length(4)
        self._left = size

    def check(self) -> ModelFile:
        version = self._model.number(0, "<I")
        if version != SCHEMA_VERSION:
            raise Damaged(f"its schema version is {version}, not {SCHEMA_VERSION}")
        if not self._model.length(2) or not self._buffers:
            raise Damaged("it has no subgraph or no buffers")
        for buffer in self._model.tables(4):
            self._check_place("a buffer", buffer.number(1, "<Q"), buffer.number(2, "<Q"))
        for entry in self._model.tables(6):
            self._check_index("buffer", entry.number(1, "<I"), self._buffers)
        graphs = list(self._model.tables(2))
        for graph in graphs:
            self._check_subgraph(graph)
        for signature in self._model.tables(7):
            number = signature.number(4, "<I")
            self._check_index("subgraph", number, len(graphs))
            for end in (*signature.tables(0), *signature.tables(1)):
                self._check_index("tensor", end.number(1, "<I"), graphs[number].length(0))
        return ModelFile(graphs[0].length(3))

    def _check_subgraph(self, graph: Table) -> None:
        tensors = graph.length(0)
        for tensor in graph.tables(0):
            self._check_index("buffer", tensor.number(2, "<I"), self._buffers)
        self._check_tensors(graph, (1, 2), tensors)
        for operator in graph.tables(3):
            self._check_index("operator code", operator.number(0, "<I"), self._codes)
            self._check_tensors(operator, (1, 2, 8), tensors)
            self._check_place("custom options", operator.number(9, "<Q"), operator.number(10, "<Q"))

    def _check_tensors(self, table: Table, fields: tuple[int, ...], count: int) -> None:
        """Check tensor indices; -1 is an absent optional tensor."""
        for field in fields:
            self._left -= table.length(field)
            if self._left < 0:
                raise Damaged("it has more parts than a file of its size can hold")
            for index in table.integers(field):
                if not -1 <= index < count:
                    raise Damaged(f"it refers to tensor {index} of {count}")

    def _check_index(self, what: str, index: int, count: int) -> None:
        if index >= count:
            raise Damaged(f"it refers to {what} {index} of {count}")

    def _check_place(self, what: str, offset: int, size: int) -> None:
        """Check data after the flatbuffer; an offset of 0 or 1 means none (schema.fbs)."""
        if offset > 1 and offset + size > self._size:
            raise Damaged(f"{what} at byte {offset} has {size} bytes")
