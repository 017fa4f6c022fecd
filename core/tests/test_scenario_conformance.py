"""The built-in scenarios pass the kit."""

from __future__ import annotations

import pytest

from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.scenarios import plugin
from mlperf_mobile.testing.scenario import ScenarioConformance

OFFERS = {info.name: info for info in plugin.mlperf_mobile_scenarios()}


@pytest.mark.usefixtures("processes")
class TestSingleStream(ScenarioConformance):
    plugin_module = "mlperf_mobile.scenarios.plugin"

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        return OFFERS["single-stream"]


@pytest.mark.usefixtures("processes")
class TestOffline(ScenarioConformance):
    plugin_module = "mlperf_mobile.scenarios.plugin"

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        return OFFERS["offline"]
