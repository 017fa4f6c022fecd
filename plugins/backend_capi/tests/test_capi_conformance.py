"""The backend passes the conformance kit with a library that was written for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from mlperf_mobile.contracts import Backend
from mlperf_mobile.errors import BackendError
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_capi import plugin
from mlperf_mobile_backend_capi.options import COptions


class Kit(BackendConformance):
    plugin_module = "mlperf_mobile_backend_capi.plugin"
    tolerance = 0.0
    definitions: tuple[str, ...] = ()
    settings: ClassVar[dict[str, object]] = {}

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        path = tmp_path / "double.bin"
        path.write_text("CAPITEST double float32 4 end")
        return path

    @pytest.fixture
    def language_model(self) -> Path:
        pytest.skip("this library has no language models; test_capi_generating.py has one that generates")

    @pytest.fixture
    def options(self, build: Callable[..., Path]) -> COptions:
        return COptions.model_validate({"library": build(*self.definitions), **self.settings})

    @pytest.mark.xfail(reason="these libraries hold one model at a time, as in the app", raises=BackendError)
    def test_sessions_are_independent(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        super().test_sessions_are_independent(backend, model, tmp_path)


class TestCAPI(Kit):
    pass


class TestCAPIWithBuffersAndConversion(Kit):
    definitions = ("WITH_BUFFERS", "WITH_CONVERSION")
    settings: ClassVar[dict[str, object]] = {"inputs": "1x4@0.5,10", "outputs": "1x4@0.5,20"}

    @pytest.fixture
    def quantized_model(self, tmp_path: Path) -> Path:
        """What is stored is doubled: so is what it stands for, with twice the zero point."""
        path = tmp_path / "quantized.bin"
        path.write_text("CAPITEST double uint8 4 end")
        return path
