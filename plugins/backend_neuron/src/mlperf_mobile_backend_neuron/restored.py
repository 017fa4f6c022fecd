"""Loads compiled networks into the Neuron adapter, and makes sessions of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_neuron.adapter import PREFERENCES, PRIORITIES, Adapter
from mlperf_mobile_backend_neuron.compiled import Manifest, TensorRecord
from mlperf_mobile_backend_neuron.memory import Buffer, allocator
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.session import Array, NeuronSession, size
from mlperf_mobile_backend_neuron.soc import Soc
from mlperf_mobile_neural_networks.build import OperandType
from mlperf_mobile_neural_networks.codes import OperandCode
from mlperf_mobile_neural_networks.driver import Handle

EXTENSION = b"com.mediatek.compiled_network"
"""An operation that holds a .dla file (neuron_backend.h of mobile_app_open, 2026-07-17)."""


def check(compiled: Manifest, version: str, soc: Soc | None) -> None:
    """Check that the network is for this SoC and for this major version of NeuroPilot.

    LiteRT applies the same rule (litert_dispatch_invocation_context.cc, 2026-08-21).

    Raises:
        BackendError: ``network-soc`` or ``network-version``; names what it was compiled for.
    """
    if soc and compiled.soc and compiled.soc != soc.name:
        summary = f"the network of {compiled.model} was compiled for {compiled.soc}, but this is {soc.name}"
        raise BackendError("network-soc", summary, "compile the model for this SoC, or omit the option soc")
    if compiled.version and compiled.version.partition(".")[0] != version.partition(".")[0]:
        summary = f"the network of {compiled.model} is for NeuroPilot {compiled.version}, but this is {version}"
        raise BackendError("network-version", summary, "compile the model again on this device")


def open_network(adapter: Adapter, compiled: Manifest, network: bytes, options: NeuronOptions) -> NeuronSession:
    """Open a session of a network that the adapter stored, or of a .dla file.

    Raises:
        ModelError: ``network-refused`` or ``network-tensors``: the adapter rejects it, or its tensors have other sizes.
        BackendError: The adapter failed.
    """
    with ExitStack() as stack:
        restore = _restore if compiled.kind == "adapter" else _wrap
        compilation = restore(adapter, compiled, network, options, stack)
        execution = stack.enter_context(closing(adapter.create("Execution", compilation.pointer)))
        if options.boost is not None:
            adapter.call("Execution_setBoostHint", execution.pointer, options.boost)
        allocate = allocator(adapter, options.memory, options.dma_heap)

        def arrays(role: str, tensors: Sequence[TensorRecord]) -> list[Array]:
            found = []
            for tensor in tensors:
                name, expected = f"Compilation_get{role}PaddedSize", size(tensor.spec)
                padded = _padded(adapter, name, compilation, tensor.position)
                if padded is not None and padded < expected:
                    summary = f"{role.lower()} {tensor.name} of {compiled.model} has {padded} bytes, not {expected}"
                    raise ModelError("network-tensors", summary, "correct the description of the network's tensors")
                buffer: Buffer = stack.enter_context(closing(allocate(max(expected, padded or 0))))
                buffer.bind(adapter, execution.pointer, role, tensor.position)
                found.append(shaped(buffer.data, tensor.spec))
            return found

        slots, results = arrays("Input", compiled.inputs), arrays("Output", compiled.outputs)
        compute = runner(adapter, execution)
        return NeuronSession(compiled, slots, results, compute, stack.pop_all())


def runner(adapter: Adapter, execution: Handle) -> Callable[[], None]:
    """A function that runs an execution: one call, and a comparison."""
    compute, pointer, fail = adapter.function("Execution_compute"), execution.pointer, adapter.failure

    def run() -> None:
        if result := compute(pointer):
            raise fail("Execution_compute", result)

    return run


def shaped(data: Array, spec: TensorSpec) -> Array:
    """The array of a tensor at the start of its memory."""
    array: Array = data[: size(spec)].view(spec.dtype).reshape(spec.shape)
    return array


def _padded(adapter: Adapter, name: str, compilation: Handle, index: int) -> int | None:
    """Bytes that the adapter requires for a tensor; None if it does not say."""
    padded = ctypes.c_size_t()
    if not adapter.has(name) or adapter.function(name)(compilation.pointer, index, ctypes.byref(padded)):
        return None
    return padded.value


def _restore(adapter: Adapter, compiled: Manifest, network: bytes, options: NeuronOptions, stack: ExitStack) -> Handle:
    """The compilation of a network that the adapter stored."""
    with _network_errors(compiled):
        model, compilation = adapter.restore(network)
    stack.callback(lambda: network)  # the adapter may still read it
    stack.enter_context(closing(model))
    return stack.enter_context(closing(compilation))


def _wrap(adapter: Adapter, compiled: Manifest, network: bytes, options: NeuronOptions, stack: ExitStack) -> Handle:
    """The compilation of a .dla file, which is passed to the adapter as the value of an operation's operand."""
    call = adapter.call
    model = stack.enter_context(closing(adapter.create("Model")))
    stack.callback(lambda: network)
    inputs, outputs = (sorted(side, key=lambda tensor: tensor.position) for side in (compiled.inputs, compiled.outputs))
    for tensor in inputs:
        _operand(adapter, model, tensor.spec)
    kind, operation = ctypes.c_int32(), ctypes.c_int32()
    number = 0x200 if adapter.version.major >= 8 else 0x100  # as in LiteRT, which cites MediaTek
    call("Model_getExtensionOperandType", model.pointer, EXTENSION, number, ctypes.byref(kind))
    call("Model_addOperand", model.pointer, ctypes.byref(OperandType(kind.value, 0, None, 0.0, 0)))
    for tensor in outputs:
        _operand(adapter, model, tensor.spec)
    call("Model_setOperandValue", model.pointer, len(inputs), network, len(network))
    call("Model_getExtensionOperationType", model.pointer, EXTENSION, 0, ctypes.byref(operation))
    entering = (ctypes.c_uint32 * (len(inputs) + 1))(*range(len(inputs) + 1))
    leaving = (ctypes.c_uint32 * len(outputs))(*range(len(inputs) + 1, len(inputs) + 1 + len(outputs)))
    call("Model_addOperation", model.pointer, operation.value, len(entering), entering, len(leaving), leaving)
    call("Model_identifyInputsAndOutputs", model.pointer, len(inputs), entering, len(leaving), leaving)
    call("Model_finish", model.pointer)
    compilation = stack.enter_context(closing(adapter.create("Compilation", model.pointer)))
    call("Compilation_setPreference", compilation.pointer, PREFERENCES[options.preference])
    call("Compilation_setPriority", compilation.pointer, PRIORITIES[options.priority])
    with _network_errors(compiled):
        call("Compilation_finish", compilation.pointer)
    return compilation


@contextmanager
def _network_errors(compiled: Manifest) -> Iterator[None]:
    """Report a rejection as an error of the network; others, such as a busy device, stay as they are."""
    try:
        yield
    except MobileError as error:
        if error.code not in ("driver-refused", "driver-failed"):
            raise
        summary = f"the Neuron adapter rejects the compiled network of {compiled.model}: {error.summary}"
        raise ModelError("network-refused", summary, "compile it again for this device and version") from error


_CODES = {
    "float32": OperandCode.TENSOR_FLOAT32,
    "float16": OperandCode.TENSOR_FLOAT16,
    "int32": OperandCode.TENSOR_INT32,
    "int16": OperandCode.TENSOR_QUANT16_SYMM,
    "int8": OperandCode.TENSOR_QUANT8_ASYMM_SIGNED,
    "uint8": OperandCode.TENSOR_QUANT8_ASYMM,
    "bool": OperandCode.TENSOR_BOOL8,
}


def _operand(adapter: Adapter, model: Handle, spec: TensorSpec) -> None:
    """Add an input or output. A quantised one needs a scale above 0, which the description of a .dla file may omit."""
    dimensions = (ctypes.c_uint32 * len(spec.shape))(*spec.shape)
    quantised = spec.dtype.kind in "iu" and spec.dtype.itemsize < 4
    scale = spec.scale or (1.0 if quantised else 0.0)
    kind = OperandType(_CODES[spec.dtype.name], len(spec.shape), dimensions, scale, spec.zero_point)
    adapter.call("Model_addOperand", model.pointer, ctypes.byref(kind))
