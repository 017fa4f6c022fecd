"""The backend passes the conformance kit on the stand-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Options
from mlperf_mobile.plugin import BackendInfo, Ref
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_nnapi import plugin
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend


@dataclass(frozen=True, slots=True)
class OnStandIn(Ref[Callable[[Options], NNAPIBackend]]):
    """The backend, with the stand-in for its default library."""

    library: Path

    def load(self) -> Callable[[Options], NNAPIBackend]:
        return lambda options: NNAPIBackend({"library": str(self.library), **options})


class TestNNAPI(BackendConformance):
    plugin_module = "mlperf_mobile_backend_nnapi.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self, library: Path) -> BackendInfo:
        info = next(iter(plugin.mlperf_mobile_backends()))
        return replace(info, backend=OnStandIn(info.backend.path, library))

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double
