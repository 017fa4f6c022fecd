"""Token latencies and score of an imported result: from the log, from the app's result file, or from both."""

from __future__ import annotations

from collections.abc import Mapping

from mlperf_mobile import performance_score
from mlperf_mobile.performance_score import PerformanceScore, is_possible
from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile_rounds.official import token_latencies, verdict
from mlperf_mobile_rounds.official.app_results import Run
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog


def facts(log: DetailLog | None, queries: int | None, run: Run | None) -> TokenFacts | None:
    """The token latencies; None for other models than language models. The decode rate is the published one.

    Args:
        log: The detail log of the timed run, if there is one.
        queries: How many there were in it.
        run: The timed run in the result file, if there is one.
    """
    logged = token_latencies.of(log, queries) if log else None
    found = logged.facts() if logged else None
    if run is None or not run.token_based:
        return found
    first = {"mean": run.first_token_mean_s, "p90": run.first_token_p90_s}
    shown = TokenFacts(
        ttft_ns={name: value * 1e9 for name, value in first.items() if value}, decode_per_s=run.throughput or None
    )
    return shown if found is None else found.model_copy(update={"decode_per_s": shown.decode_per_s})


def score_of(
    scenario: str, samples_per_s: float, latency_ns: Mapping[str, float], tokens: TokenFacts | None
) -> PerformanceScore | None:
    """LoadGen's score of a scenario (mlcommons/inference, loadgen/results.cc), or the app's of a language model.

    Args:
        scenario: By LoadGen's name.
        samples_per_s: The throughput.
        latency_ns: Percentiles by name: ``p90``.
        tokens: Of a language model.

    Returns:
        None if its number is missing, or no possible one.
    """
    if tokens is not None:
        return performance_score.decoding(tokens.model_dump())
    if scenario == verdict.OFFLINE:
        return performance_score.throughput(samples_per_s) if is_possible(samples_per_s) else None
    percentile = {verdict.SINGLE_STREAM: 0.9, "MultiStream": 0.99}.get(scenario)
    value = latency_ns.get(f"p{percentile * 100:g}", 0.0) if percentile else 0.0
    return performance_score.latency(percentile, value) if percentile and is_possible(value) else None
