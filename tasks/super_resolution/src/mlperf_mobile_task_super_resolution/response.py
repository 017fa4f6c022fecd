"""Bytes that are written once: a response that numpy fills in place, and that is bytes without a second copy."""

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

    C's interface of Python allows to write into bytes made without contents (``PyBytes_FromStringAndSize(NULL, size)``)
    until somebody else sees them: so fill the array at once, drop it, and hand the bytes out then. ``tobytes`` of an
    array would copy a response of 6 MB once more.

    Args:
        size: At least 2; Python shares shorter bytes between all who have them.
    """
    if size < 2:
        raise ValueError(f"a response of {size} bytes cannot be filled")
    response = _new(None, size)
    contents = (ctypes.c_uint8 * size).from_address(_address(response))
    return response, np.ctypeslib.as_array(contents)
