"""Offline: one query with all samples, drained by every session of the system."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import perf_counter_ns

from mlperf_mobile import loadgen, rules
from mlperf_mobile.contracts import Load, Measurement, Options, SystemUnderTest
from mlperf_mobile.scenarios.single_stream import library

TAKE_NS = 5_000_000
"""A session takes work for so long at a time: handing over and completing one by one would cost fast models 5 %."""
MOST_BATCHES = 64


class Offline:
    """LoadGen's Offline; each session takes the next batches as soon as it is free, and only real samples count."""

    parallel = True

    def __init__(self, options: Options) -> None:
        """There are no options."""

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        settings = loadgen.performance_settings("Offline", load)
        settings.offline_expected_qps = system.sessions * system.batch * 1e9 / load.expected_latency_ns
        size = system.batch * max(1, min(MOST_BATCHES, TAKE_NS // load.expected_latency_ns))
        times = [0, 0]

        def issue(ids: list[int], indices: list[int]) -> None:
            times[0] = perf_counter_ns()
            drain(system, ids, indices, latencies_ns, times[0], size)
            times[1] = perf_counter_ns()

        details = loadgen.run(settings, library(system, load), issue, logs)
        duration = (times[1] - times[0]) / 1e9
        samples = len(latencies_ns)
        return Measurement(
            latency_ns=loadgen.latencies(details),
            throughput=samples / duration,
            queries=1,
            samples=samples,
            duration_s=duration,
            rules=(
                rules.min_duration(duration, load),
                rules.min_query_count(samples, load),
                rules.max_duration(duration, load, 0.0),
            ),
            loadgen=loadgen.verdict(details),
        )


def drain(
    system: SystemUnderTest, ids: list[int], indices: list[int], latencies_ns: array[int], start: int, size: int
) -> None:
    """Answer all samples; every session works in a thread of its own and takes the next ``size`` of them."""
    places = count(0, size)

    def work(session: int, failures: list[BaseException]) -> None:
        complete = loadgen.Responder().complete_all
        while not failures and (place := next(places)) < len(indices):
            end = place + size
            responses = system.answer_batch(indices[place:end], session)
            complete(ids[place:end], responses)
            latencies_ns.extend([perf_counter_ns() - start] * len(responses))

    in_threads(work, system.sessions)


def in_threads(work: Callable[[int, list[BaseException]], None], sessions: int) -> None:
    """Call ``work(0, failures) … work(sessions - 1, failures)`` side by side; they stop once ``failures`` is not empty.

    The first failure of any is raised here.
    """
    failures: list[BaseException] = []

    def guarded(session: int) -> None:
        try:
            work(session, failures)
        except BaseException as error:  # noqa: BLE001  carried to the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,), daemon=True) for n in range(1, sessions)]
    for thread in threads:
        thread.start()
    guarded(0)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
