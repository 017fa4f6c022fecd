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
            path: Of the data; None for data that come with their distribution.
            options: The validated model of the type that ``DatasetInfo.options`` names; None where it names none.

        Raises:
            DataError: The data are not there, or damaged.
        """
        ...

    def __len__(self) -> int: ...
    def sample(self, index: int) -> object:
        """The raw sample: an image, a question with its passage.

        Raises:
            DataError: The record is missing or damaged; names the file.
        """
        ...

    def truth(self, index: int) -> object:
        """What a perfect model would answer, in the form the task's metric takes."""
        ...


@runtime_checkable
class FingerprintedDataset(Protocol):
    """A data set whose encoded samples may be kept on disk, when the codec has a :class:`Recipe`."""

    def fingerprint(self, index: int) -> bytes:
        """A digest, of 16 to 64 bytes, of everything that ``sample(index)`` is made of; cheaper than ``sample``."""
        ...


@runtime_checkable
class DatasetWithWarnings(Protocol):
    """A data set that may be read otherwise than its files were meant, and says so."""

    @property
    def warnings(self) -> Sequence[str]:
        """A sentence each: what was assumed and what to do; read once the metric is there, shown in the result."""
        ...


@runtime_checkable
class Recipe(Protocol):
    """A codec whose encoded samples may be kept on disk, when the data set is :class:`FingerprintedDataset`."""

    @property
    def recipe(self) -> str:
        """All that ``encode``'s result depends on besides the sample: the method, its version, the model's tensors."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """What a metric found."""

    metric: str
    """``"top-1"``."""
    value: float
    """In the metric's own unit; a share of correct answers is a fraction between 0 and 1."""
    samples: int
    """How many responses were scored."""
    details: Mapping[str, float] = field(default_factory=dict)


class Metric(Protocol):
    """Scores responses, and nothing but responses: an accuracy log is enough."""

    def update(self, index: int, response: bytes) -> None:
        """Score the response to sample ``index``.

        Raises:
            DataError: The response is not one of this task's, or the truth is out of range.
        """
        ...

    def score(self) -> Score: ...


class Codec(Protocol):
    """A task bound to one model's tensors."""

    def encode(self, sample: object) -> Tensors:
        """Untimed: resize, crop, normalise, quantise, tokenise. Safe to call from several threads."""
        ...

    def decode(self, outputs: Tensors) -> bytes:
        """Timed: reduce the outputs to the response that the accuracy log keeps; keeps no reference to them."""
        ...


@runtime_checkable
class InfiniteOutputs(Protocol):
    """A codec for which an infinite output is an answer: a masked logit of -inf, the logarithm of 0. NaN never is."""

    @property
    def takes_infinity(self) -> bool: ...


class Task(Protocol):
    """A problem that models solve, and how their answers are scored."""

    def __init__(self, options: Any) -> None:
        """Keep the options: the validated model of the type that ``TaskInfo.options`` names, or None."""
        ...

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that a model's tensors fit.

        Raises:
            ModelError: They do not; names the tensor, what it is and what it should be.
        """
        ...

    def metric(self, dataset: Dataset) -> Metric: ...


@runtime_checkable
class SizingTask(Task, Protocol):
    """A task that knows sizes which a model may leave open."""

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """Shapes of one sample for inputs that are open, by name, where the options or the data fix them.

        Args:
            inputs: All inputs of the model.
            dataset: What the samples come from.
        """
        ...
