"""The Neuron runtime: NeuroPilot's interface for .dla files, which ncc-tflite compiles.

Names, numbers and layouts are those of RuntimeAPI.h and Types.h of the Neuron SDK, version 6 and later, as
published in public projects for Genio boards.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_neuron.adapter import Version
from mlperf_mobile_backend_neuron.compiled import Manifest, TensorRecord
from mlperf_mobile_backend_neuron.memory import host
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.restored import shaped
from mlperf_mobile_backend_neuron.session import Array, NeuronSession, size
from mlperf_mobile_neural_networks.driver import Dialect, Driver

DIALECT = Dialect(
    prefix="NeuronRuntime",
    title="Neuron runtime",
    results={
        1: "OUT_OF_MEMORY",
        2: "INCOMPLETE",
        3: "UNEXPECTED_NULL",
        4: "BAD_DATA",
        5: "BAD_STATE",
        6: "RUNTIME_ERROR",
    },
    required=(
        "_create",
        "_release",
        "_getVersion",
        "_loadNetworkFromBuffer",
        "_getInputNumber",
        "_getOutputNumber",
        "_getInputSize",
        "_getOutputSize",
        "_setInput",
        "_setOutput",
        "_setQoSOption",
        "_inference",
    ),
    since="NeuroPilot 6",
    missing="NeuroPilot is on MediaTek devices, and in the packages of Genio's Linux images",
    prototypes={
        "_create": "pp",
        "_release": "p v",
        "_getVersion": "p",
        "_loadNetworkFromBuffer": "ppz",
        "_getInputNumber": "pp",
        "_getOutputNumber": "pp",
        "_getInputSize": "pQp",
        "_getOutputSize": "pQp",
        # The last argument is struct BufferAttribute, one int, which the ABIs of aarch64 and x86-64 pass like an int.
        "_setInput": "pQpzi",
        "_setOutput": "pQpzi",
        "_setQoSOption": "pp",
        "_inference": "p",
    },
    reusable=True,
)

NO_FILE = -1
"""NON_ION_FD: the buffer is ordinary memory."""

HARDWARE = 1 << 2
"""kEnvOptHardware."""

PREFERENCES = {"low_power": 1, "fast_single_answer": 0, "sustained_speed": 0, "turbo_boost": 2}
POLICIES = {"sustained_speed": 1, "low_power": 3}
PRIORITIES = {"low": 0, "medium": 1, "high": 2}
"""NEURONRUNTIME_PREFER_*, NEURONRUNTIME_POWER_POLICY_* (0 by default) and NEURONRUNTIME_PRIORITY_*."""


class EnvOptions(ctypes.Structure):
    """``EnvOptions``; ignored since NeuroPilot 7."""

    _fields_ = (
        ("deviceKind", ctypes.c_uint32),
        ("MDLACoreOption", ctypes.c_int32),
        ("CPUThreadNum", ctypes.c_uint8),
        ("suppressInputConversion", ctypes.c_bool),
        ("suppressOutputConversion", ctypes.c_bool),
    )


class QoSOptions(ctypes.Structure):
    """``QoSOptions`` of the versions that have ``NeuronRuntime_getVersion``; it was shorter before."""

    _fields_ = (
        ("preference", ctypes.c_int32),
        ("priority", ctypes.c_int32),
        ("boostValue", ctypes.c_uint8),
        ("maxBoostValue", ctypes.c_uint8),
        ("minBoostValue", ctypes.c_uint8),
        ("deadline", ctypes.c_uint16),
        ("abortTime", ctypes.c_uint16),
        ("delayedPowerOffTime", ctypes.c_int32),
        ("powerPolicy", ctypes.c_int32),
        ("applicationType", ctypes.c_int32),
        ("profiledQoSData", ctypes.c_void_p),
    )


class Runtime(Driver):
    """An open Neuron runtime; as :class:`Adapter`."""

    def __init__(self, library: str) -> None:
        super().__init__(library, DIALECT)
        parts = (ctypes.c_uint8 * 3)()
        self.call("_getVersion", parts)
        self.version = Version(*parts)


def open_file(runtime: Runtime, compiled: Manifest, network: bytes, options: NeuronOptions) -> NeuronSession:
    """Open a session of a .dla file.

    Raises:
        ModelError: ``network-refused``: the runtime rejects the file; ``network-tensors``: its tensors have other
            sizes than described.
        BackendError: The runtime failed.
    """
    with ExitStack() as stack:
        instance = ctypes.c_void_p()
        runtime.call("_create", ctypes.byref(EnvOptions(deviceKind=HARDWARE)), ctypes.byref(instance))
        if not instance.value:
            summary = f"{runtime.library} created no instance but reported no error"
            raise BackendError("driver-failed", summary, "see its log")
        stack.callback(runtime.function("_release"), instance)
        try:
            runtime.call("_loadNetworkFromBuffer", instance, network, len(network))
        except MobileError as error:
            if error.code not in ("driver-refused", "driver-failed"):
                raise
            summary = f"Neuron runtime {runtime.version} rejects {compiled.model}: {error.summary}"
            hint = "compile it for this device with an ncc-tflite of the same major version"
            raise ModelError("network-refused", summary, hint) from error
        stack.callback(lambda: network)  # the runtime may still read it
        runtime.call("_setQoSOption", instance, ctypes.byref(quality(options)))
        check(compiled, sizes(runtime, instance, "Input"), sizes(runtime, instance, "Output"))

        def arrays(role: str, tensors: Sequence[TensorRecord]) -> list[Array]:
            found = []
            for tensor in tensors:
                data = host(size(tensor.spec)).data
                place = data.ctypes.data
                runtime.call(f"_set{role}", instance, tensor.position, place, data.nbytes, NO_FILE)
                found.append(shaped(data, tensor.spec))
            return found

        slots, results = arrays("Input", compiled.inputs), arrays("Output", compiled.outputs)
        compute = _runner(runtime, instance)
        return NeuronSession(compiled, slots, results, compute, stack.pop_all())


def sizes(runtime: Runtime, instance: ctypes.c_void_p, role: str) -> list[int]:
    """Bytes of each of a loaded network's ``"Input"`` or ``"Output"`` tensors.

    Raises:
        BackendError: The runtime failed, or reports an implausible number of tensors.
    """
    count, reported = ctypes.c_size_t(), ctypes.c_size_t()
    runtime.call(f"_get{role}Number", instance, ctypes.byref(count))
    if count.value > 1024:
        summary = f"{runtime.library} reports {count.value} {role.lower()}s for the network"
        raise BackendError("driver-failed", summary, "see its log")
    found = []
    for index in range(count.value):
        runtime.call(f"_get{role}Size", instance, index, ctypes.byref(reported))
        found.append(reported.value)
    return found


def check(compiled: Manifest, inputs: Sequence[int], outputs: Sequence[int]) -> None:
    """Check that the described tensors have the sizes that the runtime reports.

    Raises:
        ModelError: ``network-tensors``; gives both sizes.
    """
    for role, tensors, declared in (("inputs", compiled.inputs, inputs), ("outputs", compiled.outputs, outputs)):
        described = [size(tensor.spec) for tensor in sorted(tensors, key=lambda tensor: tensor.position)]
        if described != list(declared):
            specs = ", ".join(f"{tensor.name} {tensor.spec}" for tensor in tensors) or "none"
            summary = f"the {role} of {compiled.model} have {list(declared)} bytes, but are described as {specs}"
            hint = f"describe them in the option {role}, or set tensors_from to the original .tflite file"
            raise ModelError("network-tensors", summary, hint)


def quality(options: NeuronOptions) -> QoSOptions:
    """The options for speed, power and priority."""
    return QoSOptions(
        preference=PREFERENCES[options.preference],
        priority=PRIORITIES[options.priority],
        boostValue=100 if options.boost is None else options.boost,
        abortTime=options.abort_ms,
        delayedPowerOffTime=-1,
        powerPolicy=POLICIES.get(options.preference, 0),
    )


def _runner(runtime: Runtime, instance: ctypes.c_void_p) -> Callable[[], None]:
    infer, fail = runtime.function("_inference"), runtime.failure

    def run() -> None:
        if result := infer(instance):
            raise fail("_inference", result)

    return run


def read(path: Path) -> bytes:
    """Read a .dla file.

    Raises:
        ModelError: ``model-missing`` or ``model-damaged``.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError("model-missing", f"cannot read {path}: {reason}", "check the path of the model") from error
    if not data:
        raise ModelError("model-damaged", f"{path} is empty", "copy or compile it again")
    return data
