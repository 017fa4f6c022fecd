"""The backend passes the conformance kit on the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_neuron import plugin
from mlperf_mobile_backend_neuron.options import NeuronOptions


class Kit(BackendConformance):
    """The backend, with the stand-ins for its default libraries."""

    plugin_module = "mlperf_mobile_backend_neuron.plugin"

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def options(self, libraries: Path) -> NeuronOptions:
        return NeuronOptions.model_validate(stand_ins(libraries))


def stand_ins(libraries: Path) -> dict[str, object]:
    return {name: str(libraries / f"libneuron_{name}.so") for name in ("adapter", "runtime")}


class TestNeuron(Kit):
    tolerance = 1e-3
    """The stand-in rounds to 16 bits where that is allowed, which it is by default."""

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double

    @pytest.fixture
    def quantized_model(self, double: Path) -> Path:
        return double.with_name("double_int8.tflite")

    @pytest.fixture
    def open_model(self, double: Path) -> Path:
        return double.with_name("open_row.tflite")


class TestNeuronRuntime(Kit):
    """With .dla files on the Neuron runtime."""

    tolerance = 1e-3

    @pytest.fixture
    def options(self, libraries: Path, double: Path) -> NeuronOptions:
        return NeuronOptions.model_validate(stand_ins(libraries) | {"via": "runtime", "tensors_from": str(double)})

    @pytest.fixture
    def model(self, dla: Path) -> Path:
        return dla


class TestNeuronStableDelegate(Kit):
    """With a stable delegate on LiteRT."""

    tolerance = 1e-6

    @pytest.fixture
    def options(self, libraries: Path, stable_delegate: Path) -> NeuronOptions:
        pytest.importorskip("ai_edge_litert.interpreter")
        own = {"via": "stable-delegate", "stable_delegate": str(stable_delegate)}
        return NeuronOptions.model_validate(stand_ins(libraries) | own)

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double

    @pytest.fixture
    def open_model(self, double: Path) -> Path:
        return double.with_name("open_row.tflite")
