"""The contract of a backend whose models a runner without Python can run: which engine of the runner, and with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlperf_mobile.contracts.backend import Backend, Purpose

if TYPE_CHECKING:
    from mlperf_mobile.contracts.tensors import TensorSpec

NativeValue = str | int | float | bool | Sequence[str] | Sequence[Sequence[str]] | Mapping[str, str]
"""The value of an engine's option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePlace:
    """The machine that the runner runs on."""

    system: str
    """``"linux"`` or ``"android"``."""
    machine: str
    """As ``uname -m`` prints it: ``"aarch64"``."""
    same: bool
    """Whether this machine's libraries and programs run there."""
    here: bool = False
    """Whether it is this machine, whose files need not be copied."""
    cores: int = 1
    """Processors that a process may use there."""

    def __str__(self) -> str:
        return f"{self.system} on {self.machine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeRequest:
    """A model, where it is to run, and how."""

    model: Path
    """The model's file on this machine."""
    accelerator: str
    """One of the offer's accelerators."""
    place: NativePlace
    """Where it is to run."""
    format: str = ""
    """The model's format, if known; otherwise its suffix."""
    batch: int = 1
    """Samples per call at most."""
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """As :attr:`mlperf_mobile.contracts.CompileRequest.input_shapes`."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """As :attr:`mlperf_mobile.contracts.CompileRequest.files`; those that the engine needs go into its ``files``."""
    tokens: bool = False
    """Whether the engine must generate, as with :attr:`mlperf_mobile.contracts.CompileRequest.tokens`."""
    directory: Path = Path()
    """A folder for files that the backend makes for the engine; it is removed when the run is over."""
    purpose: Purpose = field(default_factory=Purpose)
    """What it is loaded for; sessions are as many as the user sets, or 0 if :attr:`NativeEngine.sessions` decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeEngine:
    """What a runner needs to run a model as the backend would."""

    engine: str
    """The runner's engine: the C interface that it drives."""
    library: Path | str
    """The library with this interface: a file of this machine, which is copied to the device; or a name that the
    device's own loader finds."""
    model: Path | None = None
    """What the engine loads, if it is not the request's model: a file of the request's ``directory``, for example."""
    files: tuple[Path, ...] = ()
    """Other libraries and files, which are copied into the folder of ``library``'s copy or named by ``options``."""
    options: Mapping[str, NativeValue] = field(default_factory=dict)
    """The engine's options; paths of ``files`` among their values become those on the device."""
    sessions: int = 1
    """Sessions for the best throughput, if the user sets no number."""
    inputs: tuple[TensorSpec, ...]
    """Of one sample; sizes are not open."""
    outputs: tuple[TensorSpec, ...]
    """Of one sample, in the order in which the engine returns them."""
    context: int = 0
    """Of a language model: the most tokens that prompt and answer may have together; its ``inputs`` and ``outputs`` are
    then those of a :class:`mlperf_mobile.contracts.TokenSession`."""
    runtime: str = ""
    """The runtime's name and version, as shown in results: ``"litert 2.3.0"``."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Runtime, SDK and driver: ``{"litert": "2.3.0"}``."""
    variation: float = 0.0
    """See :class:`mlperf_mobile.contracts.VaryingSession`."""
    functional_only: str = ""
    """Why its speed is meaningless; empty for hardware."""


@runtime_checkable
class NativeBackend(Backend, Protocol):
    """A backend whose models a runner without Python can run."""

    def native(self, request: NativeRequest) -> NativeEngine:
        """The engine, library and options; nothing is run on the device for it.

        Raises:
            OpenShapes: The model leaves sizes open that the request does not give.
            ModelError: The model cannot be read.
            BackendError: ``native-option``: an option has no counterpart in the engine; ``native-library``: the library
                for that place is not known.
        """
        ...
