"""The contracts of a data set, of a task, and of the metric that scores its answers.

To add a metric, or to add a data set, implement ``Metric`` or ``Dataset`` in the package of a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mlperf_mobile.terms import Mode

if TYPE_CHECKING:
    from mlperf_mobile.contracts.generation import Generation
    from mlperf_mobile.contracts.tensors import Tensors, TensorSpec, TokenIds


class Dataset(Protocol):
    """Labelled samples. Safe to read from several threads; nothing is decoded before it is needed."""

    def __init__(self, path: Path | None, options: Any) -> None:
        """Find the samples and their labels.

        Args:
            path: The data's path; None for data that comes with its distribution.
            options: The validated model of the type that ``DatasetInfo.options`` names; None without ``options``.

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
    """A data set whose encoded samples may be cached on disk, if the codec has a :class:`Recipe`."""

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
    """A codec whose encoded samples may be cached on disk, if the data set is a :class:`FingerprintedDataset`."""

    @property
    def recipe(self) -> str:
        """What determines ``encode``'s result besides the sample: the method, its version, the model's tensors.

        It must change when ``encode`` does: samples that were kept are used as long as it is the same.
        """
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
    """Further numbers, by name, such as the accuracy of each class."""


class Metric(Protocol):
    """Scores responses alone, so an accuracy log is enough."""

    def update(self, index: int, response: bytes) -> None:
        """Score the response to sample ``index``.

        Raises:
            DataError: The response does not fit this task, or the truth is out of range.
        """
        ...

    def score(self) -> Score:
        """The score of all responses so far; called once, after the last of them."""
        ...


@runtime_checkable
class IllustratingMetric(Metric, Protocol):
    """A metric that writes pictures of what it scored, for people to look at."""

    def illustrate(self, folder: Path) -> None:
        """Write PNG files into an empty folder of the result, which reports show; called after :meth:`score`."""
        ...


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
    def takes_infinity(self) -> bool:
        """True; without this property, infinite outputs are an error."""
        ...


class Task(Protocol):
    """A problem that models solve, and how their answers are scored."""

    def __init__(self, options: Any) -> None:
        """Keep the options: the validated model of the type that ``TaskInfo.options`` names, or None."""
        ...

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that a model's tensors fit the task, and return their codec.

        Raises:
            ModelError: They do not fit; the message names the tensor, its type and shape, and what the task expects.
        """
        ...

    def metric(self, dataset: Dataset) -> Metric:
        """A new metric, which compares responses with the data set's truths.

        Raises:
            DataError: The data set has no labels, or those of another task.
        """
        ...


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


@runtime_checkable
class GeneratingTask(Task, Protocol):
    """A task for language models, whose sessions are :class:`mlperf_mobile.contracts.TokenSession`.

    Its codec encodes a sample to a tuple of one array, the prompt's token ids as int32[n], and decodes a tuple of one
    array, the answer's ids, to a response of little-endian int32 numbers. So the accuracy log holds token ids.
    """

    def generation(self, mode: Mode) -> Generation:
        """How to generate in a mode; called after :meth:`bind`.

        Args:
            mode: ``Mode.PERFORMANCE`` or ``Mode.ACCURACY``.
        """
        ...


@runtime_checkable
class TextTask(GeneratingTask, Protocol):
    """A task for language models that also serves engines which take text.

    Their sessions are :class:`mlperf_mobile.contracts.TextSession`.
    Both methods are called after :meth:`Task.bind`, for such engines only, and from several threads.
    """

    def prompt_text(self, sample: object) -> str:
        """The prompt as text, including everything that the codec's ``encode`` adds, such as a template.

        Raises:
            DataError: As for the codec's ``encode``.
        """
        ...

    def answer_ids(self, text: str) -> TokenIds:
        """The token ids of an answer's text by the task's tokenizer, int32[n]; timed, once for each answer."""
        ...
