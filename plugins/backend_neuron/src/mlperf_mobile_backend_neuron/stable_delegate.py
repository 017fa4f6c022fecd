"""Applies the Neuron stable delegate to a .tflite model with a TensorFlow Lite runtime.

Python's ``load_delegate`` loads external delegates only. A stable delegate is another kind of library: it has the
symbol ``TFL_TheStableDelegate`` with functions that create and destroy a delegate (stable_delegate.h and
delegate_plugin.h of LiteRT, 2026-08-21). This module passes the delegate that they create to the interpreter.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Self, TypeVar

from mlperf_mobile.contracts import Artifact, Placement, Session, Tensors
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_neuron import libraries
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_native_libraries.functions import text, text_of
from mlperf_mobile_native_libraries.loading import load

if TYPE_CHECKING:
    from mlperf_mobile_backend_tflite.runtime import Runtime

SYMBOL = "TFL_TheStableDelegate"
ABI = "1."
"""What ``delegate_abi_version`` starts with: TFL_STABLE_DELEGATE_ABI_VERSION is 1.0.0."""

SETTINGS = 16
"""The field ``mtk_neuron_settings`` of ``TFLiteSettings``: a flatbuffer made from configuration.proto (LiteRT, as
above) has the fields in the order of the file."""

PREFERENCES = {"low_power": 1, "fast_single_answer": 2, "sustained_speed": 3, "turbo_boost": 4}
PRIORITIES = {"low": 90, "medium": 100, "high": 110}
HINTS = {"low_latency": 1, "deep_fusion": 2, "batch_processing": 3}
CHECK_BEFORE = 2
"""PRE_OPERATION_CHECK: query the NPU once for the supported operations, as in the settings file of Genio's images."""

T = TypeVar("T")

EXTRA = "pip install 'mlperf-mobile-backend-neuron[stable-delegate]'"


class _Plugin(ctypes.Structure):
    """``TfLiteOpaqueDelegatePlugin``."""

    _fields_ = (
        ("create", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)),
        ("destroy", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("get_delegate_errno", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)),
    )


class _Described(ctypes.Structure):
    """``TfLiteStableDelegate``."""

    _fields_ = (
        ("delegate_abi_version", ctypes.c_char_p),
        ("delegate_name", ctypes.c_char_p),
        ("delegate_version", ctypes.c_char_p),
        ("delegate_plugin", ctypes.POINTER(_Plugin)),
    )


@dataclass(frozen=True, slots=True)
class Library:
    """An open stable delegate."""

    path: str
    name: str
    version: str
    plugin: _Plugin
    stand_in: str
    """A stand-in's description of itself; empty for a vendor's library."""

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a library and read its description.

        Raises:
            BackendError: ``library-…``: it cannot be opened, is not a stable delegate, or has another interface.
        """
        loaded = load(path, "Neuron stable delegate", libraries.FIX)
        try:
            found = _Described.in_dll(loaded, SYMBOL)
        except ValueError as error:
            summary = f"{path} is not a stable delegate: it lacks {SYMBOL}"
            hint = "set stable_delegate to the path of the stable delegate"
            raise BackendError("library-symbol", summary, hint) from error
        abi, name, version = map(text, (found.delegate_abi_version, found.delegate_name, found.delegate_version))
        if not abi.startswith(ABI) or not found.delegate_plugin:
            summary = f"{path} has the stable delegate interface {abi}, not {ABI}x"
            raise BackendError("library-too-old", summary, "use the delegate of NeuroPilot 8")
        return cls(path, name, version, found.delegate_plugin.contents, text_of(loaded, "neural_networks_stand_in"))


class StableDelegate:
    """A delegate to pass to an interpreter.

    Raises:
        BackendError: ``delegate-failed``: the library created no delegate.
    """

    def __init__(self, library: Library, settings: bytes) -> None:
        self._plugin, self._pointer = library.plugin, None
        kept = ctypes.create_string_buffer(settings, len(settings))
        (root,) = struct.unpack_from("<I", settings)
        self._pointer = self._plugin.create(ctypes.addressof(kept) + root)  # it copies what it needs
        if not self._pointer:
            summary = f"{library.name} {library.version} ({library.path}) created no delegate"
            raise BackendError("delegate-failed", summary, "see the log of the NPU's driver")

    def __del__(self) -> None:
        if self._pointer:
            self._plugin.destroy(self._pointer)
            self._pointer = None

    def _get_native_delegate_pointer(self) -> int | None:
        """Interpreters call this for the pointer; it is valid as long as this object exists."""
        return self._pointer


def settings(options: NeuronOptions) -> bytes:
    """The options as the flatbuffer ``TFLiteSettings``."""
    flatbuffers = import_module("flatbuffers")  # without type hints
    builder = flatbuffers.Builder(256)

    def vector(items: list[int]) -> int:
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return int(builder.EndVector())

    texts = options.optimization_string.split() if options.optimization_string else []
    compile_options = vector([builder.CreateString(text) for text in texts])
    names = vector([builder.CreateString(name) for name in options.devices])
    builder.StartVector(4, len(options.optimize), 4)
    for name in reversed(options.optimize):
        builder.PrependInt32(HINTS[name])
    hints = builder.EndVector()
    builder.StartObject(12)
    builder.PrependInt32Slot(0, PREFERENCES[options.preference], 0)
    builder.PrependInt32Slot(1, PRIORITIES[options.priority], 0)
    builder.PrependUOffsetTRelativeSlot(2, hints, 0)
    builder.PrependInt32Slot(3, CHECK_BEFORE, 0)
    builder.PrependBoolSlot(4, options.allow_fp16, 0)
    builder.PrependBoolSlot(5, options.memory == "ahwb", 0)
    builder.PrependUOffsetTRelativeSlot(7, compile_options, 0)
    builder.PrependUOffsetTRelativeSlot(8, names, 0)
    builder.PrependInt32Slot(11, options.abort_ms, 0)
    neuron = builder.EndObject()
    builder.StartObject(SETTINGS + 1)
    builder.PrependUOffsetTRelativeSlot(SETTINGS, neuron, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


class StableDelegateSession:
    """A session of the backend tflite, whose delegate is the NPU."""

    def __init__(self, session: Session, accelerator: str) -> None:
        self._session, self._accelerator = session, accelerator
        self.inputs, self.outputs = session.inputs, session.outputs
        self.run: Callable[[Tensors], Tensors] = session.run

    def placement(self) -> Placement:
        """As the interpreter reports: the operations of the delegate, and those left for the CPU."""
        placement = self._session.placement()
        return Placement(self._named(placement.operations), placement.kernels, self._named(placement.names))

    def _named(self, values: Mapping[str, T]) -> dict[str, T]:
        return {self._accelerator if where == "delegate" else where: what for where, what in values.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.run = self._closed
        self._session.__exit__(*exc)

    def _closed(self, _: Tensors) -> Tensors:
        raise BackendError("session-closed", "the session is closed", "load the model again")


def open_model(artifact: Artifact, options: NeuronOptions) -> StableDelegateSession:
    """Open a session of a .tflite model on LiteRT, with the stable delegate applied.

    Raises:
        ModelError: As in the backend tflite.
        BackendError: ``no-runtime``: no TensorFlow Lite runtime is installed; or the delegate fails.
    """
    library, found = Library.open(libraries.stable_delegate(options.stable_delegate)), runtime()
    from mlperf_mobile_backend_tflite.loading import Loader
    from mlperf_mobile_backend_tflite.options import TFLiteOptions

    loader = Loader(
        runtime=_with(found, library, settings(options)),
        options=TFLiteOptions(delegate=library.path),
        model=artifact.path,
        delegate=library.path,
        batch=1,
        input_shapes=artifact.input_shapes,
    )
    return StableDelegateSession(loader.session(), artifact.accelerator)


def runtime() -> Runtime:
    """The TensorFlow Lite runtime.

    Raises:
        BackendError: ``no-runtime``.
    """
    try:
        import_module("flatbuffers")  # for settings()
        from mlperf_mobile_backend_tflite.runtime import load
    except ImportError as error:
        summary = f"the stable delegate needs a TensorFlow Lite runtime: {error}"
        raise BackendError("no-runtime", summary, EXTRA) from error
    return load()


def _with(found: Runtime, library: Library, written: bytes) -> Runtime:
    """The runtime, changed to create this delegate."""
    from mlperf_mobile_backend_tflite.runtime import Runtime as Base

    class WithStableDelegate(Base):
        __slots__ = ()

        def delegate(self, library_path: str, options: Mapping[str, str]) -> object:
            return StableDelegate(library, written)

    return WithStableDelegate(found.name, found.version, found.module)
