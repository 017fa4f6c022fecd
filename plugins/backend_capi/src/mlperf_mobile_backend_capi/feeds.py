"""Passes samples to the library: in place, or copied into buffers and converted there."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_capi.abi import PREFIX
from mlperf_mobile_backend_capi.instance import Instance

Array: TypeAlias = npt.NDArray[Any]

Feed: TypeAlias = Callable[[Array, int], None]
"""Passes a tensor of one sample to the library: ``feed(tensor, slot)``; raises ValueError if it does not fit."""

IMAGE_CHANNELS = 3

MISFIT = "a tensor does not fit"
"""A feed's message; the session, which has the whole sample, adds the details."""

_BYTE = ctypes.c_char * 1


def is_image(spec: TensorSpec) -> bool:
    """Whether a tensor is an image, [1, height, width, 3]."""
    return len(spec.shape) == 4 and spec.shape[0] == 1 and spec.shape[3] == IMAGE_CHANNELS


class Buffers:
    """Memory for samples, allocated by the library and released before its instance is deleted."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._addresses: list[int] = []

    def take(self, size: int) -> int:
        """Allocate ``size`` bytes; returns their address.

        Raises:
            BackendError: ``capi-buffer``: the library allocates none.
        """
        address = self._instance.function("get_buffer")(size)
        if not address:
            summary = f"{self._instance.library.name}: {PREFIX}get_buffer did not allocate {size} bytes"
            raise BackendError("capi-buffer", summary, "use a smaller batch, or library_buffers=false")
        self._addresses.append(int(address))
        return int(address)

    def close(self) -> None:
        """Release all, the last one first."""
        while self._addresses:
            self._instance.function("release_buffer")(self._addresses.pop())


def view_at(address: int, spec: TensorSpec) -> Array:
    """The library's memory as an array, valid as long as that memory."""
    count = math.prod(spec.shape)
    memory: Any = (ctypes.c_char * (count * spec.dtype.itemsize)).from_address(address)
    array: Array = np.frombuffer(memory, spec.dtype, count).reshape(spec.shape)
    return array


def _slots(spec: TensorSpec, batch: int) -> list[Array]:
    return [*np.empty((batch, *spec.shape), spec.dtype)]


def direct(instance: Instance, spec: TensorSpec, i: int, batch: int) -> Feed:
    """Pass the sample's own memory, as the app does without the library's allocator."""
    set_input, pointer, shape, dtype = instance.function("set_input"), instance.pointer, spec.shape, spec.dtype
    from_buffer: Callable[[Any], Any] = _BYTE.from_buffer
    copy: Feed | None = None

    def feed(tensor: Array, slot: int) -> None:
        nonlocal copy
        flags = tensor.flags
        if tensor.shape != shape or tensor.dtype != dtype:
            raise ValueError(MISFIT)
        if flags.c_contiguous and flags.aligned and flags.writeable:
            if status := set_input(pointer, slot, i, from_buffer(tensor)):
                raise instance.failed("set_input", status)
            return
        copy = copy or copied(instance, spec, i, _slots(spec, batch), convert=False)
        copy(tensor, slot)

    return feed


def copied(instance: Instance, spec: TensorSpec, i: int, memory: Sequence[Array], *, convert: bool) -> Feed:
    """Copy a sample into its slot of ``memory``, and let the library convert it there.

    The app copies and converts a sample when it loads it. The core passes samples to sessions only when they run, so
    both are timed here. This never makes a result better than the app's.
    """
    set_input, pointer, shape, dtype = instance.function("set_input"), instance.pointer, spec.shape, spec.dtype
    addresses = [slot.ctypes.data for slot in memory]
    conversion = instance.function("convert_inputs") if convert else None
    size, (height, width) = math.prod(shape) * dtype.itemsize, shape[1:3] if convert else (0, 0)

    def feed(tensor: Array, slot: int) -> None:
        if tensor.shape != shape or tensor.dtype != dtype:
            raise ValueError(MISFIT)
        memory[slot][...] = tensor
        address = addresses[slot]
        if conversion:
            conversion(pointer, size, width, height, address)
        if status := set_input(pointer, slot, i, address):
            raise instance.failed("set_input", status)

    return feed


def feeds(instance: Instance, specs: Sequence[TensorSpec], batch: int, buffers: Buffers | None) -> list[Feed]:
    """A feed for each input; with ``buffers``, through the library's memory.

    As in the app's image tasks, samples are converted only if the model's single input is an image.
    """
    convert = len(specs) == 1 and is_image(specs[0]) and "convert_inputs" in instance.library.functions
    found = []
    for i, spec in enumerate(specs):
        if buffers:
            size = math.prod(spec.shape) * spec.dtype.itemsize
            memory = [view_at(buffers.take(size), spec) for _ in range(batch)]
            found.append(copied(instance, spec, i, memory, convert=convert))
        elif convert:
            found.append(copied(instance, spec, i, _slots(spec, batch), convert=True))
        else:
            found.append(direct(instance, spec, i, batch))
    return found
