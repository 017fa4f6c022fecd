"""The backend passes the conformance kit on the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Options
from mlperf_mobile.plugin import BackendInfo, Ref
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_neuron import plugin
from mlperf_mobile_backend_neuron.backend import NeuronBackend


@dataclass(frozen=True, slots=True)
class OnStandIn(Ref[Callable[[Options], NeuronBackend]]):
    """The backend, with the stand-ins for its default libraries."""

    defaults: Options

    def load(self) -> Callable[[Options], NeuronBackend]:
        return lambda options: NeuronBackend({**self.defaults, **options})


def on_stand_in(libraries: Path, **defaults: object) -> BackendInfo:
    info = next(iter(plugin.mlperf_mobile_backends()))
    places = {name: str(libraries / f"libneuron_{name}.so") for name in ("adapter", "runtime")}
    return replace(info, backend=OnStandIn(info.backend.path, {**places, **defaults}))


class TestNeuron(BackendConformance):
    plugin_module = "mlperf_mobile_backend_neuron.plugin"
    tolerance = 1e-3
    """The stand-in rounds to 16 bits where that is allowed, which it is by default."""

    @pytest.fixture
    def info(self, libraries: Path) -> BackendInfo:
        return on_stand_in(libraries)

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double

    @pytest.fixture
    def quantized_model(self, double: Path) -> Path:
        return double.with_name("double_int8.tflite")

    @pytest.fixture
    def open_model(self, double: Path) -> Path:
        return double.with_name("open_row.tflite")


class TestNeuronRuntime(BackendConformance):
    """With .dla files on the Neuron runtime."""

    plugin_module = "mlperf_mobile_backend_neuron.plugin"
    tolerance = 1e-3

    @pytest.fixture
    def info(self, libraries: Path, double: Path) -> BackendInfo:
        return on_stand_in(libraries, via="runtime", tensors_from=str(double))

    @pytest.fixture
    def model(self, dla: Path) -> Path:
        return dla


class TestNeuronStableDelegate(BackendConformance):
    """With a stable delegate on LiteRT."""

    plugin_module = "mlperf_mobile_backend_neuron.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self, libraries: Path, stable_delegate: Path) -> BackendInfo:
        pytest.importorskip("ai_edge_litert.interpreter")
        return on_stand_in(libraries, via="stable-delegate", stable_delegate=str(stable_delegate))

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double

    @pytest.fixture
    def open_model(self, double: Path) -> Path:
        return double.with_name("open_row.tflite")
