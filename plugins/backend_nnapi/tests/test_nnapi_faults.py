"""What a driver refuses or fails is told by function and result, and nothing of it is left behind."""

from __future__ import annotations

import platform
import struct
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions

FAULTS = {  # at a call: code, and what the summary says; the meanings are those of NeuralNetworks.h
    "Model_create=OUT_OF_MEMORY": ("device-memory", "Model_create gave OUT_OF_MEMORY"),
    "Model_addOperand=BAD_DATA": ("driver-refused", "BAD_DATA for operand 0"),
    "Model_addOperation=BAD_DATA": ("driver-refused", "BAD_DATA for operation 0, ADD"),
    "Model_finish=BAD_STATE": ("driver-failed", "Model_finish gave BAD_STATE"),
    "Model_getSupportedOperationsForDevices=DEAD_OBJECT": ("device-lost", "DEAD_OBJECT"),
    "Compilation_createForDevices=UNAVAILABLE_DEVICE": ("device-busy", "UNAVAILABLE_DEVICE"),
    "Compilation_setPreference=UNEXPECTED_NULL": ("driver-failed", "UNEXPECTED_NULL"),
    "Compilation_finish=OP_FAILED": ("driver-failed", "Compilation_finish gave OP_FAILED"),
    "Compilation_finish=MISSED_DEADLINE_PERSISTENT": ("device-timeout", "MISSED_DEADLINE_PERSISTENT"),
    "Compilation_finish@2=RESOURCE_EXHAUSTED_TRANSIENT": ("device-busy", "RESOURCE_EXHAUSTED_TRANSIENT"),
    "Burst_create=RESOURCE_EXHAUSTED_PERSISTENT": ("device-busy", "RESOURCE_EXHAUSTED_PERSISTENT"),
    "Execution_create=OUT_OF_MEMORY": ("device-memory", "Execution_create"),
    "Execution_setInputFromMemory=BAD_DATA": ("driver-refused", "Execution_setInputFromMemory"),
    "Execution_burstCompute=MISSED_DEADLINE_TRANSIENT": ("device-timeout", "Execution_burstCompute"),
    "Execution_burstCompute@2=DEAD_OBJECT": ("device-lost", "gave DEAD_OBJECT"),
    "Execution_burstCompute@3=4711": ("driver-failed", "the unknown result 4711"),
}


def three_runs(backend, load, model):
    with load(backend, model) as session:
        for _ in range(3):
            session.run((np.ones((1, 4), np.float32),))


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items(), ids=FAULTS)
def test_results_of_a_call(backend, load, double, tmp_path, fault, expected):
    trace = tmp_path / "trace"
    faulty = backend(FAIL=f"ANeuralNetworks{fault}", TRACE=trace)
    with pytest.raises(MobileError) as caught:
        three_runs(faulty, load, double)
    code, told = expected
    assert caught.value.code == code
    assert told in caught.value.summary
    assert caught.value.hint
    three_runs(backend(), load, double)  # the next one works


def objects(trace: Path) -> tuple[Counter[str], Counter[str]]:
    """How many objects of each kind were made, and freed, by a stand-in's trace."""
    calls = [line.split()[0].removeprefix("ANeuralNetworks") for line in trace.read_text().splitlines()]
    made = Counter(call.partition("_")[0] for call in calls if "_create" in call)
    return made, Counter(call.partition("_")[0] for call in calls if call.endswith("_free"))


@pytest.mark.parametrize("fault", [None, "Compilation_finish@2=OP_FAILED", "Execution_burstCompute@2=DEAD_OBJECT"])
def test_everything_is_freed(backend, load, double, tmp_path, fault):
    trace = tmp_path / "trace"
    settings = {"FAIL": f"ANeuralNetworks{fault}"} if fault else {}
    faulty = backend(TRACE=trace, **settings)
    try:
        three_runs(faulty, load, double)
    except MobileError:
        assert fault
    else:
        assert not fault
    made, freed = objects(trace)
    assert made == freed
    assert set(made) >= {"Model", "Compilation"}


def test_a_refused_object_is_not_freed(backend, load, double, tmp_path):
    trace = tmp_path / "trace"
    with pytest.raises(MobileError):
        three_runs(backend(TRACE=trace, FAIL="ANeuralNetworksExecution_create=OUT_OF_MEMORY"), load, double)
    made, freed = objects(trace)
    assert made - freed == {"Execution": 1}


class TestLibrary:
    """Each is told by a probe, with a remedy, and raised by everything else."""

    def told(self, library: str | Path, double: Path, code: str) -> str:
        backend = NNAPIBackend(NNAPIOptions.model_validate({"library": str(library)}))
        probe = backend.probe()
        assert not probe.usable
        assert probe.fix
        with pytest.raises(MobileError) as caught:
            backend.load(Artifact(double, "npu"))
        assert (caught.value.code, caught.value.summary) == (code, probe.reason)
        return probe.reason

    def test_missing(self, double):
        assert "libno-nnapi.so" in self.told("libno-nnapi.so", double, "library-missing")

    def test_of_another_processor(self, double, tmp_path):
        data = bytearray(Path(sys.executable).resolve().read_bytes()[:4096])
        struct.pack_into("<HH", data, 16, 3, 183 if platform.machine() != "aarch64" else 62)
        library = tmp_path / "libneuralnetworks.so"
        library.write_bytes(data)
        assert "for another processor" in self.told(library, double, "library-architecture")

    def test_too_old(self, double, stand_in):
        """Android 9 had no devices to choose from."""
        told = self.told(stand_in(feature_level=2), double, "library-too-old")
        assert "ANeuralNetworks_getDeviceCount" in told

    def test_without_a_symbol(self, double, stand_in):
        """One function is enough to be told by name."""
        told = self.told(stand_in(without=["ANeuralNetworksExecution_compute"]), double, "library-too-old")
        assert told.endswith("it lacks ANeuralNetworksExecution_compute")

    def test_without_a_symbol_that_an_option_needs(self, backend, load, double, stand_in):
        """Priorities came with Android 11."""
        old = stand_in(feature_level=3)
        three_runs(backend(old), load, double)
        with pytest.raises(MobileError, match="ANeuralNetworksCompilation_setPriority") as caught:
            load(backend(old, priority="high"), double)
        assert caught.value.code == "library-symbol"

    def test_that_is_damaged(self, double, tmp_path, library):
        damaged = tmp_path / "libneuralnetworks.so"
        damaged.write_bytes(library.read_bytes()[:5000])
        self.told(damaged, double, "library-broken")
