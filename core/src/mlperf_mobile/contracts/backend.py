"""The contract of a backend and of its sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from mlperf_mobile.contracts.tensors import Tensors, TensorSpec


@dataclass(frozen=True, slots=True)
class Device:
    """One device that a driver lists: ``Device("npu", "mtk-mdla_shim", "1.3.16", {"feature_level": 6})``."""

    accelerator: str
    """Which of the backend's accelerators it is."""
    name: str
    version: str = ""
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)


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
    devices: tuple[Device, ...] = ()
    """What the driver lists, where it does."""
    functional_only: Mapping[str, str] = field(default_factory=dict)
    """Accelerators that compute, but whose speed says nothing, and why: ``{"htp-simulator": "it runs on the CPU"}``.

    A performance measured on one is marked, and never counts.
    """


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """A model file, where it shall run, and how many samples one call takes."""

    model: Path
    accelerator: str
    batch: int = 1
    directory: Path = Path()
    """An empty folder that belongs to this compilation; what it holds may be kept, moved and loaded again later."""
    format: str = ""
    """The model's format, where it is known; its suffix otherwise."""
    beside: tuple[str, ...] = ()
    """Other accelerators that the same run uses at the same time."""
    report: Callable[[str], None] = lambda step: None
    """Call it with the compiler's current step, ``"quantising"``; it is shown as progress."""
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Shapes of one sample for inputs that the model leaves open, by name: ``{"image": (1, 128, 128, 3)}``.

    :func:`mlperf_mobile.backend_checks.sized` checks them against the model. A backend puts them into its artifact, or
    loads what it compiled for them; the session's inputs must have these shapes, and none may stay open.
    """


@dataclass(frozen=True, slots=True)
class Artifact:
    """What :meth:`Backend.load` needs; ``path`` may be the model itself."""

    path: Path
    """The model itself, or something in the request's directory."""
    accelerator: str
    batch: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the compilation found out, as plain JSON data: ``{"soc": "SM8650", "operations": {"htp": 64}}``."""
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Those of the request, where :meth:`Backend.load` needs them."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the operations of a loaded model really run: evidence, not intent."""

    operations: Mapping[str, int]
    """Operations per accelerator: ``{"htp": 64, "cpu": 2}``."""
    kernels: Mapping[str, int] = field(default_factory=dict)
    """Operations per kernel library, where the runtime reports them: ``{"xnnpack": 60, "builtin": 2}``."""
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

        The outputs are a tuple of arrays of the shapes and dtypes that :attr:`outputs` announces, and finite where
        they are of floats. They may be views into the runtime's buffers; they hold until the next ``run``, and the
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


@runtime_checkable
class ReportingSession(Session, Protocol):
    """A session that can report more about its runs than the clock: on-hardware durations, a profile."""

    def report(self) -> Mapping[str, Any]:
        """Plain JSON data; called once, after the last timed run and before the session closes; not timed."""
        ...


@runtime_checkable
class MeteredSession(Session, Protocol):
    """A session whose accelerator counts the energy that it takes."""

    @property
    def energy_includes(self) -> str:
        """Which parts of the device are counted: ``the NPU and its memory``."""
        ...

    def energy_joules(self) -> float:
        """Joules since any moment, of all sessions there; called from a thread of its own while sessions work."""
        ...


@runtime_checkable
class VaryingSession(Session, Protocol):
    """A session whose outputs for one sample differ a little from run to run, because sums are added in any order.

    Every other session gives the same bits whenever it gets the same sample, regardless of what it inferred in between.
    """

    @property
    def variation(self) -> float:
        """How far outputs may lie apart, as a share of the largest absolute value of their tensor; at most 0.1."""
        ...


class Backend(Protocol):
    """One inference stack, with its options."""

    def __init__(self, options: Any) -> None:
        """Keep the options; probing, compiling and loading come later.

        Args:
            options: The validated model of the type that ``BackendInfo.options`` names; None where it names none.
        """
        ...

    @property
    def shards(self) -> int:
        """How many sessions of this backend should work side by side when throughput is what counts."""
        ...

    def probe(self) -> Probe:
        """Say whether it works on this device; never raises for a missing runtime, SDK or driver."""
        ...

    def compile(self, request: CompileRequest) -> Artifact:
        """Prepare the model ahead of time; interpreters return the model itself.

        What is written into ``request.directory`` is kept by the core, under the content of the model, the versions
        that :meth:`probe` reports, the options, the accelerator and the batch; it writes nowhere else.

        Raises:
            ModelError: The model is missing, damaged, of another format, or has operations that cannot be compiled.
            BackendError: The compiler failed.
        """
        ...

    def load(self, artifact: Artifact) -> Session:
        """Load an artifact.

        Raises:
            ModelError: The file is damaged or not a model of this backend's format.
            BackendError: The accelerator is not available.
        """
        ...
