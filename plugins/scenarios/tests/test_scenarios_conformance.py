"""Multi-stream and server pass the kit."""

from __future__ import annotations

import pytest

from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.testing.scenario import ScenarioConformance
from mlperf_mobile_scenarios import plugin
from mlperf_mobile_scenarios.conformance import ServerFixtures

OFFERS = {info.name: info for info in plugin.mlperf_mobile_scenarios()}


@pytest.mark.usefixtures("processes")
class TestMultiStream(ScenarioConformance):
    plugin_module = "mlperf_mobile_scenarios.plugin"

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        return OFFERS["multi-stream"]


@pytest.mark.usefixtures("processes")
class TestServer(ServerFixtures, ScenarioConformance):
    plugin_module = "mlperf_mobile_scenarios.plugin"

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        return OFFERS["server"]
