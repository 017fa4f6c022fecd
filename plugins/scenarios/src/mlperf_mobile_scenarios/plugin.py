"""The offers: scenarios multi-stream, server and token-sweep."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import Ref, ScenarioInfo, hookimpl


@hookimpl
def mlperf_mobile_scenarios() -> Iterable[ScenarioInfo]:
    """Offer two scenarios of MLPerf Inference that MLPerf Mobile does not have, and one for language models."""
    yield ScenarioInfo(
        name="multi-stream",
        summary="queries of several samples (8), one after another; the score is the 99th percentile of their latency",
        scenario=Ref("mlperf_mobile_scenarios.multi_stream:MultiStream"),
        settings="mlperf_mobile_scenarios:multi_stream.yaml",
        options=Ref("mlperf_mobile_scenarios.options:MultiStreamOptions"),
        hook_api=(2, 1),
    )
    yield ScenarioInfo(
        name="server",
        summary="queries arrive at random, at a given rate or at the highest one whose latency stays within a bound",
        scenario=Ref("mlperf_mobile_scenarios.server:Server"),
        settings="mlperf_mobile_scenarios:server.yaml",
        options=Ref("mlperf_mobile_scenarios.options:ServerOptions"),
        ignores=("expected_latency_ns",),
        hook_api=(2, 1),
    )
    yield ScenarioInfo(
        name="token-sweep",
        summary="time to first token, prefill and decode rates by lengths of prompt, answer and context",
        scenario=Ref("mlperf_mobile_scenarios.token_sweep:TokenSweep"),
        settings="mlperf_mobile_scenarios:token_sweep.yaml",
        options=Ref("mlperf_mobile_scenarios.options:TokenSweepOptions"),
        ignores=("expected_latency_ns", "percentile", "performance_sample_count"),
        tokens=True,
        part=Ref("mlperf_mobile_scenarios.token_sweep_part:TokenSweepPart"),
        hook_api=(2, 4),
    )
