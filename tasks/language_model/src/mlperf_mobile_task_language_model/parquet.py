"""Reads columns of a parquet file with pyarrow, in bounded memory."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile_task_language_model.data_file import MAX_BYTES

MAX_ROWS = 1_000_000
_BATCH = 256


def read_columns(path: Path, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of some columns, as Python values.

    Raises:
        DataError: The file cannot be read, is damaged, lacks a column, or unpacks to more than ``MAX_BYTES``.
        UsageError: ``pyarrow`` is not installed.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        hint = "pip install 'mlperf-mobile-task-language-model[parquet]'"
        raise UsageError("data-library", f"{path} needs the package pyarrow, which is not installed", hint) from error
    try:
        with path.open("rb") as opened, parquet.ParquetFile(opened, thrift_string_size_limit=1 << 24) as file:
            _check(file, path, names)
            size = 0
            for batch in file.iter_batches(_BATCH, columns=list(names), use_threads=False):
                size += batch.nbytes
                if size > MAX_BYTES:
                    raise _damaged(path, f"unpacks to more than {MAX_BYTES} bytes")
                yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)
    except (arrow.ArrowException, ValueError, MemoryError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise _damaged(path, f"is not a parquet file that can be read: {reason:.200}") from error
    except OSError as error:
        if error.errno is None:  # pyarrow's own, for damaged pages
            raise _damaged(path, f"is damaged: {str(error).splitlines()[0]:.200}") from error
        raise DataError("data-missing", f"cannot read {path}: {error.strerror}", "check --data-path") from error


def _check(file: Any, path: Path, names: Sequence[str]) -> None:
    known, metadata = file.schema_arrow.names, file.metadata
    for name in names:
        if known.count(name) != 1:
            raise _damaged(path, f"has {known.count(name)} columns {name!r}, not one")
    sizes = [metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)]
    if metadata.num_rows > MAX_ROWS or any(size < 0 or size > MAX_BYTES for size in sizes):
        raise _damaged(
            path, f"has {metadata.num_rows} rows in groups of up to {max(sizes, default=0)} bytes, which is too much"
        )


def _damaged(path: Path, what: str) -> DataError:
    return DataError("data-damaged", f"{path} {what}", "give tinyMMLU's parquet file")
