"""The contracts of a data set, of a task, and of the metric that scores its answers.

To add a metric, or to add a data set, implement ``Metric`` or ``Dataset`` in the package of a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mlperf_mobile.contracts.tensors import Tensors, TensorSpec


class Dataset(Protocol):
    """Labelled samples. Safe to read from several threads; nothing is decoded before it is needed."""

    def __init__(self, path: Path | None, options: Any) -> None:
        """Find the samples and their labels.

        Args:
            path: The data's path; None for data that come with their distribution.
            options: The validated model of the type that ``DatasetInfo.options`` names; None where it names none.

        Raises:
            DataError: The data are missing or damaged.
        """
        ...

    def __len__(self) -> int: ...
    def sample(self, index: int) -> object:
        """The raw sample: an image, a question with its passage.

        Raises:
            DataError: The record is missing or damaged; the message names the file.
        """
        ...

    def truth(self, index: int) -> object:
        """The correct answer, in the form that the task's metric expects."""
        ...


@runtime_checkable
class FingerprintedDataset(Protocol):
    """A data set whose encoded samples may be kept on disk, if the codec has a :class:`Recipe`."""

    def fingerprint(self, index: int) -> bytes:
        """A digest, of 16 to 64 bytes, of everything that determines ``sample(index)``; cheaper than ``sample``."""
        ...


@runtime_checkable
class DatasetWithWarnings(Protocol):
    """A data set that may have read its files differently from their author's intent, and reports it."""

    @property
    def warnings(self) -> Sequence[str]:
        """One sentence each: the assumption and the remedy. Read after the metric is made; shown in the result."""
        ...


@runtime_checkable
class Recipe(Protocol):
    """A codec whose encoded samples may be kept on disk, if the data set is a :class:`FingerprintedDataset`."""

    @property
    def recipe(self) -> str:
        """What determines ``encode``'s result besides the sample: the method, its version, the model's tensors."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """The result of a metric."""

    metric: str
    """``"top-1"``."""
    value: float
    """In the metric's own unit; a share of correct answers is a fraction between 0 and 1."""
    samples: int
    """How many responses were scored."""
    details: Mapping[str, float] = field(default_factory=dict)


class Metric(Protocol):
    """Scores responses alone, so an accuracy log is enough."""

    def update(self, index: int, response: bytes) -> None:
        """Score the response to sample ``index``.

        Raises:
            DataError: The response does not fit this task, or the truth is out of range.
        """
        ...

    def score(self) -> Score: ...


class Codec(Protocol):
    """A task bound to one model's tensors."""

    def encode(self, sample: object) -> Tensors:
        """Untimed: resize, crop, normalise, quantise, tokenise. Safe to call from several threads."""
        ...

    def decode(self, outputs: Tensors) -> bytes:
        """Timed: reduce the outputs to the response for the accuracy log; must keep no reference to them."""
        ...


@runtime_checkable
class InfiniteOutputs(Protocol):
    """A codec for which an infinite output is valid: a masked logit of -inf, the logarithm of 0. NaN never is."""

    @property
    def takes_infinity(self) -> bool: ...


class Task(Protocol):
    """A problem that models solve, and how their answers are scored."""

    def __init__(self, options: Any) -> None:
        """Keep the options: the validated model of the type that ``TaskInfo.options`` names, or None."""
        ...

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that a model's tensors fit the task, and return their codec.

        Raises:
            ModelError: They do not; the message names the tensor, what it is and what it should be.
        """
        ...

    def metric(self, dataset: Dataset) -> Metric: ...


@runtime_checkable
class SizingTask(Task, Protocol):
    """A task that can supply sizes that a model leaves open."""

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """Shapes of one sample for open inputs, by name, where the options or the data determine them.

        Args:
            inputs: All inputs of the model.
            dataset: The data set of the samples.
        """
        ...
