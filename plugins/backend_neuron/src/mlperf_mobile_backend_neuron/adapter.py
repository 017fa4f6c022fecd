"""The Neuron adapter: NeuroPilot's interface to the NPU, which follows Android's Neural Networks API.

Names, numbers and rules are those of NeuronAdapter.h in mobile_app_open (2026-07-17).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import NamedTuple

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_neural_networks.codes import OperationCode as Code
from mlperf_mobile_neural_networks.devices import DriverDevice, devices
from mlperf_mobile_neural_networks.driver import PROTOTYPES, Dialect, Driver, Handle
from mlperf_mobile_neural_networks.graph import Graph

RESULTS = {
    1: "OUT_OF_MEMORY",
    2: "INCOMPLETE",
    3: "UNEXPECTED_NULL",
    4: "BAD_DATA",
    5: "OP_FAILED",
    6: "UNMAPPABLE",
    7: "BAD_STATE",
    8: "BAD_VERSION",
    9: "OUTPUT_INSUFFICIENT_SIZE",
    10: "UNAVAILABLE_DEVICE",
    11: "MISSED_DEADLINE_TRANSIENT",
    12: "MISSED_DEADLINE_PERSISTENT",
    13: "RESOURCE_EXHAUSTED_TRANSIENT",
    14: "RESOURCE_EXHAUSTED_PERSISTENT",
    15: "DEAD_OBJECT",
}

DIALECT = Dialect(
    prefix="Neuron",
    title="Neuron adapter",
    results=RESULTS,
    required=(
        "_getVersion",
        "Model_create",
        "Model_free",
        "Model_finish",
        "Model_addOperand",
        "Model_setOperandValue",
        "Model_addOperation",
        "Model_identifyInputsAndOutputs",
        "Model_restoreFromCompiledNetwork",
        "Compilation_create",
        "Compilation_free",
        "Compilation_finish",
        "Compilation_getCompiledNetworkSize",
        "Compilation_storeCompiledNetwork",
        "Execution_create",
        "Execution_free",
        "Execution_setInput",
        "Execution_setOutput",
        "Execution_compute",
    ),
    since="NeuroPilot 4.3",
    missing="NeuroPilot is on MediaTek devices, and in the packages of Genio's Linux images",
    prototypes=dict(PROTOTYPES)
    | {
        "_getVersion": "p",
        "_getL1MemorySizeKb": "p",
        "Memory_createFromAHardwareBuffer": "pp",
        "Model_getSupportedOperations": "ppu",
        "Model_getExtensionOperandType": "ppup",
        "Model_getExtensionOperationType": "ppup",
        "Model_restoreFromCompiledNetwork": "pppz",
        "Compilation_getCompiledNetworkSize": "pp",
        "Compilation_storeCompiledNetwork": "ppz",
        "Compilation_getInputPaddedSize": "pip",
        "Compilation_getOutputPaddedSize": "pip",
        "Compilation_setL1MemorySizeKb": "pu",
        "Compilation_setOptimizationHint": "pu",
        "Compilation_setOptimizationString": "pp",
        "Compilation_setOnlyAllowOptimizationString": "pb",
        "Execution_setBoostHint": "pB",
    },
    reusable=True,
)

NOT_AVAILABLE = frozenset({
    Code.EMBEDDING_LOOKUP, Code.HASHTABLE_LOOKUP, Code.LOCAL_RESPONSE_NORMALIZATION, Code.LSH_PROJECTION, Code.LSTM,
    Code.RNN, Code.SVDF, Code.BIDIRECTIONAL_SEQUENCE_LSTM, Code.BIDIRECTIONAL_SEQUENCE_RNN,
    Code.DETECTION_POSTPROCESSING, Code.GENERATE_PROPOSALS, Code.LOG, Code.LOG_SOFTMAX, Code.RANDOM_MULTINOMIAL,
    Code.REDUCE_PROD, Code.ROI_POOLING, Code.SIN, Code.UNIDIRECTIONAL_SEQUENCE_LSTM, Code.UNIDIRECTIONAL_SEQUENCE_RNN,
    Code.QUANTIZED_LSTM, Code.ELU, Code.RANK, Code.PACK, Code.MIRROR_PAD, Code.REVERSE,
})  # fmt: skip
"""Operations that the header lists as "Not available" in every version."""

PREFERENCES = {"low_power": 0, "fast_single_answer": 1, "sustained_speed": 2, "turbo_boost": 3}
PRIORITIES = {"low": 90, "medium": 100, "high": 110}
OPTIMIZATIONS = {"low_latency": 1, "deep_fusion": 2, "batch_processing": 4}
"""NEURON_PREFER_*, NEURON_PRIORITY_* and NEURON_OPTIMIZATION_*."""

MATMUL_SINCE = (5, 1, 2)
"""The version that brought BATCH_MATMUL; all other operations are those of feature level 4, as Android 11 has them."""

MAX_NETWORK = 1 << 31
"""Maximum size of a compiled network in bytes; a larger reported size is an error."""


class Version(NamedTuple):
    """``NeuronRuntimeVersion``."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


class Adapter(Driver):
    """An open Neuron adapter.

    Args:
        library: A path, or a name that the dynamic loader finds.

    Raises:
        BackendError: As :class:`Driver`; ``driver-failed``: it does not report its version.
    """

    def __init__(self, library: str) -> None:
        super().__init__(library, DIALECT)
        parts = (ctypes.c_uint8 * 3)()
        self.call("_getVersion", parts)
        self.version = Version(*parts)

    @property
    def feature_level(self) -> int:
        """The feature level of the Neural Networks API whose operations it has."""
        return 6 if self.version >= MATMUL_SINCE else 4

    def check(self, graph: Graph, model: str) -> None:
        """Check that the adapter supports every operation.

        Raises:
            ModelError: ``unsupported-operations``; names the operations.
        """
        lacking = sorted({op.name for op in graph.operations if op.code in NOT_AVAILABLE})
        if lacking:
            summary = f"{model} has operations that no Neuron adapter supports: {', '.join(lacking)}"
            raise ModelError("unsupported-operations", summary, "use another model, or the backend tflite")

    def devices(self) -> tuple[DriverDevice, ...]:
        """The devices that it lists; empty if it cannot list any, as in the SDK for other machines."""
        return devices(self) if self.has("_getDeviceCount") else ()

    def store(self, compilation: Handle) -> bytes:
        """The bytes of a compiled network, to restore later.

        Raises:
            BackendError: The adapter failed, or reports an impossible size.
        """
        size = ctypes.c_size_t()
        self.call("Compilation_getCompiledNetworkSize", compilation.pointer, ctypes.byref(size))
        if not 0 < size.value <= MAX_NETWORK:
            summary = f"{self.library} reports {size.value} bytes for the compiled network"
            raise BackendError("driver-failed", summary, "see the driver's log")
        data = ctypes.create_string_buffer(size.value)
        self.call("Compilation_storeCompiledNetwork", compilation.pointer, data, size.value)
        return data.raw

    def restore(self, network: bytes) -> tuple[Handle, Handle]:
        """The model and the compilation of a stored network; ``network`` must outlive both.

        Raises:
            BackendError: The adapter rejects it, with ``BAD_DATA`` if it is damaged or from another version.
        """
        model, compilation = ctypes.c_void_p(), ctypes.c_void_p()
        places = ctypes.byref(model), ctypes.byref(compilation)
        self.call("Model_restoreFromCompiledNetwork", *places, network, len(network))
        if not model.value or not compilation.value:
            summary = f"{self.library} restored no network but reported no error"
            raise BackendError("driver-failed", summary, "see its log")
        return Handle(self, "Model", model), Handle(self, "Compilation", compilation)


WORDS = {"gpu": ("gpu",), "cpu": ("cpu",)}
"""Words in the names of devices that are not the NPU: ``mtk-gpu``."""


def accelerator_of(device: DriverDevice) -> str:
    """The accelerator that a device belongs to: the NPU, unless its name says otherwise."""
    name = device.name.lower()
    named = (accelerator for accelerator, words in WORDS.items() if any(word in name for word in words))
    return next(named, "npu")


def by_accelerator(devices: Iterable[DriverDevice]) -> dict[str, list[DriverDevice]]:
    """The devices by accelerator, the NPU first; accelerators without devices are omitted."""
    groups: dict[str, list[DriverDevice]] = {"npu": [], "gpu": [], "cpu": []}
    for device in devices:
        groups[accelerator_of(device)].append(device)
    return {name: group for name, group in groups.items() if group}
