"""Reads and makes the ``std::vector<int>`` that a library takes and gives: three pointers, each checked before use."""

from __future__ import annotations

import ctypes
import os
from ctypes import addressof, c_int32, c_size_t, c_ssize_t, c_void_p, sizeof

import numpy as np

from mlperf_mobile.contracts import TokenIds

CHUNK = 4096
"""Bytes that an empty pipe always takes at once (``PIPE_BUF`` of Linux)."""


class Header(ctypes.Structure):
    """``std::vector<int>`` of libstdc++ and libc++: begin, end, and end of the storage.

    Source: ``_Vector_impl_data`` in libstdc++'s bits/stl_vector.h; ``__begin_``, ``__end_`` and the capacity in
    libc++'s __vector/vector.h. See docs/decisions/0036.
    """

    _fields_ = (("begin", c_void_p), ("end", c_void_p), ("storage_end", c_void_p))


class PromptVector:
    """A vector in memory of this process, whose elements are replaced for each prompt.

    Args:
        context: The most elements that it has to hold.
    """

    def __init__(self, context: int) -> None:
        self._ids = np.zeros(context, np.int32)
        self._header = Header()
        self.address = addressof(self._header)
        self._expected = b""

    def fill(self, prompt: TokenIds) -> None:
        """Make the vector's elements those of ``prompt``, int32[n] with n at most the context."""
        begin, size = self._ids.ctypes.data, prompt.size
        self._ids[:size] = prompt
        end = begin + size * sizeof(c_int32)
        self._header.begin, self._header.end, self._header.storage_end = begin, end, end
        self._expected = bytes(self._header)

    @property
    def intact(self) -> bool:
        """Whether the library left the vector as it was; one that resized it or moved from it did not."""
        return bytes(self._header) == self._expected


class Memory:
    """Copies memory of this process that may not be readable: the kernel checks the addresses, and no signal comes.

    The bytes go through a pipe: ``write`` fails with EFAULT for an address that cannot be read.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._function = ctypes.CDLL(None).write
        self._function.restype, self._function.argtypes = c_ssize_t, (ctypes.c_int, c_void_p, c_size_t)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)

    def copy(self, address: int, size: int) -> bytes:
        """The ``size`` bytes at ``address``.

        Raises:
            ValueError: Some of them cannot be read.
        """
        found = bytearray()
        while len(found) < size:
            count = min(CHUNK, size - len(found))
            written = self._function(self._write, address + len(found), count)
            if written > 0:
                found += os.read(self._read, written)
            if written != count:
                raise ValueError(f"the memory at 0x{address:x} cannot be read")
        return bytes(found)

    def ids(self, address: int, most: int) -> TokenIds:
        """The elements of the library's vector at ``address``: int32[m], m at most ``most``.

        Raises:
            ValueError: Its pointers contradict each other, or lead to memory that cannot be read; or it is longer.
        """
        header = Header.from_buffer_copy(self.copy(address, sizeof(Header)))
        begin, end, storage_end = header.begin or 0, header.end or 0, header.storage_end or 0
        size = sizeof(c_int32)
        if not begin <= end <= storage_end or begin % size or (end - begin) % size or (storage_end - begin) % size:
            raise ValueError(
                f"its pointers are 0x{begin:x}, 0x{end:x}, 0x{storage_end:x}, which are no std::vector<int>"
            )
        count = (end - begin) // size
        if count > most:
            raise ValueError(f"it has {count} tokens, but {most} were requested")
        return np.frombuffer(self.copy(begin, end - begin), np.int32)
