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
    """The backend, with the stand-in for its default library."""

    folder: Path

    def load(self) -> Callable[[Options], NeuronBackend]:
        place = str(self.folder / "libneuron_adapter.so")
        return lambda options: NeuronBackend({"adapter": place, **options})


class TestNeuron(BackendConformance):
    plugin_module = "mlperf_mobile_backend_neuron.plugin"
    tolerance = 1e-3
    """The stand-in rounds to 16 bits where that is allowed, which it is by default."""

    @pytest.fixture
    def info(self, libraries: Path) -> BackendInfo:
        info = next(iter(plugin.mlperf_mobile_backends()))
        return replace(info, backend=OnStandIn(info.backend.path, libraries))

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double
