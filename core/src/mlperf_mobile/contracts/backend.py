"""The contract of a backend and of its sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from mlperf_mobile.contracts.tensors import Tensors, TensorSpec


@dataclass(frozen=True, slots=True)
class Device:
    """A device reported by a driver: ``Device("npu", "mtk-mdla_shim", "1.3.16", {"feature_level": 6})``."""

    accelerator: str
    """The backend's name for it as an accelerator."""
    name: str
    """As the driver calls it."""
    version: str = ""
    """Of its driver or firmware; empty if unknown."""
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Further facts, which also identify compiled models."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether this device can run the backend; if not, why, and how to fix it."""

    usable: bool
    """Whether the backend works here."""
    accelerators: tuple[str, ...] = ()
    """The accelerators actually present, as names for ``CompileRequest.accelerator``."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Runtime, SDK and driver: ``{"litert": "2.3.0"}``."""
    runtime: str = ""
    """The runtime's name and version as shown in results: ``"litert 2.3.0"``."""
    reason: str = ""
    """Why it does not, in one sentence; needed if it is not usable."""
    fix: str = ""
    """What the user can do about it."""
    devices: tuple[Device, ...] = ()
    """The devices that the driver reports, if it reports any."""
    functional_only: Mapping[str, str] = field(default_factory=dict)
    """Accelerators that compute correctly but whose speed is meaningless, and why.

    ``{"htp-simulator": "it runs on the CPU"}``. Performance measured on one is marked, and never valid.
    """


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a model is loaded for, so that a backend can choose between latency and throughput."""

    scenario: str = ""
    """The scenario's name; empty if the model is only compiled or looked at."""
    parallel: bool = False
    """Whether the scenario keeps all sessions busy, so that throughput counts; otherwise the latency of one query."""
    sessions: int = 1
    """Sessions on this accelerator that work at the same time, at least 1."""
    cores: int = 0
    """Processors that the run's process may use, shared by all its sessions; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """A model, the accelerator to compile it for, and the samples per call."""

    model: Path
    """The model's file; of a model of several files, the main one."""
    accelerator: str
    """One of those that :meth:`Backend.probe` reports; ahead of time also one that is not present."""
    batch: int = 1
    """Samples per call at most."""
    directory: Path = Path()
    """An empty folder for this compilation; its content may be kept, moved and loaded again later."""
    format: str = ""
    """The model's format, if known; otherwise its suffix."""
    beside: tuple[str, ...] = ()
    """Other accelerators that the same run uses simultaneously."""
    report: Callable[[str], None] = lambda step: None
    """To be called with the compiler's current step, such as ``"quantising"``, which is shown as progress."""
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of one sample for inputs that the model leaves open, by name: ``{"image": (1, 128, 128, 3)}``.

    :func:`mlperf_mobile.backend_checks.sized` checks them against the model. A backend stores them in its artifact, or
    compiles for them; the session's inputs must have these shapes, and none may stay open.
    """
    tokens: bool = False
    """Whether the session must generate, always with a batch of 1: a :class:`mlperf_mobile.contracts.TokenSession` of a
    backend with ``Capability.TOKEN_STREAM``, a :class:`mlperf_mobile.contracts.TextSession` of one with
    ``Capability.TEXT_STREAM`` alone. No other backend is asked for it."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """All files of a model of several files by their names in it, the main one among them: ``{"tokenizer.model": …}``.

    They may be in different folders. Empty for a model of one file.
    """
    purpose: Purpose = Purpose()
    """What the compiled model is for, if the backend declares ``Capability.PURPOSE``; compiled models are then kept
    for each purpose."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled model for :meth:`Backend.load`."""

    path: Path
    """The model itself, or a file or folder in the request's directory."""
    accelerator: str
    """The request's accelerator."""
    batch: int = 1
    """The request's samples per call."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts about the compilation, as plain JSON data: ``{"soc": "SM8650", "operations": {"htp": 64}}``."""
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The request's input shapes, if :meth:`Backend.load` needs them."""
    tokens: bool = False
    """The request's ``tokens``, if :meth:`Backend.load` needs it."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """As :attr:`CompileRequest.files`; the core sets it before :meth:`Backend.load`."""
    purpose: Purpose = Purpose()
    """What it is loaded for; the core sets it before :meth:`Backend.load`."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the operations of a loaded model actually run, read from the runtime and not from the request."""

    operations: Mapping[str, int]
    """Operations per accelerator: ``{"htp": 64, "cpu": 2}``."""
    kernels: Mapping[str, int] = field(default_factory=dict)
    """Operations per kernel library, where the runtime reports them: ``{"xnnpack": 60, "builtin": 2}``."""
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Operation names per accelerator, where known: ``{"cpu": {"SOFTMAX": 2}}``."""


class Session(Protocol):
    """A loaded model, used by one thread at a time. A context manager."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of one sample, in the order in which :meth:`run` takes them; the same as long as it is open."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of one sample, in the order in which :meth:`run` returns them."""
        ...

    def run(self, inputs: Tensors) -> Tensors:
        """Infer one sample: the only backend call inside the timed region.

        The outputs are a tuple of arrays with the shapes and dtypes of :attr:`outputs`; floats are finite. They may
        be views into the runtime's buffers: they are valid until the next ``run``, and the caller drops them before it.

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
    """A session loaded for several samples per call (``Capability.BATCH``)."""

    def run_batch(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        """Infer one to ``batch`` samples; the result has as many items as ``samples``, padding left out."""
        ...


@runtime_checkable
class ReportingSession(Session, Protocol):
    """A session that can report more about its runs than latencies: on-hardware durations, a profile."""

    def report(self) -> Mapping[str, Any]:
        """Plain JSON data; called once, after the last timed run and before the session closes; not timed."""
        ...


@runtime_checkable
class SteppingSession(Session, Protocol):
    """A session whose calls have many steps and may take minutes, such as a diffusion pipeline's."""

    @property
    def steps(self) -> int:
        """How many steps it has done since it was loaded: while the number grows, the run does not count as hung.

        Read from another thread while the session works.
        """
        ...


@runtime_checkable
class MeteredSession(Session, Protocol):
    """A session whose accelerator measures its energy."""

    @property
    def energy_includes(self) -> str:
        """The parts of the device that the energy includes: ``the NPU and its memory``."""
        ...

    def energy_joules(self) -> float:
        """Joules of all its sessions since an arbitrary moment; called from a separate thread while sessions work."""
        ...


@runtime_checkable
class VaryingSession(Session, Protocol):
    """A session whose outputs for one sample vary slightly between runs, because sums are added in varying order.

    Every other session returns the same bits for the same sample, regardless of the inferences in between.
    """

    @property
    def variation(self) -> float:
        """The largest difference between outputs, as a share of their tensor's largest absolute value; at most 0.1."""
        ...


class Backend(Protocol):
    """An inference stack, with its options."""

    def __init__(self, options: Any) -> None:
        """Keep the options; probing, compiling and loading come later.

        Args:
            options: The validated model of the type that ``BackendInfo.options`` names; None without ``options``.
        """
        ...

    @property
    def shards(self) -> int:
        """How many sessions of this backend should run in parallel for the best throughput."""
        ...

    def probe(self) -> Probe:
        """Report whether the backend works on this device; never raises for a missing runtime, SDK or driver."""
        ...

    def compile(self, request: CompileRequest) -> Artifact:
        """Compile the model ahead of time; interpreters return the model itself.

        The core keeps what is written into ``request.directory``, identified by the model's content, the versions that
        :meth:`probe` reports, the options, the accelerator and the batch. Nothing may be written elsewhere.

        Raises:
            ModelError: The model is missing, damaged, in another format, or has operations that cannot be compiled.
            BackendError: The compiler failed.
        """
        ...

    def load(self, artifact: Artifact) -> Session:
        """Load an artifact.

        Raises:
            ModelError: The file is damaged, or not in this backend's format.
            BackendError: The accelerator is not available.
        """
        ...


@runtime_checkable
class TracingBackend(Backend, Protocol):
    """A backend that can show the tensors inside a model, to find where its numbers differ from another backend's."""

    def trace(self, artifact: Artifact, inputs: Tensors) -> Iterable[tuple[TensorSpec, Any]]:
        """Infer one sample, and yield the tensors that its operations compute, in the order of execution.

        Never timed; it may use other kernels than :meth:`load`, as long as they compute the same. A tensor is valid
        until the next one.
        """
        ...
