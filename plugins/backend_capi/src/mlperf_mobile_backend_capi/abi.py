"""The C interface of a vendor's library: its structures, numbers and functions.

Source: flutter/cpp/c/type.h and backend_c.h of mobile_app_open (commit 051a47a, 2026-07-17), and, for the two functions
that no header declares, flutter/cpp/backends/external.cc and datasets/allocator.h.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_PAIRS = 256
"""``kMaxMLPerfBackendConfigs``."""

DTYPES: tuple[np.dtype[Any], ...] = tuple(
    map(np.dtype, (np.float32, np.uint8, np.int8, np.float16, np.int32, np.int64))
)
"""``mlperf_data_t::Type``, in the order of its numbers, 0 to 5."""


class Data(ctypes.Structure):
    """``mlperf_data_t``: type and number of elements of a tensor, for one sample."""

    _fields_ = (("type", c_int), ("size", c_int64))


class DeviceInfo(ctypes.Structure):
    """``mlperf_device_info_t``."""

    _fields_ = (("model", c_char_p), ("manufacturer", c_char_p), ("native_lib_path", c_char_p))


class Configuration(ctypes.Structure):
    """``mlperf_backend_configuration_t``; libraries keep pointers into it, so it lives as long as the instance."""

    _fields_ = (
        ("delegate_selected", c_char_p),
        ("accelerator", c_char_p),
        ("accelerator_desc", c_char_p),
        ("batch_size", c_uint32),
        ("count", c_int),
        ("keys", c_char_p * MAX_PAIRS),
        ("values", c_char_p * MAX_PAIRS),
    )


FirstToken = ctypes.CFUNCTYPE(None, c_void_p)
"""``ft_callback``."""


@dataclass(frozen=True, slots=True)
class Function:
    """The signature of one function; strings are returned as addresses, because they may not be terminated.

    A status is ``MLPERF_SUCCESS``, 0, or a failure.
    """

    result: Any
    arguments: tuple[Any, ...]


PREFIX = "mlperf_backend_"

REQUIRED = {
    "matches_hardware": Function(
        c_bool, (ctypes.POINTER(c_void_p), ctypes.POINTER(c_void_p), ctypes.POINTER(DeviceInfo))
    ),
    "create": Function(c_void_p, (c_char_p, ctypes.POINTER(Configuration), c_char_p)),
    "vendor_name": Function(c_void_p, (c_void_p,)),
    "accelerator_name": Function(c_void_p, (c_void_p,)),
    "name": Function(c_void_p, (c_void_p,)),
    "delete": Function(None, (c_void_p,)),
    "issue_query": Function(c_int, (c_void_p, FirstToken, c_void_p)),
    "flush_queries": Function(c_int, (c_void_p,)),
    "get_input_count": Function(c_int32, (c_void_p,)),
    "get_input_type": Function(Data, (c_void_p, c_int32)),
    "set_input": Function(c_int, (c_void_p, c_int32, c_int32, c_void_p)),
    "get_output_count": Function(c_int32, (c_void_p,)),
    "get_output_type": Function(Data, (c_void_p, c_int32)),
    "get_output": Function(c_int, (c_void_p, c_uint32, c_int32, ctypes.POINTER(c_void_p))),
}
"""The functions that the app requires (``BackendFunctions`` in external.cc)."""

OPTIONAL = {
    "get_buffer": Function(c_void_p, (c_size_t,)),
    "release_buffer": Function(None, (c_void_p,)),
    "convert_inputs": Function(None, (c_void_p, c_int, c_int, c_int, c_void_p)),
    "convert_outputs": Function(None, (c_void_p, c_int, c_int, c_int, c_void_p)),
}
