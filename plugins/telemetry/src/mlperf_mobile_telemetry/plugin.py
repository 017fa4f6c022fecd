"""Offers telemetry as an observer of every performance run."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import ObserverInfo, Ref, hookimpl


@hookimpl
def mlperf_mobile_observers() -> Iterable[ObserverInfo]:
    """Offer the telemetry recorder."""
    yield ObserverInfo(
        name="telemetry",
        summary="temperatures, frequencies, power and memory during the timed run",
        observer=Ref("mlperf_mobile_telemetry.recorder:Recorder"),
        part=Ref("mlperf_mobile_telemetry.part:Telemetry"),
        file="telemetry.jsonl",
        baseline=Ref("mlperf_mobile_telemetry.baseline:look"),
        hook_api=(2, 0),
    )
