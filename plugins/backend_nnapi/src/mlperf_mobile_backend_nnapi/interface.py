"""NNAPI's interface: its functions and result codes, and the accelerator of each kind of device."""

from __future__ import annotations

from mlperf_mobile_neural_networks.devices import DriverDevice
from mlperf_mobile_neural_networks.driver import Dialect

NNAPI = Dialect(
    prefix="ANeuralNetworks",
    title="NNAPI",
    results=dict(
        enumerate(
            (
                "NO_ERROR",
                "OUT_OF_MEMORY",
                "INCOMPLETE",
                "UNEXPECTED_NULL",
                "BAD_DATA",
                "OP_FAILED",
                "BAD_STATE",
                "UNMAPPABLE",
                "OUTPUT_INSUFFICIENT_SIZE",
                "UNAVAILABLE_DEVICE",
                "MISSED_DEADLINE_TRANSIENT",
                "MISSED_DEADLINE_PERSISTENT",
                "RESOURCE_EXHAUSTED_TRANSIENT",
                "RESOURCE_EXHAUSTED_PERSISTENT",
                "DEAD_OBJECT",
            )
        )
    ),
    required=(
        "_getDeviceCount",
        "_getDevice",
        "Device_getName",
        "Device_getType",
        "Device_getVersion",
        "Device_getFeatureLevel",
        "Memory_createFromFd",
        "Memory_free",
        "Model_create",
        "Model_free",
        "Model_finish",
        "Model_addOperand",
        "Model_setOperandValue",
        "Model_setOperandSymmPerChannelQuantParams",
        "Model_addOperation",
        "Model_identifyInputsAndOutputs",
        "Model_relaxComputationFloat32toFloat16",
        "Model_getSupportedOperationsForDevices",
        "Compilation_createForDevices",
        "Compilation_setPreference",
        "Compilation_setCaching",
        "Compilation_finish",
        "Compilation_free",
        "Burst_create",
        "Burst_free",
        "Execution_create",
        "Execution_free",
        "Execution_setMeasureTiming",
        "Execution_setInput",
        "Execution_setOutput",
        "Execution_setInputFromMemory",
        "Execution_setOutputFromMemory",
        "Execution_compute",
        "Execution_burstCompute",
        "Execution_getDuration",
    ),
    since="Android 10 (API level 29)",
    missing="run on a device with NNAPI (Android 10 or later), or set the option library to its path",
)
"""Result codes from NeuralNetworksTypes.h of LiteRT (2026-08-21); the required functions exist since API level 29."""

ACCELERATORS = {"accelerator": "npu", "gpu": "gpu", "cpu": "cpu"}
"""By kind of device; ``ANEURALNETWORKS_DEVICE_OTHER`` and ``_UNKNOWN`` are ``"other"``."""


def accelerator(device: DriverDevice) -> str:
    """The accelerator that a device belongs to."""
    return ACCELERATORS.get(device.kind, "other")
