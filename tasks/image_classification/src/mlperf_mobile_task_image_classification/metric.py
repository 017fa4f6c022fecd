"""Top-1: the fraction of images whose best-scored class is the label."""

from __future__ import annotations

import struct

import numpy as np

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError

RESPONSE = struct.Struct("<i")
"""A response: the class as little-endian int32, as the reference app logs it; -1 if all scores are NaN."""


class Top1:
    """Scores class numbers against the data set's labels.

    Raises:
        DataError: The data set has no labels; raised here, before the first inference.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._correct, self._total = dataset, 0, 0
        self._label(0)

    def update(self, index: int, response: bytes) -> None:
        if len(response) != RESPONSE.size:
            reason = (
                f"the response to sample {index} has {len(response)} bytes, not the {RESPONSE.size} of a class number"
            )
            raise DataError("response", reason, "the log belongs to another task")
        (answer,) = RESPONSE.unpack(response)
        if answer < -1:
            raise DataError("response", f"the response to sample {index} is class {answer}", "the log is damaged")
        self._correct += answer == self._label(index)
        self._total += 1

    def score(self) -> Score:
        """The fraction of correct answers, with their number in the details."""
        share = self._correct / self._total if self._total else 0.0
        return Score("top-1", share, self._total, {"correct": self._correct})

    def _label(self, index: int) -> int:
        label = self._dataset.truth(index)
        if not isinstance(label, (int, np.integer)) or label < 0:
            reason = f"sample {index} has the label {label!r:.40}, not a class number"
            raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
        return int(label)
