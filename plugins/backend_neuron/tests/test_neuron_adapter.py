"""The adapter is called as its header says: devices, settings, sizes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mlperf_mobile_backend_neuron.adapter import accelerator_of
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.plugin import mlperf_mobile_environment
from mlperf_mobile_neural_networks.devices import DriverDevice

DEVICES = "mtk-mdla,mtk-vpu:other,mtk-gpu:gpu"


@pytest.mark.parametrize(
    ("name", "accelerator"),
    [
        ("mtk-mdla", "npu"),
        ("mtk-dsp", "npu"),
        ("mtk-mvpu", "npu"),
        ("mtk-vpu", "npu"),
        ("mtk-gpu", "gpu"),
        ("mtk-gpu_shim", "gpu"),
        ("MTK-CPU", "cpu"),
        ("something new", "npu"),
    ],
)
def test_devices_and_accelerators(name, accelerator):
    assert accelerator_of(DriverDevice(None, name)) == accelerator


def test_a_probe(backend, on_soc):
    with on_soc("mt6989"):
        probe = backend(DEVICES=DEVICES).probe()
    assert probe.usable
    assert probe.accelerators == ("npu", "gpu")
    assert [(device.accelerator, device.name) for device in probe.devices] == [
        ("npu", "mtk-mdla"), ("npu", "mtk-vpu"), ("gpu", "mtk-gpu"),
    ]  # fmt: skip
    assert probe.runtime == f"Neuron adapter stand-in {probe.versions['neuron_adapter']}"
    assert probe.versions["soc"] == "mt6989"
    assert probe.versions["mdla"] == "5.1"
    assert set(probe.functional_only) == {"npu", "gpu"}
    assert all("stand-in" in reason for reason in probe.functional_only.values())


def test_a_stand_in_of_either_library_is_reported(libraries, tmp_path):
    """Of .dla files, the runtime's results are a stand-in's, though the adapter is none."""
    adapter, name = tmp_path / "libneuron_adapter.so", b"neural_networks_stand_in\0"
    adapter.write_bytes((libraries / adapter.name).read_bytes().replace(name, name.swapcase()))  # passes for MediaTek's
    for runtime, told in ((libraries / "libneuron_runtime.so", True), (tmp_path / "none.so", False)):
        probe = NeuronBackend(NeuronOptions.model_validate({"adapter": str(adapter), "runtime": str(runtime)})).probe()
        assert probe.usable
        assert probe.runtime == f"Neuron adapter {probe.versions['neuron_adapter']}"
        assert ("npu" in probe.functional_only) is told


def test_an_adapter_without_devices_is_for_the_npu(backend, load, double):
    """As the SDK's for other machines."""
    adapter = backend(DEVICES="none")
    assert adapter.probe().accelerators == ("npu",)
    assert adapter.probe().devices == ()


def test_the_environment_names_the_soc(on_soc):
    with on_soc("mt6989"):
        assert {fact.key: fact.value for fact in mlperf_mobile_environment("neuron")} == {
            "neuron.soc": "mt6989", "neuron.mdla": "5.1",
        }  # fmt: skip
        assert not list(mlperf_mobile_environment("tflite"))
    with on_soc("no MediaTek"):
        assert not list(mlperf_mobile_environment("neuron"))


def calls(trace):
    return [line.split()[0] for line in trace.read_text().splitlines()]


def test_a_network_is_built_compiled_stored_and_restored(backend, load, double, tmp_path):
    trace = tmp_path / "trace"
    with load(backend(TRACE=trace, boost=80), double) as session:
        session.run((np.ones((1, 4), np.float32),))
        session.run((np.ones((1, 4), np.float32),))
    told = calls(trace)
    order = [
        "Neuron_getVersion", "NeuronModel_create", "NeuronModel_addOperand", "NeuronModel_addOperation",
        "NeuronModel_identifyInputsAndOutputs", "NeuronModel_relaxComputationFloat32toFloat16", "NeuronModel_finish",
        "NeuronModel_getSupportedOperationsForDevices", "NeuronCompilation_createForDevices",
        "NeuronCompilation_setPreference", "NeuronCompilation_setPriority", "NeuronCompilation_finish",
        "NeuronCompilation_getCompiledNetworkSize", "NeuronCompilation_storeCompiledNetwork", "NeuronCompilation_free",
        "NeuronModel_free", "NeuronModel_restoreFromCompiledNetwork", "NeuronExecution_create",
        "NeuronExecution_setBoostHint", "NeuronExecution_setInput", "NeuronExecution_setOutput",
        "NeuronExecution_compute", "NeuronExecution_free",
    ]  # fmt: skip
    places = [told.index(name) for name in order]
    assert places == sorted(places)
    assert told.count("NeuronExecution_create") == 1  # reused
    assert told.count("NeuronExecution_compute") == 2


def test_every_setting_reaches_the_adapter(backend, load, double, tmp_path):
    trace = tmp_path / "trace"
    options = {
        "preference": "low_power", "priority": "low", "optimize": ["low_latency", "deep_fusion"],
        "optimization_string": "--opt-bw", "only_optimization_string": True, "l1_kb": 1024, "allow_fp16": False,
    }  # fmt: skip
    with load(backend(TRACE=trace, **options), double):
        pass
    told = calls(trace)
    for name in (
        "setPreference", "setPriority", "setOptimizationHint", "setOptimizationString",
        "setOnlyAllowOptimizationString", "setL1MemorySizeKb",
    ):  # fmt: skip
        assert told.count(f"NeuronCompilation_{name}") == 1, name
    assert "NeuronModel_relaxComputationFloat32toFloat16" not in told


def test_padded_sizes(backend, load, double):
    """Where the hardware wants more memory than the tensor has, it gets it."""
    with load(backend(PADDING=4096), double) as session:
        (y,) = session.run((np.array([[1, -2, 0.5, 4]], np.float32),))
        assert y.shape == (1, 4)
        np.testing.assert_array_equal(y, [[2, -4, 1, 8]])


def test_the_sdks_adapter_gets_the_soc(backend, compile_model, double, monkeypatch):
    """By the environment, which is as before afterwards."""
    seen = {}
    from mlperf_mobile_backend_neuron import compiling

    original = compiling.compile_network

    def compile_network(*arguments):
        seen.update({name: value for name, value in os.environ.items() if name.startswith("MTKNN_")})
        return original(*arguments)

    monkeypatch.setattr(compiling, "compile_network", compile_network)
    artifact = compile_model(backend(soc="MT6991"), double)
    assert seen["MTKNN_ADAPTER_DLA_PLATFORM"] == "mt6991"
    assert seen["MTKNN_ADAPTER_DLA_DIR"].startswith(str(artifact.path.parent))
    assert not [name for name in os.environ if name.startswith("MTKNN_")]
    assert sorted(path.name for path in artifact.path.parent.iterdir()) == ["network.bin", "network.json"]
    assert artifact.facts["soc"] == "mt6991"


def test_progress_is_reported(backend, double, tmp_path):
    from mlperf_mobile.contracts import CompileRequest

    steps: list[str] = []
    backend().compile(CompileRequest(double, "npu", directory=tmp_path, report=steps.append))
    assert steps == ["reading the model", "compiling", "storing"]
