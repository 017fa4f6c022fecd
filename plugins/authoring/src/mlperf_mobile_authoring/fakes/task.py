"""A task that a linear model solves: which of three classes a point belongs to; and its data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlperf_mobile.contracts import Dataset, Score, Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError

CLASSES, SIZE, SAMPLES = 3, 4, 96
WEIGHTS = np.eye(SIZE, CLASSES, dtype=np.float32)
"""The model that solves the task: the class is the largest of the first three numbers."""


class FakePoints:
    """Points whose largest number is that of their class; the same in every process."""

    def __init__(self, path: Path | None, options: None) -> None:
        if path is not None:
            raise DataError("data-path", f"{path}: the fake points need no folder", "leave --data-path out")
        points = np.random.default_rng(2024).uniform(-1, 1, (SAMPLES, SIZE)).astype(np.float32)
        self._labels = [index % CLASSES for index in range(SAMPLES)]
        points[range(SAMPLES), self._labels] = 2.0
        self._points = points

    def __len__(self) -> int:
        return SAMPLES

    def sample(self, index: int) -> object:
        return self._points[index]

    def truth(self, index: int) -> object:
        return self._labels[index]


class FakeClasses:
    """The task."""

    def __init__(self, options: None) -> None: ...

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> FakeCodec:
        for name, specs, shape in (("input", inputs, (1, SIZE)), ("output", outputs, (1, CLASSES))):
            if [(spec.shape, spec.dtype) for spec in specs] != [(shape, np.dtype(np.float32))]:
                found = ", ".join(map(str, specs)) or "nothing"
                raise ModelError("model-tensor", f"the {name} is {found}, not float32[{shape[0]},{shape[1]}]")
        return FakeCodec()

    def metric(self, dataset: Dataset) -> FakeMetric:
        return FakeMetric(dataset)


class FakeCodec:
    """Points to tensors, and the scores of classes to one byte."""

    recipe = "float32 [1, 4]"

    def encode(self, sample: object) -> Tensors:
        return (np.array(sample, np.float32)[None],)

    def decode(self, outputs: Tensors) -> bytes:
        return bytes([int(np.argmax(outputs[0]))])


class FakeMetric:
    """The share of right classes."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._right, self._count = dataset, 0, 0

    def update(self, index: int, response: bytes) -> None:
        if len(response) != 1 or response[0] >= CLASSES:
            raise DataError("bad-response", f"the response to sample {index} is not one class from 0 to {CLASSES - 1}")
        self._right += response[0] == self._dataset.truth(index)
        self._count += 1

    def score(self) -> Score:
        return Score("top-1", self._right / self._count if self._count else 0.0, self._count)
