"""Opens a library with the C interface of Android's Neural Networks API, or one shaped like it, and calls it."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlperf_mobile.errors import BackendError
from mlperf_mobile_native_libraries.functions import Functions

PROTOTYPES: Mapping[str, str] = {
    "_getDeviceCount": "p",
    "_getDevice": "up",
    "_getRuntimeFeatureLevel": " q",
    "Device_getName": "pp",
    "Device_getType": "pp",
    "Device_getVersion": "pp",
    "Device_getFeatureLevel": "pp",
    "Memory_createFromFd": "ziizp",
    "Memory_free": "p v",
    "Model_create": "p",
    "Model_free": "p v",
    "Model_finish": "p",
    "Model_addOperand": "pp",
    "Model_setOperandValue": "pipz",
    "Model_setOperandSymmPerChannelQuantParams": "pip",
    "Model_addOperation": "piupup",
    "Model_identifyInputsAndOutputs": "pupup",
    "Model_relaxComputationFloat32toFloat16": "pb",
    "Model_getSupportedOperationsForDevices": "ppup",
    "Compilation_create": "pp",
    "Compilation_createForDevices": "ppup",
    "Compilation_setPreference": "pi",
    "Compilation_setPriority": "pi",
    "Compilation_setTimeout": "pQ",
    "Compilation_setCaching": "ppp",
    "Compilation_finish": "p",
    "Compilation_free": "p v",
    "Burst_create": "pp",
    "Burst_free": "p v",
    "Execution_create": "pp",
    "Execution_free": "p v",
    "Execution_setReusable": "pb",
    "Execution_setMeasureTiming": "pb",
    "Execution_setTimeout": "pQ",
    "Execution_setInput": "pippz",
    "Execution_setOutput": "pippz",
    "Execution_setInputFromMemory": "pippzz",
    "Execution_setOutputFromMemory": "pippzz",
    "Execution_compute": "p",
    "Execution_burstCompute": "pp",
    "Execution_getDuration": "pip",
}
"""As :class:`Functions` takes them; without a stated result, it is a result code.

From NeuralNetworksTypes.h of LiteRT (2026-08-21); a name stands behind the dialect's prefix.
"""

FAULTS: Mapping[str, tuple[str, str]] = {
    "OUT_OF_MEMORY": ("device-memory", "close other programs, or use a smaller model"),
    "UNAVAILABLE_DEVICE": ("device-busy", "close what else uses the accelerator, wait a little, and try again"),
    "RESOURCE_EXHAUSTED_TRANSIENT": ("device-busy", "close what else uses the accelerator, and try again"),
    "RESOURCE_EXHAUSTED_PERSISTENT": ("device-busy", "use fewer sessions (shards), or a smaller model"),
    "MISSED_DEADLINE_TRANSIENT": ("device-timeout", "allow more time, or try again"),
    "MISSED_DEADLINE_PERSISTENT": ("device-timeout", "allow more time, or use another device"),
    "DEAD_OBJECT": ("device-lost", "the driver's process died: try again, and see the device's log"),
    "BAD_DATA": ("driver-refused", "the driver does not take these values; use another device or model"),
    "BAD_VERSION": ("driver-refused", "the model or the compiled network is for another version of the driver"),
}
"""What a result code means to a user: the error's code and hint. All others are ``driver-failed``."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The differences between the libraries' interfaces."""

    prefix: str
    """Of every function: ``"ANeuralNetworks"``."""
    title: str
    """In messages: ``"NNAPI"``."""
    results: Mapping[int, str]
    """Result codes by number, without their prefix: ``{4: "BAD_DATA"}``."""
    required: tuple[str, ...]
    """Functions without which nothing works, without the prefix."""
    since: str
    """Which version has them, in words: ``"Android 10 (API level 29)"``."""
    missing: str = "install the vendor's runtime, or name the library's path in the option library"
    """Hint for a missing library."""
    prototypes: Mapping[str, str] = field(default_factory=lambda: PROTOTYPES)
    reusable: bool = False
    """Executions can run again without ``Execution_setReusable``."""


class Driver(Functions):
    """An open library; its functions are accessed by name, without the prefix.

    Args:
        library: A path, or a name that the dynamic loader finds.
        dialect: Which functions it has, and what its result codes mean.

    Raises:
        BackendError: As :class:`Functions`.
    """

    def __init__(self, library: str, dialect: Dialect) -> None:
        self.dialect = dialect
        super().__init__(
            library,
            dialect.prefix,
            dialect.prototypes,
            dialect.required,
            title=dialect.title,
            since=dialect.since,
            missing=dialect.missing,
        )

    @property
    def stand_in(self) -> str:
        """What a stand-in says of itself; empty for a vendor's library."""
        return self.text_of("neural_networks_stand_in")

    def call(self, name: str, *arguments: Any, about: str = "") -> None:
        """Call a function that returns a result code; ``about`` says in an error what was at stake.

        Raises:
            BackendError: It lacks the function, or the result is not ``NO_ERROR``; see :data:`FAULTS`.
        """
        if result := self.function(name)(*arguments):
            raise self.failure(name, result, about)

    def failure(self, name: str, result: int, about: str = "") -> BackendError:
        """The error that says that ``name`` gave ``result``."""
        meaning = self.dialect.results.get(result, f"the unknown result {result}")
        code, hint = FAULTS.get(meaning, ("driver-failed", "see the driver's log; use another device or model"))
        subject = f" for {about}" if about else ""
        return BackendError(code, f"{self.dialect.title}: {self.dialect.prefix}{name} gave {meaning}{subject}", hint)

    def create(self, kind: str, *arguments: Any, function: str = "") -> Handle:
        """A new object: ``create("Burst", compilation)`` calls ``Burst_create(compilation, &burst)``."""
        pointer = ctypes.c_void_p()
        name = function or f"{kind}_create"
        self.call(name, *arguments, ctypes.byref(pointer))
        if not pointer.value:
            summary = f"{self.dialect.title}: {self.dialect.prefix}{name} returned neither an object nor an error"
            raise BackendError("driver-failed", summary, "see the driver's log")
        return Handle(self, kind, pointer)


class Handle:
    """An object of the library, freed by :meth:`close`; passed to functions as :attr:`pointer`."""

    def __init__(self, driver: Driver, kind: str, pointer: ctypes.c_void_p) -> None:
        self.pointer = pointer
        self._free = driver.function(f"{kind}_free")

    def close(self) -> None:
        """Free the object, once; whoever still has the pointer has a null pointer from then on."""
        if self.pointer.value:
            self._free(self.pointer)
            self.pointer.value = None
