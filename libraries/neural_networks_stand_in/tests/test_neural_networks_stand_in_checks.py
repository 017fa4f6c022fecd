"""Order of calls, handles, sizes, signatures: refused with the codes of the real header."""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile_neural_networks_stand_in import build

# NeuralNetworks.h
UNEXPECTED_NULL, BAD_DATA, OP_FAILED, BAD_STATE = 3, 4, 5, 6
FLOAT, INT = 3, 4


@pytest.fixture
def addition(nnapi: Any, operand: Any) -> Iterator[Any]:
    """A finished model: out[2,3] = a[2,3] + b[3]."""
    model = nnapi.model()
    a, b = model.add(np.ones((2, 3), np.float32)), model.add(np.arange(3, dtype=np.float32))
    fuse, out = model.add(0), model.add(operand(FLOAT, shape=(2, 3)))
    model.operation(0, [a, b, fuse], [out])
    model.finish([a, b], [out])
    yield model
    model.close()


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def test_says_what_it_is(nnapi: Any) -> None:
    nnapi.dll.neural_networks_stand_in.restype = ctypes.c_char_p
    text = nnapi.dll.neural_networks_stand_in().decode()
    assert "stand-in" in text
    assert "never speed" in text


def test_a_finished_model_does_not_change(nnapi: Any, addition: Any) -> None:
    kind = (ctypes.c_uint32 * 8)(0)
    assert nnapi.raw("Model_addOperand", addition.handle, kind) == BAD_STATE
    value = np.zeros((2, 3), np.float32)
    assert nnapi.raw("Model_setOperandValue", addition.handle, 0, pointer(value), value.nbytes) == BAD_STATE
    assert nnapi.raw("Model_finish", addition.handle) == BAD_STATE
    assert nnapi.raw("Model_relaxComputationFloat32toFloat16", addition.handle, True) == BAD_STATE


def test_null_and_foreign_handles(nnapi: Any, addition: Any) -> None:
    assert nnapi.raw("Model_finish", None) == UNEXPECTED_NULL
    foreign = ctypes.create_string_buffer(256)
    assert nnapi.raw("Model_finish", foreign) == BAD_DATA
    compilation = addition.compile()
    assert nnapi.raw("Model_finish", compilation) == BAD_DATA  # a handle of another kind
    assert nnapi.raw("Compilation_create", addition.handle, None) == UNEXPECTED_NULL
    gone = ctypes.c_void_p()
    nnapi.call("Execution_create", compilation, ctypes.byref(gone))
    nnapi.free("Execution", gone)
    assert nnapi.raw("Execution_compute", gone) == BAD_DATA


def test_order_of_compilation_and_execution(nnapi: Any, addition: Any) -> None:
    compilation, execution = ctypes.c_void_p(), ctypes.c_void_p()
    nnapi.call("Compilation_create", addition.handle, ctypes.byref(compilation))
    assert nnapi.raw("Execution_create", compilation, ctypes.byref(execution)) == BAD_STATE
    nnapi.call("Compilation_finish", compilation)
    assert nnapi.raw("Compilation_finish", compilation) == BAD_STATE
    assert nnapi.raw("Compilation_setPreference", compilation, 1) == BAD_STATE
    nnapi.free("Compilation", compilation)
    unfinished = nnapi.model()
    assert nnapi.raw("Compilation_create", unfinished.handle, ctypes.byref(compilation)) == BAD_STATE
    unfinished.close()


def test_an_execution_runs_once_unless_reusable(nnapi: Any, addition: Any) -> None:
    addition.compile()
    execution, (out,) = addition.execution()
    nnapi.call("Execution_compute", execution)
    np.testing.assert_array_equal(out, np.ones((2, 3)) + np.arange(3))
    assert nnapi.raw("Execution_compute", execution) == BAD_STATE
    assert nnapi.raw("Execution_setReusable", execution, True) == BAD_STATE
    nnapi.free("Execution", execution)
    execution, (out,) = addition.execution()
    nnapi.call("Execution_setReusable", execution, True)
    for _ in range(3):
        out[:] = 0
        nnapi.call("Execution_compute", execution)
        assert out[1, 2] == 3
    nnapi.free("Execution", execution)


def test_buffers(nnapi: Any, addition: Any) -> None:
    addition.compile()
    execution = ctypes.c_void_p()
    nnapi.call("Execution_create", addition.compilation, ctypes.byref(execution))
    data = np.zeros(40, np.float32)
    assert nnapi.raw("Execution_setInput", execution, 0, None, pointer(data), 20) == BAD_DATA
    assert nnapi.raw("Execution_setInput", execution, 0, None, pointer(data), 28) == BAD_DATA
    assert nnapi.raw("Execution_setInput", execution, 2, None, pointer(data), 24) == BAD_DATA
    assert nnapi.raw("Execution_setInput", execution, ctypes.c_int32(-1), None, pointer(data), 24) == BAD_DATA
    assert nnapi.raw("Execution_setInput", execution, 0, None, None, 24) == UNEXPECTED_NULL
    nnapi.call("Execution_setInput", execution, 0, None, pointer(data), 24)
    assert nnapi.raw("Execution_enableInputAndOutputPadding", execution, True) == BAD_STATE
    nnapi.call("Execution_setInput", execution, 1, None, pointer(data), 12)
    assert nnapi.raw("Execution_compute", execution) == BAD_DATA  # the output is missing
    nnapi.call("Execution_setOutput", execution, 0, None, pointer(data), 24)
    nnapi.call("Execution_compute", execution)
    nnapi.free("Execution", execution)
    nnapi.call("Execution_create", addition.compilation, ctypes.byref(execution))
    nnapi.call("Execution_enableInputAndOutputPadding", execution, True)
    nnapi.call("Execution_setInput", execution, 0, None, pointer(data), 64)
    nnapi.free("Execution", execution)


def test_memory(nnapi: Any, addition: Any) -> None:
    addition.compile()
    with tempfile.TemporaryFile() as file:
        file.truncate(4096 * 2)
        shared = np.frombuffer(mmap.mmap(file.fileno(), 8192), np.float32)
        memory, read_only, execution = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        assert nnapi.raw("Memory_createFromFd", 8193, 3, file.fileno(), 0, ctypes.byref(memory)) == BAD_DATA
        assert nnapi.raw("Memory_createFromFd", 64, 3, ctypes.c_int(-1), 0, ctypes.byref(memory)) == BAD_DATA
        nnapi.call("Memory_createFromFd", 4096, 3, file.fileno(), 1024, ctypes.byref(memory))
        nnapi.call("Memory_createFromFd", 4096, 1, file.fileno(), 0, ctypes.byref(read_only))
        nnapi.call("Execution_create", addition.compilation, ctypes.byref(execution))
        place = shared[256:]
        place[:6], place[16:19] = 2, [1, 2, 3]
        assert nnapi.raw("Execution_setInputFromMemory", execution, 0, None, memory, 4090, 24) == BAD_DATA
        assert nnapi.raw("Execution_setOutputFromMemory", execution, 0, None, read_only, 0, 24) == BAD_DATA
        nnapi.call("Execution_setInputFromMemory", execution, 0, None, memory, 0, 24)
        nnapi.call("Execution_setInputFromMemory", execution, 1, None, memory, 64, 12)
        nnapi.call("Execution_setOutputFromMemory", execution, 0, None, memory, 128, 24)
        burst = ctypes.c_void_p()
        nnapi.call("Burst_create", addition.compilation, ctypes.byref(burst))
        nnapi.call("Execution_burstCompute", execution, burst)
        np.testing.assert_array_equal(place[32:38], [3, 4, 5, 3, 4, 5])
        for name, handle in (("Burst", burst), ("Execution", execution), ("Memory", memory), ("Memory", read_only)):
            nnapi.free(name, handle)


def test_device_memory(nnapi: Any, addition: Any) -> None:
    addition.compile()
    desc, memory, execution = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    nnapi.call("MemoryDesc_create", ctypes.byref(desc))
    assert nnapi.raw("MemoryDesc_finish", desc) == BAD_DATA  # no role
    nnapi.call("MemoryDesc_addInputRole", desc, addition.compilation, 0, ctypes.c_float(1))
    nnapi.call("MemoryDesc_addOutputRole", desc, addition.compilation, 0, ctypes.c_float(1))
    assert nnapi.raw("MemoryDesc_addInputRole", desc, addition.compilation, 1, ctypes.c_float(1)) == BAD_DATA
    assert nnapi.raw("Memory_createFromDesc", desc, ctypes.byref(memory)) == BAD_STATE
    nnapi.call("MemoryDesc_finish", desc)
    nnapi.call("Memory_createFromDesc", desc, ctypes.byref(memory))
    nnapi.call("Execution_create", addition.compilation, ctypes.byref(execution))
    nnapi.call("Execution_setReusable", execution, True)
    b = np.arange(3, dtype=np.float32)
    nnapi.call("Execution_setInput", execution, 1, None, pointer(b), 12)
    nnapi.call("Execution_setInputFromMemory", execution, 0, None, memory, 0, 0)
    nnapi.call("Execution_setOutputFromMemory", execution, 0, None, memory, 0, 0)
    for _ in range(5):
        nnapi.call("Execution_compute", execution)
    with tempfile.TemporaryFile() as file:
        file.truncate(24)
        plain = ctypes.c_void_p()
        nnapi.call("Memory_createFromFd", 24, 3, file.fileno(), 0, ctypes.byref(plain))
        nnapi.call("Memory_copy", memory, plain)
        np.testing.assert_array_equal(np.frombuffer(os.pread(file.fileno(), 24, 0), np.float32), [0, 5, 10] * 2)
        nnapi.free("Memory", plain)
    for name, handle in (("Execution", execution), ("Memory", memory), ("MemoryDesc", desc)):
        nnapi.free(name, handle)


def test_asynchronous(nnapi: Any, addition: Any) -> None:
    addition.compile()
    execution, (out,) = addition.execution()
    event, second, fence = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int(9)
    nnapi.call("Execution_startCompute", execution, ctypes.byref(event))
    nnapi.call("Event_wait", event)
    assert out[0, 2] == 3
    assert nnapi.raw("Event_getSyncFenceFd", event, ctypes.byref(fence)) == BAD_DATA
    assert fence.value == -1
    other, (later,) = addition.execution()
    waits = (ctypes.c_void_p * 1)(event)
    nnapi.call("Execution_startComputeWithDependencies", other, waits, 1, 0, ctypes.byref(second))
    nnapi.call("Event_wait", second)
    nnapi.call("Event_wait", second)
    assert later[0, 2] == 3
    rank, dims = ctypes.c_uint32(), (ctypes.c_uint32 * 2)()
    nnapi.call("Execution_getOutputOperandRank", other, 0, ctypes.byref(rank))
    nnapi.call("Execution_getOutputOperandDimensions", other, 0, dims)
    assert (rank.value, list(dims)) == (2, [2, 3])
    for name, handle in (("Event", event), ("Event", second), ("Execution", execution), ("Execution", other)):
        nnapi.free(name, handle)


def test_devices(nnapi: Any) -> None:
    count, device, name, kind, level = (
        ctypes.c_uint32(),
        ctypes.c_void_p(),
        ctypes.c_char_p(),
        ctypes.c_int32(),
        ctypes.c_int64(),
    )
    nnapi.call("_getDeviceCount", ctypes.byref(count))
    found = []
    for i in range(count.value):
        nnapi.call("_getDevice", i, ctypes.byref(device))
        nnapi.call("Device_getName", device, ctypes.byref(name))
        nnapi.call("Device_getType", device, ctypes.byref(kind))
        nnapi.call("Device_getFeatureLevel", device, ctypes.byref(level))
        found.append((name.value, kind.value, level.value))
    assert found == [(b"stand-in-npu", 4, 1000008), (b"nnapi-reference", 2, 1000008)]
    assert nnapi.raw("_getDevice", 2, ctypes.byref(device)) == BAD_DATA
    assert nnapi.raw("Device_getName", ctypes.create_string_buffer(8), ctypes.byref(name)) == BAD_DATA


def test_supported_and_timing_need_devices(nnapi: Any, addition: Any) -> None:
    device, supported = ctypes.c_void_p(), (ctypes.c_bool * 1)()
    nnapi.call("_getDevice", 0, ctypes.byref(device))
    handles = (ctypes.c_void_p * 2)(device, device)
    assert (
        nnapi.raw("Model_getSupportedOperationsForDevices", addition.handle, handles, 2, supported) == BAD_DATA
    )  # twice
    nnapi.call("Model_getSupportedOperationsForDevices", addition.handle, handles, 1, supported)
    assert list(supported) == [True]
    addition.compile()
    execution, _ = addition.execution()
    assert nnapi.raw("Execution_setMeasureTiming", execution, True) == BAD_DATA  # no single device
    nnapi.free("Execution", execution)
    nnapi.free("Compilation", addition.compilation)
    nnapi.call("Compilation_createForDevices", addition.handle, handles, 1, ctypes.byref(addition.compilation))
    nnapi.call("Compilation_finish", addition.compilation)
    execution, _ = addition.execution()
    nnapi.call("Execution_setMeasureTiming", execution, True)
    duration = ctypes.c_uint64()
    assert nnapi.raw("Execution_getDuration", execution, 0, ctypes.byref(duration)) == BAD_STATE
    assert duration.value == 2**64 - 1
    nnapi.call("Execution_compute", execution)
    nnapi.call("Execution_getDuration", execution, 1, ctypes.byref(duration))
    assert 0 < duration.value < 10**9
    nnapi.free("Execution", execution)


def refused(nnapi: Any, error: Any, build_model: Any) -> Any:
    model = nnapi.model()
    try:
        with pytest.raises(error) as caught:
            build_model(model)
        return caught.value
    finally:
        model.close()


def test_signatures(nnapi: Any, operand: Any, error: Any) -> None:
    x = np.ones((2, 3), np.float32)

    def attempt(code: int, inputs: list[Any], output: Any) -> Any:
        def build_model(model: Any) -> None:
            model.operation(code, [model.add(each) for each in inputs], [model.add(output)])

        return refused(nnapi, error, build_model)

    out = operand(FLOAT, shape=(2, 3))
    for code, inputs, output in [
        (0, [x, x], out),  # the fuse code is missing
        (0, [x, x.astype(np.int32), 0], out),  # two types
        (0, [x, x, 0.5], out),  # a float fuse code
        (0, [x, x, 0], operand(INT, shape=(2, 3))),
        (25, [x.astype(np.int32), 1.0], operand(INT, shape=(2, 3))),  # no softmax of integers
        (999, [x], out),
    ]:
        failure = attempt(code, inputs, output)
        assert failure.code == BAD_DATA
        assert failure.symbol.endswith("Model_addOperation")


def test_operand_indices_and_values(nnapi: Any, operand: Any, error: Any) -> None:
    model = nnapi.model()
    a = model.add(np.ones(3, np.float32))
    for bad in (-1, 1, 2**31 - 1):
        data = np.ones(3, np.float32)
        assert nnapi.raw("Model_setOperandValue", model.handle, ctypes.c_int32(bad), pointer(data), 12) == BAD_DATA
    assert nnapi.raw("Model_setOperandValue", model.handle, a, pointer(data), 8) == BAD_DATA
    assert nnapi.raw("Model_setOperandValue", model.handle, a, None, 12) == UNEXPECTED_NULL
    fuse, out = model.add(0), model.add(operand(FLOAT, shape=(3,)))
    with pytest.raises(error, match="no operand 7"):
        model.operation(0, [a, 7, fuse], [out])
    model.operation(0, [a, a, fuse], [out])
    with pytest.raises(error, match="it already has a value"):
        model.operation(0, [a, a, fuse], [out])  # out is computed twice
    with pytest.raises(error, match="input and output"):
        model.finish([a], [a])
    with pytest.raises(error, match="not identified"):
        nnapi.call("Model_finish", model.handle)
    model.close()


def test_finish_needs_every_value(nnapi: Any, operand: Any, error: Any) -> None:
    def no_value(model: Any) -> None:
        a, b = model.add(np.ones(3, np.float32)), model.add(operand(FLOAT, shape=(3,)))
        fuse, out = model.add(0), model.add(operand(FLOAT, shape=(3,)))
        model.operation(0, [a, b, fuse], [out])
        model.finish([a], [out])

    assert "no value" in str(refused(nnapi, error, no_value))

    def cycle(model: Any) -> None:
        a = model.add(np.ones(3, np.float32))
        fuse, x, y = model.add(0), model.add(operand(FLOAT, shape=(3,))), model.add(operand(FLOAT, shape=(3,)))
        model.operation(0, [a, y, fuse], [x])
        model.operation(0, [x, a, fuse], [y])
        model.finish([a], [y])

    assert "cycle" in str(refused(nnapi, error, cycle))


@pytest.mark.parametrize(
    ("code", "inputs", "shape", "text"),
    [
        (0, [np.ones((2, 3), np.float32), np.ones((2,), np.float32), 0], (2, 3), "do not fit"),
        (0, [np.ones((2, 3), np.float32), np.ones((3,), np.float32), 0], (2, 4), "declared"),
        (0, [np.ones((2, 3), np.float32), np.ones((3,), np.float32), 4], (2, 3), "fuse code"),
        (2, [np.ones((2, 3), np.float32), np.ones((3, 3), np.float32), 1], (2, 6), "does not fit"),
        (25, [np.ones((2, 3), np.float32), -1.0], (2, 3), "beta"),
        (17, [np.ones((1, 2, 2, 1), np.float32), 2, 1, 1, 3, 3, 0], (1, 1, 1, 1), "larger"),
        (50, [np.ones((2, 3), np.float32), 4], (2, 3, 1), "axis"),
    ],
)  # fmt: skip
def test_dimensions(
    nnapi: Any, operand: Any, error: Any, code: int, inputs: list[Any], shape: tuple[int, ...], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        nnapi.compute(code, inputs, [operand(FLOAT, shape=shape)])
    assert caught.value.code == BAD_DATA


def test_quantisation(nnapi: Any, operand: Any, error: Any) -> None:
    q = np.zeros((2, 3), np.uint8)
    for bad in [
        operand(5, q),
        operand(5, q, scale=0.5, zero=256),
        operand(14, q, scale=0.5, zero=-129),
        operand(FLOAT, q.astype(np.float32), scale=1.0),
    ]:
        assert refused(nnapi, error, lambda model, bad=bad: model.add(bad)).code == BAD_DATA
    with pytest.raises(error, match=r"scale 0\.00390625"):
        nnapi.compute(
            14, [operand(5, q, scale=0.5)], [operand(5, shape=(2, 3), scale=0.5)]
        )  # LOGISTIC has one fixed scale
    with pytest.raises(error, match="same scale"):
        nnapi.compute(
            22,
            [operand(5, q, scale=0.5), operand(INT, np.int32([6]), const=True)],
            [operand(5, shape=(6,), scale=0.25)],
        )
    x, w = (
        operand(5, np.zeros((1, 4), np.uint8), scale=0.5),
        operand(5, np.zeros((2, 4), np.uint8), scale=0.5, const=True),
    )
    with pytest.raises(error, match="the bias has scale"):
        nnapi.compute(
            9,
            [x, w, operand(INT, np.zeros(2, np.int32), scale=0.5, const=True), 0],
            [operand(5, shape=(1, 2), scale=1.0)],
        )


def test_output_dimensions_may_be_left_open(nnapi: Any, operand: Any) -> None:
    model = nnapi.model()
    x, order = (
        model.add(np.arange(6, dtype=np.float32).reshape(2, 3)),
        model.add(operand(INT, np.int32([1, 0]), const=True)),
    )
    middle, out = model.add(operand(FLOAT)), model.add(operand(FLOAT, shape=(0, 2)))
    model.operation(37, [x, order], [middle])
    model.operation(19, [middle], [out])
    model.finish([x], [out])
    model.operands[out].shape = (3, 2)
    (got,) = model.run()
    np.testing.assert_array_equal(got, np.arange(6).reshape(2, 3).T)
    model.close()


def test_one_compilation_in_two_executions_and_threads(nnapi: Any, addition: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    addition.compile()
    executions = [addition.execution() for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: nnapi.call("Execution_compute", each[0]), executions))
    for execution, (out,) in executions:
        assert out[1, 1] == 2
        nnapi.free("Execution", execution)


def test_symbols_can_be_left_out(built: Path) -> None:
    library = ctypes.CDLL(
        str(build(built, "neuralnetworks", without=("ANeuralNetworksBurst_create",), flags=("-Werror",)))
    )
    assert not hasattr(library, "ANeuralNetworksBurst_create")
    assert hasattr(library, "ANeuralNetworksBurst_free")


@pytest.mark.parametrize(("level", "has", "lacks"), [
    (1, "Model_create", "_getDeviceCount"),
    (3, "_getDeviceCount", "Compilation_setPriority"),
    (4, "Compilation_setPriority", "Execution_setReusable"),
])  # fmt: skip
def test_older_feature_level(built: Path, level: int, has: str, lacks: str) -> None:
    library = ctypes.CDLL(str(build(built, "neuralnetworks", feature_level=level, flags=("-Werror",))))
    assert hasattr(library, f"ANeuralNetworks{has}")
    assert not hasattr(library, f"ANeuralNetworks{lacks}")


def test_build_refuses(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as usage:
        build(built, "neural")
    assert usage.value.code == "unknown-stand-in"
    with pytest.raises(UsageError):
        build(built, "neuron_adapter", feature_level=4)
    with pytest.raises(BackendError) as failed:
        build(built, "neuralnetworks", flags=("-Dint=nonsense",))
    assert failed.value.code == "stand-in-build"
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(BackendError) as missing:
        build(built, "neuralnetworks")
    assert missing.value.code == "no-compiler"
