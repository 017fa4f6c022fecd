"""The library that fits is found, and what is wrong with one that does not is told."""

from __future__ import annotations

import platform
import shutil
import struct
import sys
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import MobileError
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_backend_neuron import libraries as where
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.plugin import mlperf_mobile_backends
from mlperf_mobile_backend_neuron.soc import Soc


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", f":{tmp_path}/absent:{tmp_path}")
    monkeypatch.setattr(where, "_FOLDERS", ())
    return tmp_path


def test_the_socs_own_adapter_comes_first(folder):
    for name in ("libneuron_adapter.so", "libneuronusdk_adapter.mtk.so", "libneuronusdk_adapter.mtk.mt6991.so"):
        (folder / name).touch()
    assert where.adapter(None, Soc("mt6991")) == str(folder / "libneuronusdk_adapter.mtk.mt6991.so")
    assert where.adapter(None, Soc("mt6989")) == str(folder / "libneuronusdk_adapter.mtk.so")
    assert where.adapter("libneuron_adapter.so", Soc("mt6991")) == str(folder / "libneuron_adapter.so")


def test_a_path_is_taken_as_it_is(folder):
    assert where.adapter("/opt/x.so", None) == "/opt/x.so"


def test_none_is_there(folder):
    with pytest.raises(MobileError) as caught:
        where.adapter(None, Soc("mt6991"))
    assert caught.value.code == "library-missing"
    assert "libneuronusdk_adapter.mtk.mt6991.so, libneuronusdk_adapter.mtk.so" in caught.value.summary
    assert "LD_LIBRARY_PATH" in caught.value.hint


def test_the_offer_needs_what_is_looked_for():
    (info,) = mlperf_mobile_backends()
    names = {name for need in info.needs for name in need.libraries}
    assert {*where.ADAPTERS, *where.RUNTIMES[:2], "libneuron_stable_delegate.so"} <= names


class TestBroken:
    """Each is told by a probe, with a remedy, and raised by everything else."""

    def told(self, library: str | Path, double: Path, code: str) -> str:
        backend = NeuronBackend(NeuronOptions.model_validate({"adapter": str(library)}))
        probe = backend.probe()
        assert not probe.usable
        assert probe.fix
        with pytest.raises(MobileError) as caught:
            backend._adapter  # noqa: B018  what everything else begins with
        assert (caught.value.code, caught.value.summary) == (code, probe.reason)
        return probe.reason

    def test_missing(self, double, folder):
        assert "libneuron_adapter.so" in self.told("libneuron_adapter.so", double, "library-missing")

    def test_of_another_processor(self, double, tmp_path):
        data = bytearray(Path(sys.executable).resolve().read_bytes()[:4096])
        struct.pack_into("<HH", data, 16, 3, 183 if platform.machine() != "aarch64" else 62)
        library = tmp_path / "libneuron_adapter.so"
        library.write_bytes(data)
        assert "for another processor" in self.told(library, double, "library-architecture")

    def test_too_old(self, double, tmp_path):
        library = compile_c(
            tmp_path / "libneuron_adapter.so", "int NeuronModel_create(void **model) { return !model; }"
        )
        told = self.told(library, double, "library-too-old")
        assert "NeuronModel_restoreFromCompiledNetwork" in told

    def test_without_a_symbol(self, double, tmp_path, libraries):
        """One function is enough to be told by name."""
        without = tmp_path / "libneuron_adapter.so"
        name = b"NeuronCompilation_storeCompiledNetwork\0"
        without.write_bytes((libraries / without.name).read_bytes().replace(name, name.replace(b"store", b"st0re")))
        told = self.told(without, double, "library-too-old")
        assert told.endswith("it lacks NeuronCompilation_storeCompiledNetwork")

    def test_that_is_damaged(self, double, tmp_path, libraries):
        damaged = tmp_path / "libneuron_adapter.so"
        damaged.write_bytes((libraries / damaged.name).read_bytes()[:5000])
        self.told(damaged, double, "library-broken")

    def test_that_does_not_tell_its_version(self, double, backend):
        probe = backend(FAIL="Neuron_getVersion=BAD_STATE").probe()
        assert not probe.usable
        assert "Neuron_getVersion gave BAD_STATE" in probe.reason


def test_a_broken_adapter_is_reported_although_the_runtime_works(folder, libraries):
    (folder / "libneuron_adapter.so").write_bytes(b"no library")
    shutil.copy(libraries / "libneuron_runtime.so", folder)
    probe = NeuronBackend(NeuronOptions()).probe()
    assert not probe.usable
    assert "libneuron_adapter.so cannot be loaded" in probe.reason


def test_a_runtime_alone_is_enough(folder, libraries):
    shutil.copy(libraries / "libneuron_runtime.so", folder)
    probe = NeuronBackend(NeuronOptions()).probe()
    assert probe.usable
    assert probe.accelerators == ("npu",)
    assert set(probe.versions) == {"neuron_runtime"}


def test_models_are_refused_without_an_adapter(folder, libraries, double, tmp_path):
    shutil.copy(libraries / "libneuron_runtime.so", folder)
    with pytest.raises(MobileError) as caught:
        NeuronBackend(NeuronOptions()).load(Artifact(double, "npu"))
    assert caught.value.code == "network-damaged"
    assert "not compiled" in caught.value.summary
