"""A CSV file in a run's folder, which has every row as soon as it is added."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from mlperf_mobile.errors import OutputError


class CsvFile:
    """A new file, as a context manager.

    Raises:
        OutputError: ``output-unwritable``; the same for all methods.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._file = path.open("w", encoding="utf-8", newline="", buffering=1)
        self._writer = csv.writer(self._file, lineterminator="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._errors():
            self._file.close()

    def add(self, row: Sequence[float | str | None]) -> None:
        """Write one row; None is an empty cell."""
        with self._errors():
            self._writer.writerow(row)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            summary = f"cannot write {self._path}: {error.strerror}"
            raise OutputError("output-unwritable", summary, "free some space") from error
