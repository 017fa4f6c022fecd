"""The executor passes the conformance kit on both stand-ins, behind a thin backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile.plugin import BackendInfo, Capability, Ref
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.native.options import NativeOptions
from mlperf_mobile_backend_snpe.options import SnpeOptions


class Thin(NativeExecutor):
    """The executor as a backend."""

    shards = 1


class Kit(BackendConformance):
    plugin_module = "mlperf_mobile_backend_snpe.plugin"
    tolerance = 1e-6
    capabilities: frozenset[Capability] = frozenset()

    @pytest.fixture
    def info(self) -> BackendInfo:
        return BackendInfo(
            name="snpe",
            summary="models of the format dlc",
            vendor="Qualcomm",
            backend=Ref(f"{__name__}:Thin"),
            accelerators=("htp", "gpu", "cpu"),
            model_formats=("dlc",),
            options=Ref("mlperf_mobile_backend_snpe.native.options:NativeOptions"),
            capabilities=self.capabilities,
            hook_api=(2, 0),
        )

    @pytest.fixture
    def model(self, dlc: Callable[..., Path]) -> Path:
        return dlc()


class TestLibrary(Kit):
    capabilities = frozenset({Capability.BATCH, Capability.QUANTIZED})

    @pytest.fixture
    def options(self, library: str) -> NativeOptions:
        return NativeOptions.model_validate({"library": library})

    @pytest.fixture
    def quantized_model(self, quantised: Path) -> Path:
        return quantised


class TestCached(TestLibrary):
    """Compiled on the device."""

    capabilities = frozenset()

    @pytest.fixture
    def options(self, library: str) -> NativeOptions:
        return NativeOptions.model_validate({"library": library, "init_cache": True})


class TestNetRun(Kit):
    @pytest.fixture
    def options(self, tools: Path) -> NativeOptions:
        shapes = {"net_run_inputs": {"x": (1, 4)}, "net_run_outputs": {"y": (1, 4)}}
        return NativeOptions.model_validate({"executor": "net-run", **shapes})


def test_the_plugin_hands_models_of_its_format_over(library: str, dlc: Callable[..., Path], tmp_path: Path) -> None:
    """The backend of the distribution compiles and loads them, with its options ``native``."""
    backend = SnpeBackend(
        SnpeOptions.model_validate({"native": {"library": library, "runtime_order": ["gpu_float16"]}})
    )
    artifact = backend.compile(CompileRequest(dlc(), "gpu", directory=tmp_path / "work", format="dlc"))
    with backend.load(artifact) as session:
        x = np.array([[1, -2, 0.5, 4]], np.float32)
        np.testing.assert_array_equal(session.run((x,))[0], x + x)
        assert session.placement().kernels == {"snpe-gpu_float16": 1}
