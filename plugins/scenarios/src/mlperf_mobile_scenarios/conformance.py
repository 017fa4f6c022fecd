"""What the conformance kit cannot know of these scenarios: options that suit its stand-in system."""

from __future__ import annotations

from types import MappingProxyType


class ServerFixtures:
    """A rate and a bound that the stand-in meets; without a rate, ``server`` would search for the highest one."""

    conforms = "scenario server"
    scenario_options = MappingProxyType({"target_qps": 300.0, "target_latency_ms": 1000.0})
