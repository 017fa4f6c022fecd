"""What a library refuses or fails is told by function and result, and nothing of it is left behind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_neuron import compiled as store

FAULTS = {  # at a call: code, and what the summary says; the meanings are those of NeuronAdapter.h
    "Neuron_getDeviceCount@2=DEAD_OBJECT": ("device-lost", "Neuron_getDeviceCount gave DEAD_OBJECT"),
    "NeuronModel_create=OUT_OF_MEMORY": ("device-memory", "NeuronModel_create gave OUT_OF_MEMORY"),
    "NeuronModel_addOperand=BAD_DATA": ("driver-refused", "BAD_DATA"),
    "NeuronModel_addOperation=BAD_DATA": ("driver-refused", "BAD_DATA"),
    "NeuronModel_relaxComputationFloat32toFloat16=BAD_STATE": ("driver-failed", "BAD_STATE"),
    "NeuronModel_finish=BAD_STATE": ("driver-failed", "NeuronModel_finish gave BAD_STATE"),
    "NeuronModel_getSupportedOperationsForDevices=DEAD_OBJECT": ("device-lost", "DEAD_OBJECT"),
    "NeuronCompilation_createForDevices=UNAVAILABLE_DEVICE": ("device-busy", "UNAVAILABLE_DEVICE"),
    "NeuronCompilation_setPreference=UNEXPECTED_NULL": ("driver-failed", "UNEXPECTED_NULL"),
    "NeuronCompilation_finish=OP_FAILED": ("driver-failed", "NeuronCompilation_finish gave OP_FAILED"),
    "NeuronCompilation_finish=MISSED_DEADLINE_PERSISTENT": ("device-timeout", "MISSED_DEADLINE_PERSISTENT"),
    "NeuronCompilation_finish=RESOURCE_EXHAUSTED_TRANSIENT": ("device-busy", "RESOURCE_EXHAUSTED_TRANSIENT"),
    "NeuronCompilation_getCompiledNetworkSize=BAD_STATE": ("driver-failed", "BAD_STATE"),
    "NeuronCompilation_storeCompiledNetwork=OUT_OF_MEMORY": ("device-memory", "storeCompiledNetwork"),
    "NeuronModel_restoreFromCompiledNetwork=BAD_DATA": ("network-refused", "BAD_DATA"),
    "NeuronModel_restoreFromCompiledNetwork=BAD_VERSION": ("network-refused", "BAD_VERSION"),
    "NeuronModel_restoreFromCompiledNetwork=UNAVAILABLE_DEVICE": ("device-busy", "UNAVAILABLE_DEVICE"),
    "NeuronModel_restoreFromCompiledNetwork=OUT_OF_MEMORY": ("device-memory", "OUT_OF_MEMORY"),
    "NeuronExecution_create=RESOURCE_EXHAUSTED_PERSISTENT": ("device-busy", "NeuronExecution_create"),
    "NeuronExecution_setInput=BAD_DATA": ("driver-refused", "NeuronExecution_setInput gave BAD_DATA"),
    "NeuronExecution_setOutput=BAD_DATA": ("driver-refused", "NeuronExecution_setOutput"),
    "NeuronExecution_compute=MISSED_DEADLINE_TRANSIENT": ("device-timeout", "NeuronExecution_compute"),
    "NeuronExecution_compute@2=DEAD_OBJECT": ("device-lost", "gave DEAD_OBJECT"),
    "NeuronExecution_compute@3=4711": ("driver-failed", "the unknown result 4711"),
}


def three_runs(backend, load, model):
    with load(backend, model) as session:
        for _ in range(3):
            session.run((np.ones((1, 4), np.float32),))


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items(), ids=FAULTS)
def test_results_of_a_call(backend, load, double, fault, expected):
    with pytest.raises(MobileError) as caught:
        three_runs(backend(FAIL=fault), load, double)
    code, told = expected
    assert caught.value.code == code
    assert told in caught.value.summary
    assert caught.value.hint
    three_runs(backend(), load, double)  # the next one works


def objects(trace: Path) -> tuple[Counter[str], Counter[str]]:
    """How many objects of each kind were made, and freed, by a stand-in's trace."""
    calls = [line.split()[0] for line in trace.read_text().splitlines()]
    made = Counter(call.partition("_")[0] for call in calls if "_create" in call)
    for call in calls:
        if "_restore" in call:
            made.update(["NeuronModel", "NeuronCompilation"])
    return made, Counter(call.partition("_")[0] for call in calls if call.endswith("_free"))


@pytest.mark.parametrize("fault", [None, "NeuronCompilation_finish=OP_FAILED", "NeuronExecution_compute@2=DEAD_OBJECT"])
def test_everything_is_freed(backend, load, double, tmp_path, fault):
    trace = tmp_path / "trace"
    faulty = backend(TRACE=trace, **({"FAIL": fault} if fault else {}))
    try:
        three_runs(faulty, load, double)
    except MobileError:
        assert fault
    else:
        assert not fault
    made, freed = objects(trace)
    assert made == freed
    assert set(made) >= {"NeuronModel", "NeuronCompilation"}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_network_that_is_cut(backend, compile_model, double, share):
    """The stored checksum tells, before the adapter sees it."""
    artifact = compile_model(backend(), double)
    network = artifact.path.parent / store.NETWORK
    network.write_bytes(network.read_bytes()[: int(network.stat().st_size * share)])
    with pytest.raises(ModelError) as caught:
        backend().load(artifact)
    assert caught.value.code == "network-damaged"


def test_a_damaged_network_with_a_good_checksum(backend, compile_model, double):
    """What the checksum cannot tell, the adapter does."""
    artifact = compile_model(backend(), double)
    compiled, network = store.read(artifact.path)
    for damaged in (b"no network", network[:64], network[: len(network) // 2]):
        store.write(artifact.path.parent, compiled.model_copy(update={"sha256": store.digest(damaged)}), damaged)
        with pytest.raises(ModelError) as caught:
            backend().load(artifact)
        assert caught.value.code == "network-refused"
        assert "double.tflite" in caught.value.summary


def test_a_network_of_another_version(backend, compile_model, double):
    artifact = compile_model(backend(), double)
    compiled, network = store.read(artifact.path)
    store.write(artifact.path.parent, compiled.model_copy(update={"version": "7.0.1"}), network)
    with pytest.raises(BackendError) as caught:
        backend().load(artifact)
    assert caught.value.code == "network-version"


def test_a_network_for_another_soc(backend, compile_model, double, on_soc):
    with on_soc("mt6989"):
        artifact = compile_model(backend(), double)
        assert artifact.facts["soc"] == "mt6989"
        backend().load(artifact).__exit__(None, None, None)
    with on_soc("mt6991"), pytest.raises(BackendError) as caught:
        backend().load(artifact)
    assert caught.value.code == "network-soc"


def test_a_network_with_other_tensors(backend, compile_model, double):
    """The adapter says how large each is."""
    artifact = compile_model(backend(), double)
    compiled, network = store.read(artifact.path)
    larger = compiled.inputs[0].model_copy(update={"shape": (1, 5)})
    store.write(artifact.path.parent, compiled.model_copy(update={"inputs": (larger,)}), network)
    with pytest.raises(ModelError) as caught:
        backend().load(artifact)
    assert caught.value.code == "network-tensors"


def test_a_network_that_is_not_compiled(backend, double):
    with pytest.raises(ModelError, match="not compiled"):
        backend().load(Artifact(double, "npu"))


def test_operations_that_the_device_does_not_take(backend, compile_model, double):
    with pytest.raises(ModelError) as caught:
        compile_model(backend(UNSUPPORTED="ADD"), double)
    assert caught.value.code == "unsupported-operations"
    assert "1 of 1 operations" in caught.value.summary
    assert caught.value.summary.endswith("ADD")


def test_fallback_is_shown(backend, load, double):
    """The adapter may run them elsewhere, and the placement does not call that the NPU."""
    with load(backend(UNSUPPORTED="ADD", DEVICES="mtk-mdla,mtk-cpu:cpu", fallback=True), double) as session:
        assert session.placement().operations == {"cpu": 1}
        assert session.placement().names == {"cpu": {"ADD": 1}}
        np.testing.assert_array_equal(session.run((np.ones((1, 4), np.float32),))[0], [[2, 2, 2, 2]])


@pytest.mark.parametrize(
    ("devices", "accelerator", "options", "code"),
    [
        ("mtk-gpu:gpu", "npu", {}, "no-accelerator"),
        ("mtk-mdla", "gpu", {}, "no-accelerator"),
        ("none", "gpu", {}, "no-accelerator"),
        ("mtk-mdla", "npu", {"devices": ["mtk-vpu"]}, "no-device"),
    ],
)
def test_devices_that_are_not_there(backend, compile_model, double, devices, accelerator, options, code):
    with pytest.raises(BackendError) as caught:
        compile_model(backend(DEVICES=devices, **options), double, accelerator)
    assert caught.value.code == code


def test_batches(backend, compile_model, double):
    with pytest.raises(BackendError) as caught:
        compile_model(backend(), double, batch=2)
    assert caught.value.code == "batch-size"
