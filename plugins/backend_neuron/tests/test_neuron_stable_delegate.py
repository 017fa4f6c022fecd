"""A stable delegate is applied by LiteRT's interpreter, though its Python interface cannot load one."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.stable_delegate import StableDelegate

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture
def backend(stable_delegate):
    defaults = {"via": "stable-delegate", "stable_delegate": str(stable_delegate)}
    return lambda **options: NeuronBackend(NeuronOptions.model_validate(defaults | options))


def test_it_runs_on_the_npu(backend, load, double):
    with load(backend(), double) as session:
        (y,) = session.run((np.array([[1, -2, 0.5, 4]], np.float32),))
        np.testing.assert_array_equal(y, [[2, -4, 1, 8]])
        placement = session.placement()
        assert placement.operations == {"npu": 1}
        assert placement.names == {"npu": {"ADD": 1}}
        del y
    with pytest.raises(MobileError, match="closed"):
        session.run((np.zeros((1, 4), np.float32),))


def test_what_it_does_not_take_is_on_the_cpu(backend, load, double, monkeypatch):
    monkeypatch.setenv("STABLE_DELEGATE_TAKE", "0")
    with load(backend(), double) as session:
        assert session.placement().operations == {"cpu": 1}


def test_the_settings_arrive(backend, load, double, tmp_path, monkeypatch):
    """Read by field numbers in C, with the values that configuration.proto has for them."""
    monkeypatch.setenv("STABLE_DELEGATE_SAW", str(tmp_path / "saw"))
    options = {
        "preference": "sustained_speed", "priority": "low", "allow_fp16": False, "abort_ms": 250,
        "optimize": ["deep_fusion", "batch_processing"], "optimization_string": "--opt-bw --num-mdla=2",
        "devices": ["mtk-mdla", "mtk-vpu"], "memory": "ahwb",
    }  # fmt: skip
    with load(backend(**options), double):
        pass
    assert (tmp_path / "saw").read_text().splitlines() == [
        "execution_preference 3",
        "execution_priority 90",
        "optimization_hints 2 3",
        "operation_check_mode 2",
        "allow_fp16_precision_for_fp32 0",
        "use_ahwb 1",
        "compile_options --opt-bw --num-mdla=2",
        "accelerator_names mtk-mdla mtk-vpu",
        "inference_abort_time_ms 250",
    ]


def test_the_probe_says_that_it_is_a_stand_in(backend):
    probe = backend().probe()
    assert probe.usable
    assert probe.versions["stable_delegate"] == "1.4.3"
    assert "mtk_neuron_delegate stand-in 1.4.3 in litert" in probe.runtime
    assert "CPU" in probe.functional_only["npu"]


def refused(backend, load, model, code):
    probe = backend.probe()
    assert not probe.usable
    with pytest.raises(MobileError) as caught:
        load(backend, model)
    assert caught.value.code == code
    assert caught.value.summary == probe.reason


def test_another_interface(load, double, tmp_path, build_delegate):
    library = build_delegate(tmp_path, '-DABI_VERSION="2.0.0"')
    refused(
        NeuronBackend(NeuronOptions.model_validate({"via": "stable-delegate", "stable_delegate": str(library)})),
        load,
        double,
        "library-too-old",
    )


def test_no_stable_delegate(load, double, libraries):
    library = str(libraries / "libneuron_adapter.so")
    refused(
        NeuronBackend(NeuronOptions.model_validate({"via": "stable-delegate", "stable_delegate": library})),
        load,
        double,
        "library-symbol",
    )


def test_no_library(load, double):
    backend = NeuronBackend(
        NeuronOptions.model_validate({"via": "stable-delegate", "stable_delegate": "libno-such-delegate.so"})
    )
    refused(backend, load, double, "library-missing")


def test_a_delegate_that_cannot_be_made(backend, load, double, monkeypatch):
    monkeypatch.setenv("STABLE_DELEGATE_TAKE", "nothing at all")
    with pytest.raises(MobileError) as caught:
        load(backend(), double)
    assert caught.value.code == "delegate-failed"


def test_delegates_are_destroyed_once():
    class Plugin:
        destroyed = 0

        def create(self, settings):
            return 4711

        def destroy(self, pointer):
            assert pointer == 4711
            self.destroyed += 1

    class Library:
        plugin = Plugin()

    delegate = StableDelegate(Library, bytes(8))
    assert delegate._get_native_delegate_pointer() == 4711
    delegate.__del__()
    del delegate
    assert Library.plugin.destroyed == 1
