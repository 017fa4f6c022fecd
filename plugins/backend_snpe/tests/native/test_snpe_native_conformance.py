"""The executor passes the conformance kit on both stand-ins, behind a thin backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import Options
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.backend import BackendConformance
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


class TestNetRun(BackendConformance):
    plugin_module = "mlperf_mobile_backend_snpe.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self, tools: Path) -> BackendInfo:
        return offer({"executor": "net-run", "net_run_inputs": {"x": (1, 4)}, "net_run_outputs": {"y": (1, 4)}})

    @pytest.fixture
    def model(self, dlc: Callable[..., Path]) -> Path:
        return dlc()
