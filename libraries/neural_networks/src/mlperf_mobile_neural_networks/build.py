"""Builds a network of the library from a :class:`Graph`, operand by operand."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from mlperf_mobile_neural_networks.driver import Driver
from mlperf_mobile_neural_networks.graph import Graph, Operand


class OperandType(ctypes.Structure):
    """``ANeuralNetworksOperandType`` (NeuralNetworksTypes.h of LiteRT, 2026-08-21)."""

    _fields_ = (
        ("type", ctypes.c_int32),
        ("dimensionCount", ctypes.c_uint32),
        ("dimensions", ctypes.POINTER(ctypes.c_uint32)),
        ("scale", ctypes.c_float),
        ("zeroPoint", ctypes.c_int32),
    )


class SymmPerChannelQuantParams(ctypes.Structure):
    """``ANeuralNetworksSymmPerChannelQuantParams`` (as above)."""

    _fields_ = (
        ("channelDim", ctypes.c_uint32),
        ("scaleCount", ctypes.c_uint32),
        ("scales", ctypes.c_void_p),
    )


class Model:
    """A finished network.

    The library copies small constants only; the others are kept here for as long as the network is.

    Args:
        driver: The open library.
        graph: What to build.
        allow_fp16: Let 32-bit floats be computed with the range and precision of 16-bit ones.

    Raises:
        BackendError: The library refused a part of it.
    """

    def __init__(self, driver: Driver, graph: Graph, *, allow_fp16: bool = False) -> None:
        self._driver, self._operations = driver, len(graph.operations)
        self._kept: list[object] = []
        self._handle = driver.create("Model")
        try:
            self._build(graph, allow_fp16)
        except BaseException:
            self._handle.close()
            raise

    @property
    def pointer(self) -> ctypes.c_void_p:
        """What functions of the library take."""
        return self._handle.pointer

    def close(self) -> None:
        """Free the network; compilations of it must have been freed before."""
        self._handle.close()
        self._kept.clear()

    def supported(self, devices: Sequence[ctypes.c_void_p]) -> tuple[bool, ...]:
        """Which operations the devices take together, in the order of the graph's operations.

        Raises:
            BackendError: The driver failed.
        """
        answers = (ctypes.c_bool * max(1, self._operations))()
        handles = (ctypes.c_void_p * len(devices))(*[device.value for device in devices])
        name = "Model_getSupportedOperationsForDevices"
        self._driver.call(name, self.pointer, handles, len(devices), answers)
        return tuple(answers[: self._operations])

    def _build(self, graph: Graph, allow_fp16: bool) -> None:
        call, pointer = self._driver.call, self.pointer
        for index, operand in enumerate(graph.operands):
            self._add(index, operand)
        for number, operation in enumerate(graph.operations):
            inputs, outputs = _indices(operation.inputs), _indices(operation.outputs)
            arguments = (int(operation.code), len(inputs), inputs, len(outputs), outputs)
            call("Model_addOperation", pointer, *arguments, about=f"operation {number}, {operation.code.name}")
        inputs, outputs = _indices(graph.inputs), _indices(graph.outputs)
        call("Model_identifyInputsAndOutputs", pointer, len(inputs), inputs, len(outputs), outputs)
        if allow_fp16:
            call("Model_relaxComputationFloat32toFloat16", pointer, True)
        call("Model_finish", pointer)

    def _add(self, index: int, operand: Operand) -> None:
        """Add one operand, its scales where it has one a channel, and its value where it is constant."""
        call, pointer, about = self._driver.call, self.pointer, f"operand {index}, {operand.code.name}"
        dimensions = _indices(operand.dimensions)
        count = len(operand.dimensions)
        kind = OperandType(int(operand.code), count, dimensions if count else None, operand.scale, operand.zero_point)
        call("Model_addOperand", pointer, ctypes.byref(kind), about=about)
        if operand.channel_scales is not None:
            scales = np.ascontiguousarray(operand.channel_scales, np.float32)
            channels = SymmPerChannelQuantParams(operand.channel_dim, scales.size, scales.ctypes.data)
            call("Model_setOperandSymmPerChannelQuantParams", pointer, index, ctypes.byref(channels), about=about)
        if operand.value is not None:
            value = np.asarray(operand.value, order="C")
            self._kept.append(value)
            place = value.ctypes.data if value.size else None
            call("Model_setOperandValue", pointer, index, place, value.nbytes, about=about)


def _indices(values: Sequence[int]) -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * len(values))(*values)
