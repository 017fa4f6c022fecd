"""Tensors in memory that is shared with the driver, so that nothing is copied on the way to it."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_neural_networks.driver import Driver, Handle

ALIGNMENT = 128
"""Bytes; more than any processor's vector or cache line."""


class TensorMemory:
    """Arrays for ``specs``, which :meth:`calls` make the inputs or outputs of executions.

    Args:
        driver: The open library.
        specs: What the arrays hold.
        role: ``"Input"`` or ``"Output"``.

    Without shared memory, or where the driver does not take it, the arrays are ordinary memory.
    """

    def __init__(self, driver: Driver, specs: Sequence[TensorSpec], role: str) -> None:
        self._driver, self._role = driver, role
        self._file = -1
        self._memory: Handle | None = None
        self._offsets, size = _layout(specs)
        buffer = self._share(size)
        raw = np.zeros(size, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)
        self.arrays: tuple[npt.NDArray[Any], ...] = tuple(
            [
                raw[start : start + _bytes(spec)].view(spec.dtype).reshape(spec.shape)
                for start, spec in zip(self._offsets, specs, strict=True)
            ]
        )

    @property
    def shared(self) -> bool:
        """Whether the driver uses the same memory."""
        return self._memory is not None

    def calls(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The calls that make the arrays the inputs or outputs of an execution, without the execution."""
        role, memory, places = self._role, self._memory, enumerate(zip(self._offsets, self.arrays, strict=True))
        if memory is not None:
            name, pointer = f"Execution_set{role}FromMemory", memory.pointer
            return [(name, (index, None, pointer, start, array.nbytes)) for index, (start, array) in places]
        name = f"Execution_set{role}"
        return [(name, (index, None, array.ctypes.data, array.nbytes)) for index, (_, array) in places]

    def close(self) -> None:
        """Give the memory up; arrays that are still referenced stay readable."""
        if self._memory is not None:
            self._memory.close()
            os.close(self._file)
            self._memory = None
        self.arrays = ()

    def _share(self, size: int) -> mmap.mmap | None:
        """A mapping that the driver has taken; it sets ``_memory`` and ``_file``."""
        file = _shared_file(size)
        if file is None:
            return None
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        try:
            mapping = mmap.mmap(file, size, prot=protection)
            self._memory = self._create(size, protection, file)
        except (OSError, BackendError):
            os.close(file)
            return None
        self._file = file
        return mapping

    def _create(self, size: int, protection: int, file: int) -> Handle:
        return self._driver.create("Memory", size, protection, file, 0, function="Memory_createFromFd")


def _bytes(spec: TensorSpec) -> int:
    return spec.dtype.itemsize * int(np.prod(spec.shape, dtype=np.int64))


def _layout(specs: Sequence[TensorSpec]) -> tuple[list[int], int]:
    """Where each tensor starts, and how many bytes all take."""
    offsets, size = [], 0
    for spec in specs:
        offsets.append(size)
        size += -(-max(1, _bytes(spec)) // ALIGNMENT) * ALIGNMENT
    return offsets, max(size, ALIGNMENT)


def _shared_file(size: int) -> int | None:
    """A file descriptor of ``size`` bytes of shared memory, or None if the system does not support it."""
    if hasattr(sys, "getandroidapilevel"):  # drivers are processes of their own there, and may map no other kind
        try:
            create = ctypes.CDLL("libandroid.so").ASharedMemory_create
        except (OSError, AttributeError):
            return None
        create.argtypes, create.restype = (ctypes.c_char_p, ctypes.c_size_t), ctypes.c_int
        file = int(create(b"mlperf-mobile", size))
        return file if file >= 0 else None
    if not hasattr(os, "memfd_create"):
        return None
    try:
        file = os.memfd_create("mlperf-mobile")
        os.ftruncate(file, size)
    except OSError:
        return None
    return file
