"""The Neuron adapter's own functions, compiled networks, and the runtime that loads them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# NeuronAdapter.h: from 6 on the codes differ from NNAPI's.
UNEXPECTED_NULL, BAD_DATA, BAD_STATE = 3, 4, 7
FLOAT, INT = 3, 4
X = np.linspace(-3, 3, 24, dtype=np.float32).reshape(2, 12)
W = np.random.default_rng(4).standard_normal((5, 12)).astype(np.float32)
B = np.arange(5, dtype=np.float32)


class BufferAttribute(ctypes.Structure):
    _fields_ = [("ionFd", ctypes.c_int)]


class EnvOptions(ctypes.Structure):
    _fields_ = [
        ("deviceKind", ctypes.c_uint32),
        ("MDLACoreOption", ctypes.c_int),
        ("CPUThreadNum", ctypes.c_uint8),
        ("suppressInputConversion", ctypes.c_bool),
        ("suppressOutputConversion", ctypes.c_bool),
    ]


class IOBuffer(ctypes.Structure):
    _fields_ = [
        ("buffer", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("fd", ctypes.c_int),
        ("offset", ctypes.c_int),
        ("reserved2", ctypes.c_uint64),
        ("reserved3", ctypes.c_uint64),
    ]


Finished = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int)


class AsyncRequest(ctypes.Structure):
    _fields_ = [
        ("inputs", ctypes.POINTER(IOBuffer)),
        ("outputs", ctypes.POINTER(IOBuffer)),
        ("finish_cb", Finished),
        ("opaque", ctypes.c_void_p),
    ]


class SyncRequest(ctypes.Structure):
    _fields_ = [("inputs", ctypes.POINTER(IOBuffer)), ("outputs", ctypes.POINTER(IOBuffer))]


def make_model(library: Any, operand: Any) -> Any:
    model = library.model()
    x, w, b = model.add(X.copy()), model.add(operand(FLOAT, W, const=True)), model.add(operand(FLOAT, B, const=True))
    fuse, middle = model.add(1), model.add(operand(FLOAT, shape=(2, 5)))
    beta, out = model.add(1.0), model.add(operand(FLOAT, shape=(2, 5)))
    model.operation(9, [x, w, b, fuse], [middle])
    model.operation(25, [middle, beta], [out])
    model.finish([x], [out])
    return model


def want() -> np.ndarray:
    powers = np.exp(np.maximum(X.astype(np.float64) @ W.T + B, 0))
    result: np.ndarray = powers / powers.sum(1, keepdims=True)
    return result


@pytest.fixture
def network(neuron: Any, operand: Any) -> bytes:
    """A compiled network, as the adapter stores it."""
    model = make_model(neuron, operand)
    size, store = ctypes.c_size_t(), None
    try:
        compilation = model.compile()
        neuron.call("Compilation_getCompiledNetworkSize", compilation, ctypes.byref(size))
        store = ctypes.create_string_buffer(size.value)
        assert neuron.raw("Compilation_storeCompiledNetwork", compilation, store, size.value - 1) == BAD_DATA
        neuron.call("Compilation_storeCompiledNetwork", compilation, store, size.value)
        np.testing.assert_allclose(model.run()[0], want(), rtol=1e-5)
    finally:
        model.close()
    return store.raw


def restore(neuron: Any, blob: bytes) -> tuple[int, Any, Any]:
    model, compilation = ctypes.c_void_p(), ctypes.c_void_p()
    code = neuron.raw(
        "Model_restoreFromCompiledNetwork", ctypes.byref(model), ctypes.byref(compilation), blob, len(blob)
    )
    return code, model, compilation


def run(neuron: Any, compilation: Any) -> np.ndarray:
    execution, x, out = ctypes.c_void_p(), X.copy(), np.zeros((2, 5), np.float32)
    neuron.call("Execution_create", compilation, ctypes.byref(execution))
    neuron.call("Execution_setBoostHint", execution, ctypes.c_uint8(100))
    neuron.call("Execution_setInput", execution, 0, None, ctypes.c_void_p(x.ctypes.data), x.nbytes)
    neuron.call("Execution_setOutput", execution, 0, None, ctypes.c_void_p(out.ctypes.data), out.nbytes)
    for _ in range(2):  # an execution of the adapter may run again
        neuron.call("Execution_compute", execution)
    neuron.free("Execution", execution)
    return out


def test_restored_network_computes(neuron: Any, network: bytes) -> None:
    code, model, compilation = restore(neuron, network)
    assert code == 0
    np.testing.assert_allclose(run(neuron, compilation), want(), rtol=1e-5)
    size, other = ctypes.c_size_t(), ctypes.c_void_p()
    assert neuron.raw("Compilation_getCompiledNetworkSize", compilation, ctypes.byref(size)) == BAD_STATE
    assert neuron.raw("Compilation_create", model, ctypes.byref(other)) == BAD_STATE
    neuron.free("Compilation", compilation)
    neuron.free("Model", model)
    kind = ctypes.c_int(0)
    neuron.call(
        "Model_restoreFromCompiledNetworkV2",
        ctypes.byref(model),
        ctypes.byref(compilation),
        network,
        len(network),
        ctypes.byref(kind),
    )
    np.testing.assert_allclose(run(neuron, compilation), want(), rtol=1e-5)
    neuron.free("Compilation", compilation)
    neuron.free("Model", model)


def test_restoring_operation(neuron: Any, network: bytes) -> None:
    """As LiteRT's dispatch library does: a model of one operation of the extension com.mediatek.compiled_network."""
    name = b"com.mediatek.compiled_network"
    model, kind, operation = neuron.model(), ctypes.c_int32(), ctypes.c_int32()
    neuron.call("Model_getExtensionOperandType", model.handle, name, ctypes.c_uint16(0x0200), ctypes.byref(kind))
    neuron.call("Model_getExtensionOperationType", model.handle, name, ctypes.c_uint16(0), ctypes.byref(operation))
    for code in (FLOAT, kind.value, FLOAT):
        neuron.call("Model_addOperand", model.handle, (ctypes.c_uint32 * 8)(code))
    neuron.call("Model_setOperandValue", model.handle, 1, network, len(network))
    model.operation(operation.value, [0, 1], [2])
    model.finish([0], [2])
    np.testing.assert_allclose(run(neuron, model.compile()), want(), rtol=1e-5)
    model.close()


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (0, "not a compiled network"),
        (8, "format"),
        (64, "version"),
        (32, "compiled for"),
        (200, "damaged"),
        (-1, "damaged"),
    ],
)
def test_wrong_networks_are_refused(neuron: Any, network: bytes, place: int, what: str) -> None:
    wrong = bytearray(network)
    wrong[place] ^= 1
    code, model, compilation = restore(neuron, bytes(wrong))
    assert (code, model.value, compilation.value) == (BAD_DATA, None, None)
    assert what in neuron.dll.nn_stand_in_last_error().decode()
    assert restore(neuron, network[:-8])[0] == BAD_DATA
    assert restore(neuron, network + b"\0" * 8)[0] == BAD_DATA


def checksum(data: bytes) -> int:
    """The format's own sum, to get damaged networks past it."""
    mask = 2**64 - 1
    total, words = 0xCBF29CE484222325, len(data) // 8
    for i in range(words):
        total = ((total ^ int.from_bytes(data[8 * i : 8 * i + 8], "little")) * 0x100000001B3) & mask
        total ^= total >> 29
    for byte in data[words * 8 :]:
        total = ((total ^ byte) * 0x100000001B3) & mask
    return total


HEADER = 120


def test_checksum_of_the_tests_is_that_of_the_format(network: bytes) -> None:
    assert int.from_bytes(network[24:32], "little") == checksum(network[HEADER:])


RECORD, LIFETIME = 80, 48  # bytes of an operand's record, and where in it its lifetime stands


@pytest.mark.parametrize("lifetime", [0, 2, 3, 9])
def test_operands_without_a_value_are_refused(neuron: Any, network: bytes, lifetime: int) -> None:
    wrong = bytearray(network)
    place = HEADER + RECORD + LIFETIME  # of the second operand, the weights
    assert wrong[place] == 1  # a value
    wrong[place] = lifetime
    wrong[24:32] = checksum(bytes(wrong[HEADER:])).to_bytes(8, "little")
    assert restore(neuron, bytes(wrong))[0] == BAD_DATA


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4), front=st.booleans()
)
def test_networks_with_a_good_checksum_but_wrong_numbers_do_no_harm(
    neuron: Any, network: bytes, changes: list[tuple[int, int]], front: bool
) -> None:
    wrong = bytearray(network)
    for place, value in changes:
        start = 68 if front else HEADER  # the header's tables of contents, or the records
        end = HEADER if front else min(len(wrong), HEADER + 1200)
        wrong[start + place % (end - start)] = value
    wrong[24:32] = checksum(bytes(wrong[HEADER:])).to_bytes(8, "little")
    code, model, compilation = restore(neuron, bytes(wrong))
    assert code in {0, BAD_DATA}
    if code == 0:
        execution = ctypes.c_void_p()
        neuron.call("Execution_create", compilation, ctypes.byref(execution))
        room = np.zeros(1 << 16, np.float32)
        for name in ("Execution_setInput", "Execution_setOutput"):
            neuron.raw(name, execution, 0, None, ctypes.c_void_p(room.ctypes.data), room.nbytes)
        neuron.raw("Execution_compute", execution)
        neuron.free("Execution", execution)
        neuron.free("Compilation", compilation)
        neuron.free("Model", model)


def test_questions(neuron: Any, operand: Any) -> None:
    version, size, count = (ctypes.c_uint8 * 3)(), ctypes.c_uint32(), ctypes.c_uint32()
    neuron.call("_getVersion", version)
    neuron.call("_getL1MemorySizeKb", ctypes.byref(size))
    neuron.call("_getDeviceCount", ctypes.byref(count))
    assert (version[0], size.value > 0, count.value) == (8, True, 1)
    model = make_model(neuron, operand)
    supported = (ctypes.c_bool * 2)()
    neuron.call("Model_getSupportedOperations", model.handle, supported, 2)
    assert list(supported) == [True, True]
    compilation = ctypes.c_void_p()
    neuron.call("Compilation_createWithOptions", model.handle, ctypes.byref(compilation), b"--opt 3")
    neuron.call("Compilation_setOptimizationString", compilation, b"--relax-fp32")
    neuron.call("Compilation_setOptimizationHint", compilation, 3)
    assert neuron.raw("Compilation_setL1MemorySizeKb", compilation, size.value + 1) == BAD_DATA
    assert neuron.raw("Compilation_setPriority", compilation, 1) == BAD_DATA
    neuron.call("Compilation_setPreference", compilation, 3)  # turbo boost
    neuron.call("Compilation_getSupportedOperations", compilation, 2, supported)
    padded, dims = ctypes.c_size_t(), (ctypes.c_uint32 * 2)()
    assert neuron.raw("Compilation_getInputPaddedSize", compilation, 0, ctypes.byref(padded)) == BAD_STATE
    neuron.call("Compilation_finish", compilation)
    neuron.call("Compilation_getInputPaddedSize", compilation, 0, ctypes.byref(padded))
    neuron.call("Compilation_getOutputPaddedDimensions", compilation, 0, dims)
    assert (padded.value, list(dims)) == (X.nbytes, [2, 5])
    text = ctypes.c_char_p()
    neuron.call("Compilation_getOptimizationString", compilation, ctypes.byref(text))
    assert text.value == b"--relax-fp32"
    neuron.free("Compilation", compilation)
    model.close()


def test_padded_sizes(neuron: Any, operand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_STAND_IN_PADDING", "64")
    model = make_model(neuron, operand)
    size, execution, room = ctypes.c_size_t(), ctypes.c_void_p(), np.zeros(64, np.float32)
    neuron.call("Compilation_getOutputPaddedSize", model.compile(), 0, ctypes.byref(size))
    assert size.value == 64  # of 40 bytes
    neuron.call("Execution_create", model.compilation, ctypes.byref(execution))
    pointer = ctypes.c_void_p(room.ctypes.data)
    assert neuron.raw("Execution_setOutput", execution, 0, None, pointer, 39) == BAD_DATA
    neuron.call("Execution_setOutput", execution, 0, None, pointer, size.value)
    neuron.free("Execution", execution)
    model.close()


def test_unknown_operations_are_not_supported(neuron: Any, operand: Any) -> None:
    model = neuron.model()
    x, out = model.add(np.ones(3, np.float32)), model.add(operand(FLOAT, shape=(3,)))
    model.operation(10001, [x], [out])
    model.finish([x], [out])
    supported = (ctypes.c_bool * 1)(True)
    neuron.call("Model_getSupportedOperations", model.handle, supported, 1)
    assert list(supported) == [False]
    compilation = ctypes.c_void_p()
    neuron.call("Compilation_create", model.handle, ctypes.byref(compilation))
    assert neuron.raw("Compilation_finish", compilation) == BAD_DATA
    neuron.free("Compilation", compilation)
    model.close()


@pytest.fixture
def runtime(runtime_library: ctypes.CDLL) -> Iterator[ctypes.CDLL]:
    yield runtime_library
    assert runtime_library.nn_stand_in_live_objects() == 0


def test_runtime(runtime: ctypes.CDLL, network: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.dla"
    path.write_bytes(network)
    handle, plain = ctypes.c_void_p(), BufferAttribute(-1)
    out = np.zeros((2, 5), np.float32)
    assert runtime.NeuronRuntime_create(ctypes.byref(EnvOptions(0)), ctypes.byref(handle)) == 4
    assert runtime.NeuronRuntime_create(ctypes.byref(EnvOptions(4)), ctypes.byref(handle)) == 0
    assert runtime.NeuronRuntime_inference(handle) == 5  # BAD_STATE: nothing is loaded
    assert runtime.NeuronRuntime_loadNetworkFromFile(handle, bytes(tmp_path / "none")) == 4
    assert runtime.NeuronRuntime_loadNetworkFromFile(handle, bytes(path)) == 0
    assert runtime.NeuronRuntime_loadNetworkFromBuffer(handle, network, ctypes.c_size_t(len(network))) == 5
    size, rank, dims = ctypes.c_size_t(), ctypes.c_uint32(), (ctypes.c_uint32 * 4)()
    assert runtime.NeuronRuntime_getSingleInputSize(handle, ctypes.byref(size)) == 0
    assert runtime.NeuronRuntime_getOutputRank(handle, ctypes.c_uint64(0), ctypes.byref(rank)) == 0
    assert runtime.NeuronRuntime_getInputPaddedDimensions(handle, ctypes.c_uint64(0), dims) == 0
    assert (size.value, rank.value, list(dims)) == (X.nbytes, 2, [1, 1, 2, 12])
    assert (
        runtime.NeuronRuntime_setSingleInput(
            handle, ctypes.c_void_p(X.ctypes.data), ctypes.c_size_t(X.nbytes - 1), plain
        )
        == 4
    )
    assert (
        runtime.NeuronRuntime_setSingleInput(handle, ctypes.c_void_p(X.ctypes.data), ctypes.c_size_t(X.nbytes), plain)
        == 0
    )
    assert runtime.NeuronRuntime_inference(handle) == 4  # the output is missing
    assert (
        runtime.NeuronRuntime_setOutput(
            handle, ctypes.c_uint64(0), ctypes.c_void_p(out.ctypes.data), ctypes.c_size_t(out.nbytes), plain
        )
        == 0
    )
    assert runtime.NeuronRuntime_inference(handle) == 0
    np.testing.assert_allclose(out, want(), rtol=1e-5)
    profiled, boost = ctypes.c_void_p(), ctypes.c_uint8()
    assert runtime.NeuronRuntime_getProfiledQoSData(handle, ctypes.byref(profiled), ctypes.byref(boost)) == 0
    assert (bool(profiled.value), boost.value) == (True, 100)
    runtime.NeuronRuntime_release(handle)


def test_runtime_with_shared_memory(runtime: ctypes.CDLL, network: bytes) -> None:
    handle = ctypes.c_void_p()
    runtime.NeuronRuntime_create(ctypes.byref(EnvOptions(4)), ctypes.byref(handle))
    assert runtime.NeuronRuntime_loadNetworkFromBuffer(handle, network, ctypes.c_size_t(len(network))) == 0
    with tempfile.TemporaryFile() as file:
        file.truncate(512)
        os.pwrite(file.fileno(), X.tobytes(), 128)
        shared = BufferAttribute(file.fileno())
        zero = ctypes.c_uint64(0)
        assert (
            runtime.NeuronRuntime_setOffsetedInput(
                handle, zero, None, ctypes.c_size_t(X.nbytes), shared, ctypes.c_size_t(500)
            )
            == 4
        )
        assert (
            runtime.NeuronRuntime_setOffsetedInput(
                handle, zero, None, ctypes.c_size_t(X.nbytes), shared, ctypes.c_size_t(128)
            )
            == 0
        )
        assert (
            runtime.NeuronRuntime_setOffsetedOutput(handle, zero, None, ctypes.c_size_t(40), shared, ctypes.c_size_t(0))
            == 0
        )
        assert runtime.NeuronRuntime_inference(handle) == 0
        got = np.frombuffer(os.pread(file.fileno(), 40, 0), np.float32).reshape(2, 5)
        np.testing.assert_allclose(got, want(), rtol=1e-5)
        runtime.NeuronRuntime_release(handle)


def test_runtime_of_the_second_generation(runtime: ctypes.CDLL, network: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.dla"
    path.write_bytes(network)
    handle = ctypes.c_void_p()
    assert (
        runtime.NeuronRuntimeV2_create(bytes(path), ctypes.c_size_t(1), ctypes.byref(handle), ctypes.c_size_t(3)) == 0
    )
    jobs: list[tuple[int, int]] = []
    finished = Finished(lambda job, _opaque, status: jobs.append((job, status)))
    outs = [np.zeros((2, 5), np.float32) for _ in range(8)]
    kept, numbers = [], []
    for out in outs:
        inputs, outputs = (
            (IOBuffer * 1)(IOBuffer(X.ctypes.data, X.nbytes, -1)),
            (IOBuffer * 1)(IOBuffer(out.ctypes.data, out.nbytes, -1)),
        )
        kept.append((inputs, outputs))
        job = ctypes.c_uint64()
        assert (
            runtime.NeuronRuntimeV2_enqueue(handle, AsyncRequest(inputs, outputs, finished, None), ctypes.byref(job))
            == 0
        )
        numbers.append(job.value)
    last = np.zeros((2, 5), np.float32)
    outputs = (IOBuffer * 1)(IOBuffer(last.ctypes.data, last.nbytes, -1))
    assert runtime.NeuronRuntimeV2_run(handle, SyncRequest(kept[0][0], outputs)) == 0
    assert runtime.NeuronRuntime_inference(handle) == 4  # a runtime of the other generation
    runtime.NeuronRuntimeV2_release(handle)  # waits for the jobs
    assert numbers == list(range(8))
    assert sorted(jobs) == [(i, 0) for i in range(8)]
    for out in [*outs, last]:
        np.testing.assert_allclose(out, want(), rtol=1e-5)


SCRIPT = """
import ctypes, sys
library, blob = ctypes.CDLL(sys.argv[1]), open(sys.argv[2], "rb").read()
model, compilation = ctypes.c_void_p(), ctypes.c_void_p()
restore, size = library.NeuronModel_restoreFromCompiledNetwork, ctypes.c_size_t(len(blob))
print(restore(ctypes.byref(model), ctypes.byref(compilation), blob, size))
"""


@pytest.mark.parametrize(("settings_", "answer"), [
    ({}, 0),
    ({"NN_STAND_IN_SOC": "mt6991"}, BAD_DATA),
    ({"NN_STAND_IN_VERSION": "9.0.0"}, BAD_DATA),
    ({"NN_STAND_IN_VERSION": "8.9.1"}, 0),  # only the major version must match
])  # fmt: skip
def test_networks_of_other_devices(
    neuron_library: Any,
    neuron: Any,
    network: bytes,
    tmp_path: Path,
    settings_: dict[str, str],
    answer: int,
) -> None:
    path = tmp_path / "network"
    path.write_bytes(network)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(neuron_library.path), str(path)],
        env={**os.environ, **settings_},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == answer
