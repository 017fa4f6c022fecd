"""The backend passes the conformance kit, on whichever runtime is installed."""

from __future__ import annotations

import pytest

from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_tflite import plugin


class TestTFLite(BackendConformance):
    plugin_module = "mlperf_mobile_backend_tflite.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))
