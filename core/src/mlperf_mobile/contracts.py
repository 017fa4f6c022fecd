"""The contracts: what a backend, a task, a data set, a metric and a scenario must do."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Tensors: TypeAlias = tuple[npt.NDArray[Any], ...]
"""One sample's tensors, in the order of the session's specs, each with the spec's shape and dtype."""

Options: TypeAlias = Mapping[str, Any]
"""A plugin's own options, already checked against the model its offer names."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model; ``shape`` is that of one sample, its leading 1 included.

    Quantised tensors follow ``real = scale * (stored - zero_point)`` (TensorFlow Lite 8-bit quantisation
    specification); ``scale == 0`` means that the tensor is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"


# ---------------------------------------------------------------------------------------------- backend


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether this device can run the backend, and if it cannot, why and what would help."""

    usable: bool
    accelerators: tuple[str, ...] = ()
    """Those really present, as names that ``CompileRequest.accelerator`` takes."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Runtime, SDK and driver: ``{"litert": "2.3.0"}``."""
    runtime: str = ""
    """The runtime that a result names: ``"litert 2.3.0"``."""
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """A model file, where it shall run, and how many samples one call takes."""

    model: Path
    accelerator: str
    batch: int = 1
    directory: Path = Path()
    """An empty folder that belongs to this compilation."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What :meth:`Backend.load` needs; ``path`` may be the model itself."""

    path: Path
    accelerator: str
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the operations of a loaded model really run: evidence, not intent."""

    operations: Mapping[str, int]
    """Operations per accelerator: ``{"htp": 64, "cpu": 2}``."""
    kernels: Mapping[str, int] = field(default_factory=dict)
    """Operations per kernel library, where the runtime tells: ``{"xnnpack": 60, "builtin": 2}``."""
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Operation names per accelerator, where known: ``{"cpu": {"SOFTMAX": 2}}``."""


class Session(Protocol):
    """A model, loaded and ready; used by one thread at a time. A context manager."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...
    def run(self, inputs: Tensors) -> Tensors:
        """Infer one sample: the only backend call inside the timed region.

        The arrays returned may be views into the runtime's buffers; they hold until the next ``run``, and the
        caller drops them before it.

        Raises:
            BackendError: The runtime refused the input or failed.
        """
        ...

    def placement(self) -> Placement:
        """Where each operation runs, read from the loaded model."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class BatchSession(Session, Protocol):
    """A session loaded for several samples a call (``Capability.BATCH``)."""

    def run_batch(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        """Infer one to ``batch`` samples; the result has as many items as ``samples``, padding left out."""
        ...


@runtime_checkable
class TokenSession(Session, Protocol):
    """A session that can report its first token (``Capability.TOKEN_STREAM``)."""

    def generate(self, inputs: Tensors, first_token: Callable[[int], None]) -> Tensors: ...


class Backend(Protocol):
    """One inference stack, with its options."""

    def __init__(self, options: Options) -> None: ...
    @property
    def shards(self) -> int:
        """How many sessions of this backend should work side by side when throughput is what counts."""
        ...

    def probe(self) -> Probe:
        """Say whether it works on this device; never raises for a missing runtime, SDK or driver."""
        ...

    def compile(self, request: CompileRequest) -> Artifact:
        """Prepare the model ahead of time; interpreters return the model itself."""
        ...

    def load(self, artifact: Artifact) -> Session:
        """Load an artifact.

        Raises:
            ModelError: The file is damaged or not a model of this backend's format.
            BackendError: The accelerator cannot be had.
        """
        ...


# ------------------------------------------------------------------------------------- task and data set


class Dataset(Protocol):
    """Labelled samples. Safe to read from several threads; nothing is decoded before it is asked for."""

    def __init__(self, path: Path | None, options: Options) -> None: ...
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
class Fingerprinted(Protocol):
    """A data set whose encoded samples may be kept on disk, when the codec has a :class:`Recipe`."""

    def fingerprint(self, index: int) -> bytes:
        """A digest, of 16 to 64 bytes, of everything that ``sample(index)`` is made of; cheaper than ``sample``."""
        ...


@runtime_checkable
class Recipe(Protocol):
    """A codec whose encoded samples may be kept on disk, when the data set is :class:`Fingerprinted`."""

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


class Task(Protocol):
    """What is asked of a model, and how its answers are scored."""

    def __init__(self, options: Options) -> None: ...
    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that a model's tensors fit.

        Raises:
            ModelError: They do not; names the tensor, what it is and what it should be.
        """
        ...

    def metric(self, dataset: Dataset) -> Metric: ...


# ---------------------------------------------------------------------------------------------- scenario


@dataclass(frozen=True, slots=True)
class Seeds:
    """LoadGen's three random seeds; each round of the benchmark announces its own."""

    qsl: int
    sample_index: int
    schedule: int


@dataclass(frozen=True, slots=True)
class Load:
    """How queries are issued in performance mode; durations in seconds, 0 for no limit."""

    min_query_count: int
    min_duration_s: float
    max_duration_s: float
    percentile: float
    """Of the latency that single-stream reports, between 0 and 1."""
    performance_sample_count: int
    """Samples encoded and held in memory before the clock starts."""
    seeds: Seeds
    expected_latency_ns: int
    """One query's latency as the warm-up saw it at its best; LoadGen prepares its queries from it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One named rule, with what was seen and what it asks for."""

    name: str
    ok: bool
    observed: float | int | str | bool
    required: float | int | str | bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a scenario measured, in performance mode."""

    latency_ns: Mapping[str, float]
    """``p50 p90 p99 mean min max`` at least, of the samples' latencies."""
    throughput: float
    """Samples per second of the timed region."""
    queries: int
    samples: int
    """Answered samples; padding never counts."""
    duration_s: float
    rules: tuple[Rule, ...]
    loadgen: Mapping[str, Any] = field(default_factory=dict)
    """The load generator's own verdict, version and effective settings."""


class SystemUnderTest(Protocol):
    """What a scenario drives: the loaded sessions, and the data set's samples, encoded on demand."""

    @property
    def sample_count(self) -> int:
        """Samples in the data set."""
        ...

    @property
    def sessions(self) -> int:
        """How many threads may call :meth:`answer_batch`, each with a session number of its own."""
        ...

    @property
    def batch(self) -> int:
        """Samples that one call of a session takes."""
        ...

    def load_samples(self, indices: Sequence[int]) -> None:
        """Untimed: encode these samples, on every core, and hold them in memory."""
        ...

    def unload_samples(self, indices: Sequence[int]) -> None: ...
    def answer(self, index: int) -> bytes:
        """Timed: infer one loaded sample on the first session."""
        ...

    def answer_batch(self, indices: Sequence[int], session: int) -> Sequence[bytes]:
        """Timed: infer any number of loaded samples on one session, batch by batch; one response each, in order."""
        ...


class Scenario(Protocol):
    """A way of issuing queries, in performance mode."""

    def __init__(self, options: Options) -> None: ...
    @property
    def parallel(self) -> bool:
        """Whether it uses all of the system's sessions, or the first only."""
        ...

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        """Issue queries until the load's conditions are met.

        Args:
            system: What answers.
            load: How much to issue.
            latencies_ns: An empty ``array("q")``; one entry is appended for every answered sample, as it is
                answered, so that progress can be shown and a stopped run keeps what it has.
            logs: An existing folder for the load generator's own logs.
        """
        ...
