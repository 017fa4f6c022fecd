"""What a driver lists: its devices, with name, kind, version and feature level."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from mlperf_mobile_native_libraries.functions import text
from mlperf_mobile_neural_networks.driver import Driver

KINDS = {1: "other", 2: "cpu", 3: "gpu", 4: "accelerator"}
"""ANEURALNETWORKS_DEVICE_* (NeuralNetworksTypes.h of LiteRT, 2026-08-21); all others are ``"unknown"``."""

FIRST_API_LEVEL, FIRST_OF_ITS_OWN = 27, 1_000_000
"""Feature levels 1 to 5 are Android's API levels 27 to 31; from 6 on they are 1000006 and up (as above)."""

MOST = 64
"""A driver that lists more devices is not believed."""


@dataclass(frozen=True, slots=True)
class DriverDevice:
    """One device."""

    pointer: ctypes.c_void_p
    """Lives as long as the library."""
    name: str
    kind: str = "unknown"
    """One of :data:`KINDS`, or ``"unknown"``."""
    version: str = ""
    feature_level: int = 0
    """1 to 8 so far; 0 if the library does not report it."""


def devices(driver: Driver) -> tuple[DriverDevice, ...]:
    """All devices, in the driver's order.

    Raises:
        BackendError: The driver failed.
    """
    count = ctypes.c_uint32()
    driver.call("_getDeviceCount", ctypes.byref(count))
    return tuple(_device(driver, index) for index in range(min(count.value, MOST)))


def _device(driver: Driver, index: int) -> DriverDevice:
    pointer, name, version = ctypes.c_void_p(), ctypes.c_char_p(), ctypes.c_char_p()
    kind, level = ctypes.c_int32(), ctypes.c_int64()
    driver.call("_getDevice", index, ctypes.byref(pointer))
    expected: dict[str, Any] = {"Name": name, "Type": kind, "Version": version, "FeatureLevel": level}
    for what, answer in expected.items():
        if what == "Name" or driver.has(f"Device_get{what}"):
            driver.call(f"Device_get{what}", pointer, ctypes.byref(answer))
    kind_name = KINDS.get(kind.value, "unknown")
    return DriverDevice(pointer, text(name.value), kind_name, text(version.value), feature_level(level.value))


def feature_level(number: int) -> int:
    """The feature level, counted from 1, of the interface's number for it; 0 for none."""
    return max(0, number - (FIRST_OF_ITS_OWN if number > FIRST_OF_ITS_OWN else FIRST_API_LEVEL - 1))
