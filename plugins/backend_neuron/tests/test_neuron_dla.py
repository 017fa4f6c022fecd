""".dla files on the Neuron runtime, and on the adapter; both are stand-ins, whose .dla files are what they store."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from mlperf_mobile.errors import MobileError, ModelError
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions

TENSORS = {"inputs": ["x=float32[1,4]"], "outputs": ["y=float32[1,4]"]}


def doubles(session):
    with session:
        for values in ([1, -2, 0.5, 4], [8, 16, -32, 64]):
            (y,) = session.run((np.array([values], np.float32),))
            np.testing.assert_array_equal(y, 2 * np.array([values], np.float32))
        assert session.placement().names == {"npu": {"COMPILED_NETWORK": 1}}


@pytest.mark.parametrize("via", [None, "runtime", "adapter"])
def test_tensors_in_options(backend, load, dla, via):
    doubles(load(backend(via=via, **TENSORS), dla))


def test_tensors_of_a_file(backend, load, dla, double):
    doubles(load(backend(tensors_from=str(double)), dla))


def test_tensors_of_the_file_beside_it(backend, load, dla, double):
    shutil.copy(double, dla.with_suffix(".tflite"))
    doubles(load(backend(), dla))


def test_no_source_of_the_tensors(backend, load, dla):
    with pytest.raises(ModelError) as caught:
        load(backend(), dla)
    assert caught.value.code == "network-tensors"
    assert "tensors_from" in caught.value.hint


@pytest.mark.parametrize("via", ["runtime", "adapter"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": ["x=float32[1,5]"]},
        {"outputs": ["y=float32[1,4]", "z=float32[1,4]"]},
        {"outputs": ["y=float32[1,4000]"]},
    ],
    ids=str,
)
def test_other_tensors(backend, load, dla, via, wrong):
    with pytest.raises(MobileError) as caught:
        load(backend(via=via, **(TENSORS | wrong)), dla)
    assert caught.value.code in ("network-tensors", "driver-refused", "network-refused")
    if via == "runtime":
        assert caught.value.code == "network-tensors"
        assert "have [16] bytes" in caught.value.summary


@pytest.mark.parametrize("via", ["runtime", "adapter"])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_file_that_is_cut(backend, load, dla, via, share):
    dla.write_bytes(dla.read_bytes()[: int(dla.stat().st_size * share)])
    with pytest.raises(ModelError) as caught:
        load(backend(via=via, **TENSORS), dla)
    assert caught.value.code == "network-refused"
    assert "net.dla" in caught.value.summary


def test_files_of_other_formats(backend, load, tmp_path):
    (tmp_path / "empty.dla").touch()
    for name, code in (("absent.dla", "model-missing"), ("empty.dla", "model-damaged")):
        with pytest.raises(ModelError) as caught:
            load(backend(**TENSORS), tmp_path / name)
        assert caught.value.code == code


FAULTS = {
    "NeuronRuntime_create=OUT_OF_MEMORY": ("device-memory", "NeuronRuntime_create gave OUT_OF_MEMORY"),
    "NeuronRuntime_loadNetworkFromBuffer=BAD_DATA": ("network-refused", "BAD_DATA"),
    "NeuronRuntime_setQoSOption=BAD_DATA": ("driver-refused", "NeuronRuntime_setQoSOption"),
    "NeuronRuntime_getInputNumber=6": ("driver-failed", "NeuronRuntime_getInputNumber"),
    "NeuronRuntime_getOutputSize=BAD_DATA": ("driver-refused", "NeuronRuntime_getOutputSize"),
    "NeuronRuntime_setInput=BAD_DATA": ("driver-refused", "NeuronRuntime_setInput"),
    "NeuronRuntime_inference@2=6": ("driver-failed", "NeuronRuntime_inference gave RUNTIME_ERROR"),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items(), ids=FAULTS)
def test_what_the_runtime_fails(backend, load, dla, fault, expected):
    with pytest.raises(MobileError) as caught:
        doubles(load(backend(FAIL=fault, **TENSORS), dla))
    code, told = expected
    assert caught.value.code == code
    assert told in caught.value.summary
    doubles(load(backend(**TENSORS), dla))  # the next one works


def test_everything_is_released(backend, load, dla, tmp_path):
    trace = tmp_path / "trace"
    doubles(load(backend(TRACE=trace, **TENSORS), dla))
    with pytest.raises(MobileError):
        load(backend(TRACE=trace, FAIL="NeuronRuntime_setInput=BAD_DATA", **TENSORS), dla)
    calls = [line.split()[0] for line in trace.read_text().splitlines()]
    assert calls.count("NeuronRuntime_create") == calls.count("NeuronRuntime_release") > 0


def test_a_probe_of_the_runtime(backend):
    probe = backend(via="runtime").probe()
    assert probe.usable
    assert probe.runtime.startswith("Neuron runtime stand-in")
    assert probe.accelerators == ("npu",)
    assert "stand-in" in probe.functional_only["npu"]


def test_a_session_that_is_closed(backend, load, dla):
    session = load(backend(**TENSORS), dla)
    with session:
        pass
    with pytest.raises(MobileError) as caught:
        session.run((np.zeros((1, 4), np.float32),))
    assert caught.value.code == "session-closed"


NCC = """#!{python}
# A stand-in for ncc-tflite: it compiles with the stand-in of the Neuron adapter, and writes what that stores.
import shutil, sys, tempfile
from pathlib import Path
from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions

*options, flag, output, model = sys.argv[1:]
assert (options, flag) == (["--arch=mdla5.1", "--relax-fp32"], "-d"), sys.argv
with tempfile.TemporaryDirectory() as folder:
    backend = NeuronBackend(NeuronOptions(adapter="{adapter}"))
    made = backend.compile(CompileRequest(Path(model), "npu", directory=Path(folder)))
    shutil.copy(made.path.parent / "network.bin", output)
"""


def test_compiled_by_the_program(libraries, load, double, tmp_path, monkeypatch):
    """A .tflite file to a .dla file to the runtime, with the tensors of the former."""
    program = tmp_path / "sdk" / "ncc-tflite"
    program.parent.mkdir()
    program.write_text(NCC.format(python=sys.executable, adapter=libraries / "libneuron_adapter.so"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    runtime = str(libraries / "libneuron_runtime.so")
    backend = NeuronBackend(
        NeuronOptions.model_validate({"compiler": "ncc-tflite", "soc": "mt6989", "runtime": runtime})
    )
    doubles(load(backend, double))


def test_networks_of_the_adapter_are_not_for_the_runtime(backend, compile_model, double):
    artifact = compile_model(backend(), double)
    with pytest.raises(ModelError) as caught:
        backend(via="runtime").load(artifact)
    assert caught.value.code == "network-unsupported"
