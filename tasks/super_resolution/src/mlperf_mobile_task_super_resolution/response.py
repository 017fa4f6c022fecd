"""Responses that numpy fills in place, so that they become bytes without a second copy."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt

_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(("PyBytes_AsString", ctypes.pythonapi))


def new_response(size: int) -> tuple[bytes, npt.NDArray[np.uint8]]:
    """New bytes, and the array that fills them.

    Python's C API allows writing into bytes created without contents (``PyBytes_FromStringAndSize(NULL, size)``) until
    other code sees them: so fill the array first, drop it, and only then return the bytes. An array's ``tobytes``
    would copy a response of 6 MB once more.

    Args:
        size: At least 2, because Python shares shorter bytes objects.
    """
    if size < 2:
        raise ValueError(f"a response of {size} bytes cannot be filled")
    response = _new(None, size)
    contents = (ctypes.c_uint8 * size).from_address(_address(response))
    return response, np.ctypeslib.as_array(contents)
