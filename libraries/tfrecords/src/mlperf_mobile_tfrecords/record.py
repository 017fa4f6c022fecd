"""One record of a file as features by name; an error names the file and the record."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import DataError
from mlperf_mobile_tfrecords import example
from mlperf_mobile_tfrecords.container import read_records


def read(path: Path) -> list[Record]:
    """All records of a file.

    Raises:
        DataError: The file cannot be read, is damaged or not ZLIB, is too large, or a record is not an Example.
    """
    return [Record(data, f"{path} record {number}") for number, data in enumerate(read_records(path))]


class Record:
    """One tf.train.Example.

    Args:
        data: Its bytes.
        source: The file and the record's number, for messages.

    Raises:
        DataError: It is not an Example.
    """

    def __init__(self, data: memoryview, source: str) -> None:
        self.source = source
        try:
            self._features = example.features(data)
        except ValueError as error:
            self.damaged(f"it is not a tf.train.Example: {error}", error)

    @property
    def names(self) -> Collection[str]:
        """The names of its features."""
        return self._features.keys()

    def texts(self, key: str) -> Sequence[str]:
        """The values of a bytes feature as UTF-8.

        Raises:
            DataError: The feature is missing, has numbers, or a value is not UTF-8.
        """
        try:
            return example.texts(self._features[key])
        except (KeyError, ValueError) as error:
            self.damaged(_what(key, error), error)

    def text(self, key: str) -> str:
        """The only value of a bytes feature.

        Raises:
            DataError: As :meth:`texts`, or there is not exactly one value.
        """
        if len(found := self.texts(key)) != 1:
            self.damaged(f"{key} has {len(found)} values, not one")
        return found[0]

    def numbers(self, key: str) -> npt.NDArray[np.int64]:
        """The values of an integer feature.

        Raises:
            DataError: The feature is missing, or has texts.
        """
        try:
            return example.integers(self._features[key])
        except (KeyError, ValueError) as error:
            self.damaged(_what(key, error), error)

    def integers(self, key: str) -> npt.NDArray[np.int32]:
        """The values of an integer feature, from 0 to 2^31 - 1.

        Raises:
            DataError: As :meth:`numbers`, or a number is out of range.
        """
        values = self.numbers(key)
        if values.size and not (values.min() >= 0 and values.max() < 2**31):
            self.damaged(f"{key} has numbers out of range")
        return values.astype(np.int32)

    def damaged(self, what: str, cause: Exception | None = None) -> NoReturn:
        """Raise the error of this record."""
        raise DataError(
            "data-damaged", f"{self.source}: {what}", "the format must be that of MLPerf Mobile's app"
        ) from cause


def _what(key: str, error: Exception) -> str:
    return f"it has no {key}" if isinstance(error, KeyError) else f"{key} is damaged: {error}"
