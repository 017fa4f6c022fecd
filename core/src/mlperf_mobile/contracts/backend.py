"""The contract of a backend and of its sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from mlperf_mobile.contracts.tensors import Tensors, TensorSpec


@dataclass(frozen=True, slots=True)
class Device:
    """A device reported by a driver: ``Device("npu", "mtk-mdla_shim", "1.3.16", {"feature_level": 6})``."""

    accelerator: str
    """The backend's name for it as an accelerator."""
    name: str
    version: str = ""
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether this device can run the backend; if not, why, and how to fix it."""

    usable: bool
    accelerators: tuple[str, ...] = ()
    """The accelerators actually present, as names for ``CompileRequest.accelerator``."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Runtime, SDK and driver: ``{"litert": "2.3.0"}``."""
    runtime: str = ""
    """The runtime's name and version as shown in results: ``"litert 2.3.0"``."""
    reason: str = ""
    fix: str = ""
    devices: tuple[Device, ...] = ()
    """The devices that the driver reports, if it reports any."""
    functional_only: Mapping[str, str] = field(default_factory=dict)
    """Accelerators that compute correctly but whose speed is meaningless, and why.

    ``{"htp-simulator": "it runs on the CPU"}``. Performance measured on one is marked, and never valid.
    """


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """A model file, the accelerator to compile it for, and the samples per call."""

    model: Path
    accelerator: str
    batch: int = 1
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


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled model for :meth:`Backend.load`."""

    path: Path
    """The model itself, or a file or folder in the request's directory."""
    accelerator: str
    batch: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts about the compilation, as plain JSON data: ``{"soc": "SM8650", "operations": {"htp": 64}}``."""
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The request's input shapes, if :meth:`Backend.load` needs them."""


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
    def inputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...
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
class TokenSession(Session, Protocol):
    """A session that can report its first token (``Capability.TOKEN_STREAM``)."""

    def generate(self, inputs: Tensors, first_token: Callable[[int], None]) -> Tensors: ...


@runtime_checkable
class ReportingSession(Session, Protocol):
    """A session that can report more about its runs than latencies: on-hardware durations, a profile."""

    def report(self) -> Mapping[str, Any]:
        """Plain JSON data; called once, after the last timed run and before the session closes; not timed."""
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
            options: The validated model of the type that ``BackendInfo.options`` names; None where it names none.
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
