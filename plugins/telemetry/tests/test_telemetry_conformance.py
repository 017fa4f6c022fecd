"""Telemetry passes the conformance kit of observers."""

from __future__ import annotations

import pytest

from mlperf_mobile.testing.observer import ObserverConformance
from mlperf_mobile_telemetry import plugin


class TestTelemetry(ObserverConformance):
    plugin_module = "mlperf_mobile_telemetry.plugin"

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_observers()))
