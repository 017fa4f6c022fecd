"""Compiles a network for devices."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlperf_mobile_neural_networks.build import Model
from mlperf_mobile_neural_networks.driver import Driver, Handle

PREFERENCES = {"low_power": 0, "fast_single_answer": 1, "sustained_speed": 2}
PRIORITIES = {"low": 90, "medium": 100, "high": 110}
"""ANEURALNETWORKS_PREFER_* and ANEURALNETWORKS_PRIORITY_* (NeuralNetworksTypes.h of LiteRT, 2026-08-21)."""

TOKEN_SIZE = 32
"""ANEURALNETWORKS_BYTE_SIZE_OF_CACHE_TOKEN, the size of a SHA-256."""

Call = tuple[str, tuple[Any, ...]]
"""One call on a compilation before it is finished: ``("Compilation_setPreference", (1,))``."""


def caching(directory: Path, token: bytes) -> Call:
    """Let the driver keep the compiled network in ``directory``, under a token of ``TOKEN_SIZE`` bytes.

    A driver that finds it there takes it, and compiles again when it is damaged or of another version.
    """
    assert len(token) == TOKEN_SIZE
    return "Compilation_setCaching", (os.fsencode(directory.resolve()), token)


def compile_network(
    driver: Driver, model: Model, devices: Sequence[ctypes.c_void_p], calls: Iterable[Call] = ()
) -> Handle:
    """The compiled network.

    Args:
        driver: The open library.
        model: The network.
        devices: Where it shall run, and nowhere else; empty leaves it to the library.
        calls: Settings.

    Raises:
        BackendError: The driver refused it, or failed.
    """
    if devices:
        handles = (ctypes.c_void_p * len(devices))(*[device.value for device in devices])
        name = "Compilation_createForDevices"
        compilation = driver.create("Compilation", model.pointer, handles, len(devices), function=name)
    else:
        compilation = driver.create("Compilation", model.pointer)
    try:
        for name, arguments in calls:
            driver.call(name, compilation.pointer, *arguments)
        driver.call("Compilation_finish", compilation.pointer)
    except BaseException:
        compilation.close()
        raise
    return compilation
