"""Numbers are those that g++ gives for the app's own type.h (mobile_app_open, commit 051a47a) on 64-bit Linux."""

from __future__ import annotations

import ctypes

from mlperf_mobile_backend_capi.abi import DTYPES, OPTIONAL, REQUIRED, Configuration, Data, DeviceInfo


def test_layouts() -> None:
    sizes = [ctypes.sizeof(one) for one in (Configuration, Data, DeviceInfo)]
    assert sizes == [4128, 16, 24]
    configuration = [getattr(Configuration, name).offset for name, *_ in Configuration._fields_]
    assert configuration == [0, 8, 16, 24, 28, 32, 2080]
    assert [getattr(Data, name).offset for name, *_ in Data._fields_] == [0, 8]
    assert [getattr(DeviceInfo, name).offset for name, *_ in DeviceInfo._fields_] == [0, 8, 16]


def test_types() -> None:
    assert [dtype.name for dtype in DTYPES] == ["float32", "uint8", "int8", "float16", "int32", "int64"]


def test_functions() -> None:
    """flutter/cpp/c/dll_export.def lists sixteen; the conversions are declared in backend_c.h."""
    assert len(REQUIRED) == 14
    assert set(OPTIONAL) == {"get_buffer", "release_buffer", "convert_inputs", "convert_outputs"}
