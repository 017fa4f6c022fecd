"""The executor passes the conformance kit on both stand-ins, behind a thin backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import CompileRequest, Options
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.native.options import NativeOptions


class Made:
    """Something whose ``load()`` gives a class, as a Ref's does."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def load(self) -> Any:
        return self._made


def offer(given: dict[str, Any], **info: Any) -> BackendInfo:
    """The executor as a backend, with options that stand before those of a run."""

    class Thin(NativeExecutor):
        shards = 1

        def __init__(self, options: Options) -> None:
            super().__init__(NativeOptions.model_validate({**given, **options}))

    backend: Any = Made(Thin)
    options: Any = Made(NativeOptions)
    return BackendInfo(
        name="snpe",
        summary="models of the format dlc",
        vendor="Qualcomm",
        backend=backend,
        accelerators=("htp", "gpu", "cpu"),
        model_formats=("dlc",),
        options=options,
        hook_api=(1, 0),
        **info,
    )


class TestLibrary(BackendConformance):
    plugin_module = "mlperf_mobile_backend_snpe.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self, library: str) -> BackendInfo:
        capabilities = frozenset({Capability.BATCH, Capability.QUANTIZED})
        return offer({"library": library}, capabilities=capabilities)

    @pytest.fixture
    def model(self, dlc: Callable[..., Path]) -> Path:
        return dlc()

    @pytest.fixture
    def quantized_model(self, quantised: Path) -> Path:
        return quantised


class TestCached(TestLibrary):
    """Compiled on the device."""

    @pytest.fixture
    def info(self, library: str) -> BackendInfo:
        return offer({"library": library, "init_cache": True})


class TestNetRun(BackendConformance):
    plugin_module = "mlperf_mobile_backend_snpe.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self, tools: Path) -> BackendInfo:
        return offer({"executor": "net-run", "net_run_inputs": {"x": (1, 4)}, "net_run_outputs": {"y": (1, 4)}})

    @pytest.fixture
    def model(self, dlc: Callable[..., Path]) -> Path:
        return dlc()


def test_the_plugin_hands_models_of_its_format_over(library: str, dlc: Callable[..., Path], tmp_path: Path) -> None:
    """The backend of the distribution compiles and loads them, with its options ``native``."""
    backend = SnpeBackend({"native": {"library": library, "runtime_order": ["gpu_float16"]}})
    artifact = backend.compile(CompileRequest(dlc(), "gpu", directory=tmp_path / "work", format="dlc"))
    with backend.load(artifact) as session:
        x = np.array([[1, -2, 0.5, 4]], np.float32)
        np.testing.assert_array_equal(session.run((x,))[0], x + x)
        assert session.placement().kernels == {"snpe-gpu_float16": 1}
