"""Memory for a network's inputs and outputs: ordinary memory, or buffers that the NPU accesses without a copy."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import BackendError
from mlperf_mobile_neural_networks.driver import Driver, Handle

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 4096
"""In bytes: a page, the unit of DMA buffers, which is more than any processor's vector or cache line."""

HEAPS = Path("/dev/dma_heap")
_HEAP_ALLOCATE = 0xC0184800
"""DMA_HEAP_IOCTL_ALLOC of linux/dma-heap.h (Linux 5.6): _IOWR('H', 0, struct dma_heap_allocation_data of 24 bytes)."""

_FORMAT_BLOB, _CPU_OFTEN = 0x21, 0x3 | 0x3 << 4
"""AHARDWAREBUFFER_FORMAT_BLOB, and USAGE_CPU_READ_OFTEN | USAGE_CPU_WRITE_OFTEN (hardware_buffer.h of NDK r26)."""


class Buffer:
    """Memory of one input or output.

    Args:
        data: The memory.
        memory: The adapter's object for it; None if its address is enough.
        held: Resources to close with it.
    """

    def __init__(self, data: Bytes, memory: Handle | None, held: ExitStack) -> None:
        self.data, self._memory, self._held = data, memory, held

    def bind(self, driver: Driver, execution: ctypes.c_void_p, role: str, index: int) -> None:
        """Make it the ``index``-th ``"Input"`` or ``"Output"`` of an execution.

        Raises:
            BackendError: The adapter rejects it.
        """
        size = self.data.nbytes
        if self._memory is None:
            driver.call(f"Execution_set{role}", execution, index, None, self.data.ctypes.data, size)
        else:
            driver.call(f"Execution_set{role}FromMemory", execution, index, None, self._memory.pointer, 0, size)

    def close(self) -> None:
        """Release it; arrays that are still referenced stay readable."""
        self._held.close()


def host(size: int) -> Buffer:
    """Ordinary memory, at the start of a page."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return Buffer(raw[start : start + size], None, ExitStack())


def dma(driver: Driver, heap: str, size: int) -> Buffer:
    """A DMA buffer from a Linux DMA heap, such as ``"system"``.

    Raises:
        BackendError: ``memory-missing``: the heap does not exist or denies access. Or the adapter failed.
    """
    with ExitStack() as stack:
        file = _allocate(heap, size)
        stack.callback(os.close, file)
        data = np.frombuffer(mmap.mmap(file, size), np.uint8)
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        memory = driver.create("Memory", size, protection, file, 0, function="Memory_createFromFd")
        stack.enter_context(closing(memory))
        return Buffer(data, memory, stack.pop_all())


def ahwb(driver: Driver, size: int) -> Buffer:
    """An AHardwareBuffer of Android, in the format BLOB, the only one that the adapter supports.

    Raises:
        BackendError: ``memory-missing``: this is not Android, or it is out of memory. Or the adapter failed.
    """
    library = _native_window()
    with ExitStack() as stack:
        buffer, address = ctypes.c_void_p(), ctypes.c_void_p()
        # struct AHardwareBuffer_Desc: width, height, layers, format, usage, stride, and two reserved fields.
        description = struct.pack("<IIIIQIIQ", size, 1, 1, _FORMAT_BLOB, _CPU_OFTEN, 0, 0, 0)
        if library.AHardwareBuffer_allocate(description, ctypes.byref(buffer)):
            summary = f"Android cannot allocate an AHardwareBuffer of {size} bytes"
            raise BackendError("memory-missing", summary, "use memory=host")
        stack.callback(library.AHardwareBuffer_release, buffer)
        if library.AHardwareBuffer_lock(buffer, ctypes.c_uint64(_CPU_OFTEN), -1, None, ctypes.byref(address)):
            raise BackendError("memory-missing", "Android cannot map an AHardwareBuffer", "use memory=host")
        stack.callback(library.AHardwareBuffer_unlock, buffer, None)
        assert address.value is not None
        data = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address.value))
        memory = driver.create("Memory", buffer, function="Memory_createFromAHardwareBuffer")
        stack.enter_context(closing(memory))
        return Buffer(data, memory, stack.pop_all())


def allocator(driver: Driver, kind: str, heap: str) -> Callable[[int], Buffer]:
    """The function that allocates buffers of a kind: ``"host"``, ``"dma"`` or ``"ahwb"``."""
    if kind == "dma":
        return lambda size: dma(driver, heap, size)
    if kind == "ahwb":
        return lambda size: ahwb(driver, size)
    return host


def _allocate(heap: str, size: int) -> int:
    """The file descriptor of a new DMA buffer."""
    place = HEAPS / heap
    request = bytearray(struct.pack("<QIIQ", size, 0, os.O_RDWR | os.O_CLOEXEC, 0))
    try:
        opened = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(opened, _HEAP_ALLOCATE, request)
        finally:
            os.close(opened)
    except OSError as error:
        summary = f"cannot allocate a DMA buffer of {size} bytes in {place}: {error.strerror}"
        raise BackendError("memory-missing", summary, "name another heap in dma_heap, or use memory=host") from error
    return int(struct.unpack_from("<I", request, 8)[0])


def _native_window() -> Any:
    """Android's library for AHardwareBuffers."""
    if not hasattr(sys, "getandroidapilevel"):
        raise BackendError("memory-missing", "AHardwareBuffers need Android", "use memory=host")
    try:
        return ctypes.CDLL("libnativewindow.so")
    except OSError as error:
        summary = f"Android's AHardwareBuffers are not available: {error}"
        raise BackendError("memory-missing", summary, "use memory=host") from error
