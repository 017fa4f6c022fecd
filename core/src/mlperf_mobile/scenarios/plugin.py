"""The scenarios of the core."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import Ref, ScenarioInfo, hookimpl


@hookimpl
def mlperf_mobile_scenarios() -> Iterable[ScenarioInfo]:
    """Offer the two scenarios of MLPerf Mobile, and sustained."""
    yield ScenarioInfo(
        name="single-stream",
        summary="one query after another; the score is the 90th percentile of the latency",
        scenario=Ref("mlperf_mobile.scenarios.single_stream:SingleStream"),
        settings="mlperf_mobile.scenarios:single_stream.yaml",
        hook_api=(2, 0),
    )
    yield ScenarioInfo(
        name="offline",
        summary="one query with all samples, on every session; the score is samples per second",
        scenario=Ref("mlperf_mobile.scenarios.offline:Offline"),
        settings="mlperf_mobile.scenarios:offline.yaml",
        ignores=("percentile",),
        hook_api=(2, 0),
    )
    yield ScenarioInfo(
        name="sustained",
        summary="a long single-stream run that shows throttling: latency of the first and last minute",
        scenario=Ref("mlperf_mobile.scenarios.sustained:Sustained"),
        settings="mlperf_mobile.scenarios:sustained.yaml",
        hook_api=(2, 0),
    )
