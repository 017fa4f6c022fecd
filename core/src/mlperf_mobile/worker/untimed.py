"""Calls of the model outside of the timed run: the warm-up before it, and the repetition of its calls after it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from mlperf_mobile.contracts import AnsweredCall
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker.outputs import Checks
from mlperf_mobile.worker.system import System

WARM_UP_SAMPLES = 8
WARM_UP_CALLS = 3
"""Minimum: first calls may compile, and LoadGen prepares too few queries if the expected latency is too long."""


def load(system: System) -> list[int]:
    """Load the samples of the warm-up; returns their indices."""
    samples = list(range(min(max(WARM_UP_SAMPLES, system.batch), system.sample_count)))
    system.load_samples(samples)
    return samples


def warm_up(system: System, samples: Sequence[int], seconds: float, checks: Checks) -> int:
    """Run every session for a while on these samples, and unload them.

    The outputs are checked before and after, outside of the measured calls.

    Returns:
        The best latency of one call, in nanoseconds.
    """
    batch = ([*samples] * math.ceil(system.batch / len(samples)))[: system.batch]
    best = [2**62] * system.sessions

    def work(session: int, failures: list[BaseException]) -> None:
        checks.first(session, samples)
        end, calls = time.perf_counter() + seconds, 0
        while not failures:
            started = time.perf_counter_ns()
            if system.sessions == 1 and system.batch == 1:
                system.answer(samples[0])
            else:
                system.answer_batch(batch, session)
            best[session] = min(best[session], time.perf_counter_ns() - started)
            calls += 1
            if calls >= WARM_UP_CALLS and time.perf_counter() >= end:
                known = checks.repeat(session, samples, "at the end of the warm-up")
                checks.vary(session, samples, known)
                return

    in_threads(work, system.sessions)
    system.unload_samples(samples)
    return max(1, min(best))


def answer_again(system: System, checks: Checks, answered: Sequence[AnsweredCall]) -> None:
    """Repeat the first and last calls of each session in the timed run, and compare the responses."""
    reported = {each.session for each in answered}
    silent = [session for session in range(system.sessions) if session not in reported]
    samples = sorted({index for each in answered for index in each.indices} | set(range(2 if silent else 0)))
    samples = [index for index in samples if index < system.sample_count]
    system.load_samples(samples)
    checks.again(answered)
    for session in silent:
        checks.repeat(session, samples, "after the timed run")
    system.unload_samples(samples)
