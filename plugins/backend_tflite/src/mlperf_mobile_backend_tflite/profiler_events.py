"""Runs a model in LiteRT's C interface under LiteRT's profiler, and reads the events of each run.

The interpreter offers no profile in Python; this interface times every XNNPACK operator and built-in kernel. Layouts
and numbers are those of litert/c of google-ai-edge/LiteRT, which the native runner uses, too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlperf_mobile_backend_tflite.runtime import Array

PHASE, OPERATOR, DELEGATED = 1, 2, 8
"""Kinds of events: LiteRT's own steps, a built-in kernel, a delegate's operator (tflite::Profiler::EventType)."""

_CPU, _WRITE, _SIGNATURE = 1, 1, 0
_UNTOUCHED = b"\xa5"
_MOST_EVENTS = 1_000_000
_Handle, _Size = ctypes.c_void_p, ctypes.c_size_t
_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_keep = _Deleter(lambda _: None)
"""Python owns the options' texts."""
_NEEDED = (
    "LiteRtCompiledModelGetProfiler", "LiteRtStartProfiler", "LiteRtStopProfiler", "LiteRtGetNumProfilerEvents",
    "LiteRtGetProfilerEvents", "LiteRtCreateCompiledModel", "LiteRtRunCompiledModel",
    "LiteRtCompiledModelResizeInputTensorNonStrict",
)  # fmt: skip


class Unavailable(Exception):
    """There is no profile; the text says why."""


class Event(NamedTuple):
    """One event of a run."""

    tag: str
    """The operator's name as the kernel's library has it, or LiteRT's step."""
    kind: int
    microseconds: int


class _Layout(ctypes.Structure):
    _fields_ = (("rank", ctypes.c_uint32), ("sizes", ctypes.c_int32 * 8), ("strides", ctypes.c_uint32 * 8))


class _Type(ctypes.Structure):
    _fields_ = (("element", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    """``ProfiledEventData``; memory has three numbers at its begin and three at its end."""

    _fields_ = (
        ("tag", ctypes.c_char_p), ("kind", ctypes.c_int), ("start", ctypes.c_uint64), ("elapsed", ctypes.c_uint64),
        ("memory", ctypes.c_int64 * 6), ("metadata", ctypes.c_uint64 * 2), ("source", ctypes.c_int),
    )  # fmt: skip


class ProfiledModel:
    """A model compiled for the CPU with profiling on; made by :func:`opened`."""

    def __init__(self, call: Callable[..., None], compiled: Any, profiler: Any, inputs: Any, outputs: Any) -> None:
        self._call, self._compiled, self._profiler = call, compiled, profiler
        self._inputs, self._outputs = inputs, outputs

    def run(self) -> None:
        """One inference.

        Raises:
            Unavailable: It fails.
        """
        self._call(
            "LiteRtRunCompiledModel", self._compiled, _Size(_SIGNATURE), _Size(len(self._inputs)), self._inputs,
            _Size(len(self._outputs)), self._outputs,
        )  # fmt: skip

    def profiled(self) -> list[Event]:
        """The events of one inference, in order of execution.

        Raises:
            Unavailable: It fails, or its events cannot be read.
        """
        self._call("LiteRtStartProfiler", self._profiler)  # forgets the events of the run before
        self.run()
        self._call("LiteRtStopProfiler", self._profiler)
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        if not 0 < count.value <= _MOST_EVENTS:
            raise Unavailable(f"LiteRT's profiler has {count.value} events")
        room = 2 * ctypes.sizeof(_Event) * count.value
        memory = ctypes.create_string_buffer(_UNTOUCHED * room, room)
        self._call("LiteRtGetProfilerEvents", self._profiler, count, memory)
        # How far it wrote tells the size of its events: a LiteRT with other ones would be read at wrong addresses.
        if not _is_full(memory.raw, count.value):
            raise Unavailable("this version of LiteRT lays out its profiler's events in another way")
        events = (_Event * count.value).from_buffer(memory)
        return [Event((each.tag or b"").decode(errors="replace")[:200], each.kind, each.elapsed) for each in events]


@contextmanager
def opened(library: Path, model: Path, threads: int, inputs: Sequence[Array]) -> Iterator[ProfiledModel]:
    """Compile a model for the CPU with profiling on, and fill its inputs.

    Args:
        library: LiteRT's library.
        model: A checked .tflite file.
        threads: XNNPACK's threads.
        inputs: One array for each input, in the file's order; their shapes become the inputs' shapes.

    Raises:
        Unavailable: The library lacks the profiler, or refuses the model.
    """
    try:
        functions = ctypes.CDLL(str(library))
    except OSError as error:
        raise Unavailable(f"{library.name} cannot be loaded: {error}") from error
    if lacking := [name for name in _NEEDED if not hasattr(functions, name)]:
        raise Unavailable(f"{library.name} has no {lacking[0]}")

    def call(name: str, *values: Any) -> None:
        if status := getattr(functions, name)(*values):
            raise Unavailable(f"{name} failed with status {status}")

    with ExitStack() as stack:

        def made(name: str, *values: Any, destroyed_by: str = "") -> Any:
            handle = _Handle()
            call(name, *values, ctypes.byref(handle))
            if destroyed_by:
                stack.callback(getattr(functions, destroyed_by), handle)
            return handle

        environment = made("LiteRtCreateEnvironment", 0, None, destroyed_by="LiteRtDestroyEnvironment")
        file = made("LiteRtCreateModelFromFile", environment, bytes(model), destroyed_by="LiteRtDestroyModel")
        # Options are texts in TOML by these names (litert/c/options/litert_cpu_options.cc, litert_runtime_options.cc).
        texts = {b"runtime_options_string": b"enable_profiling = true\n", b"xnnpack": b"num_threads = %d\n" % threads}
        kept = {name: ctypes.create_string_buffer(text) for name, text in texts.items()}
        options = made("LiteRtCreateOptions", destroyed_by="LiteRtDestroyOptions")
        call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
        for name, text in kept.items():
            opaque = made("LiteRtCreateOpaqueOptions", name, ctypes.cast(text, _Handle), _keep)
            call("LiteRtAddOpaqueOptions", options, opaque)
        compiled = made(
            "LiteRtCreateCompiledModel", environment, file, options, destroyed_by="LiteRtDestroyCompiledModel"
        )
        profiler = made("LiteRtCompiledModelGetProfiler", compiled)
        if not profiler:
            raise Unavailable("LiteRT compiled the model without its profiler")
        graph = made("LiteRtGetModelSubgraph", file, _Size(0))

        def types(kind: str) -> list[_Type]:
            count, found = _Size(), []
            call(f"LiteRtGetNumSubgraph{kind}s", graph, ctypes.byref(count))
            for position in range(count.value):
                tensor = made(f"LiteRtGetSubgraph{kind}", graph, _Size(position))
                found.append(_Type())
                call("LiteRtGetRankedTensorType", tensor, ctypes.byref(found[-1]))
            return found

        def buffers(kind: str, of: Sequence[_Type]) -> Any:
            handles = []
            for position, each in enumerate(of):
                size = made(f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, _Size(0), _Size(position))
                handles.append(made(
                    "LiteRtCreateManagedTensorBufferFromRequirements", environment, ctypes.byref(each), size,
                    destroyed_by="LiteRtDestroyTensorBuffer",
                ))  # fmt: skip
            return (_Handle * len(handles))(*[handle.value for handle in handles])

        entering, leaving = types("Input"), types("Output")
        if len(entering) != len(inputs):
            raise Unavailable(f"LiteRT sees {len(entering)} inputs of {len(inputs)}")
        for position, (each, array) in enumerate(zip(entering, inputs, strict=True)):
            if array.shape != tuple(each.layout.sizes[: each.layout.rank & 0x7F]):
                call(
                    "LiteRtCompiledModelResizeInputTensorNonStrict", compiled, _Size(_SIGNATURE), _Size(position),
                    (ctypes.c_int * array.ndim)(*array.shape), _Size(array.ndim),
                )  # fmt: skip
            call(
                "LiteRtGetCompiledModelInputTensorLayout", compiled, _Size(_SIGNATURE), _Size(position),
                ctypes.byref(each.layout),
            )  # fmt: skip
        layouts = (_Layout * len(leaving))()
        call(
            "LiteRtGetCompiledModelOutputTensorLayouts", compiled, _Size(_SIGNATURE), _Size(len(leaving)), layouts,
            ctypes.c_bool(True),
        )  # fmt: skip
        for each, layout in zip(leaving, layouts, strict=True):
            each.layout = layout
        for each in (*entering, *leaving):
            each.layout.rank &= 0x7F  # without strides
        into = buffers("Input", entering)
        for handle, array in zip(into, inputs, strict=True):
            _fill(call, _Handle(handle), array)
        yield ProfiledModel(call, compiled, profiler, into, buffers("Output", leaving))


def _fill(call: Callable[..., None], buffer: Any, array: Array) -> None:
    size, address = _Size(), _Handle()
    call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
    if size.value < array.nbytes:
        raise Unavailable(f"LiteRT gives an input {size.value} bytes, not {array.nbytes}")
    call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), _WRITE)
    data = np.ascontiguousarray(array)
    ctypes.memmove(address, data.ctypes.data, data.nbytes)
    call("LiteRtUnlockTensorBuffer", buffer)


def _is_full(memory: bytes, count: int) -> bool:
    """Whether exactly ``count`` events of the known size were written; padding at their end may be left out."""
    written, size = len(memory.rstrip(_UNTOUCHED)), ctypes.sizeof(_Event)
    return count * size - 4 <= written <= count * size
