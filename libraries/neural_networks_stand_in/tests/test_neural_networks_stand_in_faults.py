"""What the NN_STAND_IN_* variables do, each case in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile_neural_networks_stand_in import build_timed_loop

# Runs one ADD twice; prints the code of every call that fails, and at last the outcome.
SCRIPT = """
import ctypes, sys
C = ctypes
nn = C.CDLL(sys.argv[1])
cache = sys.argv[2] if len(sys.argv) > 2 else ""
nn.nn_stand_in_last_error.restype = C.c_char_p
size = C.c_size_t
class OT(C.Structure):
    _fields_ = [("t", C.c_int32), ("n", C.c_uint32), ("d", C.POINTER(C.c_uint32)), ("s", C.c_float), ("z", C.c_int32)]
def call(name, *a):
    code = getattr(nn, "ANeuralNetworks" + name)(*a)
    if code:
        print(name, code, nn.nn_stand_in_last_error().decode(), flush=True)
        sys.exit(9)
dims = (C.c_uint32 * 2)(1, 4)
model, compilation = C.c_void_p(), C.c_void_p()
call("Model_create", C.byref(model))
for code in (3, 3, 1, 3):
    call("Model_addOperand", model, C.byref(OT(code, 2 if code == 3 else 0, dims, 0, 0)))
fuse = C.c_int32(0)
call("Model_setOperandValue", model, 2, C.byref(fuse), size(4))
call("Model_addOperation", model, 0, 3, (C.c_uint32 * 3)(0, 1, 2), 1, (C.c_uint32 * 1)(3))
call("Model_identifyInputsAndOutputs", model, 2, (C.c_uint32 * 2)(0, 1), 1, (C.c_uint32 * 1)(3))
call("Model_finish", model)
device, supported = C.c_void_p(), C.c_bool()
call("_getDevice", 0, C.byref(device))
call("Model_getSupportedOperationsForDevices", model, C.byref(device), 1, C.byref(supported))
print("supported", supported.value, flush=True)
call("Compilation_createForDevices", model, C.byref(device), 1, C.byref(compilation))
if cache:
    call("Compilation_setCaching", compilation, cache.encode(), bytes(range(32)))
call("Compilation_finish", compilation)
x, out = (C.c_float * 4)(1, 2, 3, 4), (C.c_float * 4)()
for _ in range(2):
    execution = C.c_void_p()
    call("Execution_create", compilation, C.byref(execution))
    call("Execution_setInput", execution, 0, None, x, size(16))
    call("Execution_setInput", execution, 1, None, x, size(16))
    call("Execution_setOutput", execution, 0, None, out, size(16))
    call("Execution_compute", execution)
    nn.ANeuralNetworksExecution_free(execution)
nn.ANeuralNetworksCompilation_free(compilation)
nn.ANeuralNetworksModel_free(model)
print("done", list(out), nn.nn_stand_in_live_objects(), flush=True)
"""


@pytest.fixture
def run(nnapi_library: Any, processes: None) -> Any:
    """``run("argument", VARIABLE="value")``: the script in its own process."""

    def run(*arguments: str, timeout: float = 200, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SCRIPT, str(nnapi_library.path), *arguments]
        return subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


def test_without_faults(run: Any) -> None:
    done = run()
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "done [2.0, 4.0, 6.0, 8.0] 0"


@pytest.mark.parametrize(
    ("fault", "symbol", "code"),
    [
        ("ANeuralNetworksModel_finish=5", "Model_finish", 5),
        ("ANeuralNetworksExecution_compute@2=DEAD_OBJECT", "Execution_compute", 14),
        ("ANeuralNetworksExecution_compute@2=RESOURCE_EXHAUSTED_TRANSIENT", "Execution_compute", 12),
        ("ANeuralNetworksModel_addOperand@3=OUT_OF_MEMORY,ANeuralNetworksModel_finish=5", "Model_addOperand", 1),
    ],
)
def test_codes(run: Any, fault: str, symbol: str, code: int) -> None:
    done = run(NN_STAND_IN_FAIL=fault)
    assert done.returncode == 9
    assert done.stdout.splitlines()[-1].startswith(f"{symbol} {code} ")


def test_a_code_for_one_call_alone(run: Any) -> None:
    assert run(NN_STAND_IN_FAIL="ANeuralNetworksExecution_compute@3=5").returncode == 0  # there is no third call


def test_crash_and_exit(run: Any) -> None:
    assert run(NN_STAND_IN_FAIL="ANeuralNetworksExecution_compute@2=crash").returncode == -signal.SIGSEGV
    assert run(NN_STAND_IN_FAIL="ANeuralNetworksCompilation_finish=exit").returncode == 3


@pytest.mark.slow
def test_hang(nnapi_library: Any) -> None:
    command = [sys.executable, "-c", SCRIPT, str(nnapi_library.path)]
    variables = {"NN_STAND_IN_FAIL": "ANeuralNetworksExecution_compute=hang"}
    with subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "supported True\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()


def test_close_stdout(run: Any) -> None:
    done = run(NN_STAND_IN_FAIL="ANeuralNetworksModel_create=close-stdout")
    assert done.stdout == ""
    assert "Bad file descriptor" in done.stderr


def test_threads_and_leak(run: Any) -> None:
    done = run(NN_STAND_IN_FAIL="ANeuralNetworksExecution_compute=leak,ANeuralNetworksModel_create=threads")
    assert done.returncode == 0  # both only go on beside the call
    assert "done" in done.stdout


@pytest.mark.parametrize(
    "wrong", ["ANeuralNetworksModel_finish", "ANeuralNetworksModel_finish=explode", "ANeuralNetworksModel_finish@0=5"]
)
def test_a_wrong_setting_ends_the_process(run: Any, wrong: str) -> None:
    done = run(NN_STAND_IN_FAIL=wrong)
    assert done.returncode == -signal.SIGABRT
    assert "NN_STAND_IN_FAIL" in done.stderr


def test_trace(run: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    run(NN_STAND_IN_TRACE=str(trace))
    lines = trace.read_text().splitlines()
    assert lines[0] == "ANeuralNetworksModel_create"
    assert lines.count("ANeuralNetworksExecution_compute") == 2
    assert lines[-1] == "ANeuralNetworksModel_free"


def test_unsupported_operations(run: Any) -> None:
    done = run(NN_STAND_IN_UNSUPPORTED="MUL,ADD")
    assert done.stdout.splitlines()[0] == "supported False"
    assert "Compilation_finish 4 no device supports operation 0 (ADD)" in done.stdout
    # The CPU reference takes all that it can compute.
    assert run(NN_STAND_IN_UNSUPPORTED="ADD", NN_STAND_IN_DEVICES="nnapi-reference:cpu").returncode == 0


def test_devices_and_levels(run: Any) -> None:
    assert "there is no device 0" in run(NN_STAND_IN_DEVICES="none").stdout
    assert run(NN_STAND_IN_DEVICES="one:gpu:5,two").returncode == 0
    assert run(NN_STAND_IN_DEVICES="one:tpu").returncode == -signal.SIGABRT
    assert run(NN_STAND_IN_FEATURE_LEVEL="29").returncode == 0
    assert run(NN_STAND_IN_FEATURE_LEVEL="9").returncode == -signal.SIGABRT


def test_cache(run: Any, tmp_path: Path) -> None:
    trace, cache = tmp_path / "trace", tmp_path / "cache"
    cache.mkdir()
    slow = {"NN_STAND_IN_COMPILE_MS": "700", "NN_STAND_IN_TRACE": str(trace)}
    started = time.monotonic()
    assert run(str(cache), **slow).returncode == 0
    assert time.monotonic() - started > 0.7
    (kept,) = cache.iterdir()
    assert kept.name.startswith(bytes(range(32)).hex())
    assert "cache-store" in trace.read_text()
    trace.unlink()
    assert run(str(cache), **slow).stdout.endswith("done [2.0, 4.0, 6.0, 8.0] 0\n")
    assert "cache-hit" in trace.read_text()
    kept.write_bytes(kept.read_bytes()[:-1] + b"\7")
    trace.unlink()
    assert run(str(cache), **slow).returncode == 0  # a damaged entry is compiled anew
    assert "cache-store" in trace.read_text()


FREES = """
import ctypes, sys
nn = ctypes.CDLL(sys.argv[1])
model = ctypes.c_void_p()
nn.ANeuralNetworksModel_create(ctypes.byref(model))
nn.ANeuralNetworksModel_free(model)
nn.ANeuralNetworksModel_free(None)
nn.ANeuralNetworksModel_free(model)
"""


def test_a_second_free_ends_the_process(nnapi_library: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FREES, str(nnapi_library.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGABRT
    assert "ANeuralNetworksModel_free: the handle is not alive" in done.stderr


def test_a_model_must_outlive_its_compilation(nnapi_library: Any) -> None:
    script = SCRIPT.replace("nn.ANeuralNetworksCompilation_free(compilation)\n", "")
    done = subprocess.run(
        [sys.executable, "-c", script, str(nnapi_library.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGABRT
    assert "the model must outlive it" in done.stderr


@pytest.mark.parametrize("how", ["nnapi-burst", "nnapi-compute", "nnapi-single", "neuron"])
def test_timed_loop(built: Path, nnapi_library: Any, neuron_library: Any, how: str) -> None:
    library = neuron_library.path if how == "neuron" else nnapi_library.path
    done = subprocess.run([build_timed_loop(built), library, how, "2000"], capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < 1e6  # nanoseconds a query


LEVELS = """
import ctypes as C, sys
nn = C.CDLL(sys.argv[1])
class OT(C.Structure):
    _fields_ = [("t", C.c_int32), ("n", C.c_uint32), ("d", C.POINTER(C.c_uint32)), ("s", C.c_float), ("z", C.c_int32)]
def attempt(operation, *types):
    model, dims = C.c_void_p(), (C.c_uint32 * 1)(4)
    nn.ANeuralNetworksModel_create(C.byref(model))
    for t in types:
        code = nn.ANeuralNetworksModel_addOperand(model, C.byref(OT(t, int(t in (3, 4, 8)), dims, 0, 0)))
        if code:
            return code
    ins, out = (C.c_uint32 * 8)(*range(8)), (C.c_uint32 * 1)(len(types) - 1)
    return nn.ANeuralNetworksModel_addOperation(model, operation, len(types) - 1, ins, 1, out)
# ADD of float32, int32 and float16; SUB; EXP; HARD_SWISH; PACK
print(attempt(0, 3, 3, 1, 3), attempt(0, 4, 4, 1, 4), attempt(0, 8, 8, 1, 8), attempt(36, 3, 3, 1, 3))
print(attempt(49, 3, 3), attempt(99, 3, 3), attempt(103, 1, 3, 3))
"""


@pytest.mark.parametrize(
    ("level", "codes"),
    [(1, "0 4 4 4 4 4 4"), (2, "0 4 4 0 4 4 4"), (3, "0 4 0 0 0 4 4"), (4, "0 0 0 0 0 0 4"), (6, "0 0 0 0 0 0 0")],
)
def test_what_a_feature_level_has(nnapi_library: Any, level: int, codes: str) -> None:
    """Operations and their types as NeuralNetworksTypes.h dates them; what is newer is BAD_DATA."""
    done = subprocess.run(
        [sys.executable, "-c", LEVELS, str(nnapi_library.path)],
        env={**os.environ, "NN_STAND_IN_FEATURE_LEVEL": str(level)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == codes.split()
