"""The performance of a timed run that did not end, as far as its files and its journal have it."""

from __future__ import annotations

from array import array
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.contracts import LIVE
from mlperf_mobile.results import latencies, tokens
from mlperf_mobile.results.measured import Parts, Performance, Timed
from mlperf_mobile.results.tokens import TokenFacts


def rescued(folder: Path, scenario: str, parts: Parts, timed: events.Progress | None) -> Parts:
    """The parts of an incomplete run, with the performance of its timed run as far as its files have it.

    The run fails the rule ``completed``.

    Args:
        folder: The folder of the run.
        scenario: Its scenario.
        parts: The parts that were measured.
        timed: The last progress of the timed run.
    """
    if parts.performance:
        return parts
    found = parts.rescued or _saved(folder, scenario, parts.samples_per_query, timed)
    if not found:
        return parts
    queries = {"queries": _queries(found.samples, parts.samples_per_query)}
    return parts.model_copy(
        update={"performance": Timed.model_validate(found.model_dump(exclude_unset=True) | queries)}
    )


def _saved(folder: Path, scenario: str, samples_per_query: int, timed: events.Progress | None) -> Performance | None:
    """From the saved latencies. If the progress is unknown, the duration is the sum of the latencies."""
    values = latencies.read(folder / latencies.FILE)
    if not values:
        return None
    done, seconds = len(values), sum(values) / 1e9
    if not samples_per_query:  # all were issued at once
        seconds = max(values) / 1e9
    elif timed and timed.elapsed_s > 0:
        done, seconds = timed.done, timed.elapsed_s
    return Performance(
        tokens=_tokens(latencies.read(folder / tokens.TOKENS), values, seconds, scenario),
        latency_ns=latencies.summary(values),
        throughput=done / seconds if seconds > 0 else 0.0,
        queries=done,
        samples=len(values),
        duration_s=seconds,
        latency_source=LIVE,
    )


def _queries(samples: int, samples_per_query: int) -> int:
    """The queries whose samples were all answered; a query that has all samples counts from the first one."""
    return samples // samples_per_query if samples_per_query else 1


def _tokens(saved: array[int], values: array[int], seconds: float, scenario: str) -> TokenFacts | None:
    """The facts of the answers that have a latency; without times if no first token was reported."""
    complete = saved[: len(values) * tokens.FIELDS]
    if not complete:
        return None
    found = tokens.facts(complete, values)
    if found["generated"]["total"] and not found["ttft_ns"] and seconds > 0:
        found = tokens.whole_answers(complete, seconds, tokens.not_reported(scenario))
    return TokenFacts.model_validate(found)
