"""Generations outside of the timed run: the warm-up before it, and the repetition of its answers after it."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlperf_mobile import rules
from mlperf_mobile.contracts import AnsweredCall, Rule, TokenIds
from mlperf_mobile.errors import BackendError
from mlperf_mobile.results.tokens import FIELDS, not_reported, whole_answers
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker.outputs import declared_variation
from mlperf_mobile.worker.token_answers import few
from mlperf_mobile.worker.token_system import TokenSystem

WARM_UP_TOKENS = 8
"""The most tokens of an answer in the warm-up; whole answers may take minutes."""
WARM_UP_PROMPTS = 1000
"""The most prompts of which the warm-up takes the longest."""
WHOLE_ANSWERS = 8
"""The number of whole answers to average, unless they take longer than :data:`LONGEST_S`."""
LONGEST_S = 30.0
"""How long a session may take for them, apart from the last one."""
_SHARE = 0.5
"""The share of their average that LoadGen receives, so that it prepares enough samples for shorter answers, too. With
fewer whole answers, the share is smaller."""


def spread(count: int) -> list[int]:
    """The samples, of the first ``count``, whose whole answers are timed: drawn, because data may be in an order."""
    return random.Random(0).sample(range(count), min(count, 2 * WHOLE_ANSWERS))  # noqa: S311  no secret


_HINT = "this is a defect of the backend; report it to its vendor. The conformance kit reproduces it"


class TokenChecks:
    """Checks that answers do not depend on earlier ones; nothing here is timed.

    Args:
        system: The system under test; its sessions are idle.
        backend: The backend's name.
    """

    def __init__(self, system: TokenSystem, backend: str) -> None:
        self._system, self._backend = system, backend
        self.variation = max(declared_variation(each, backend) for each in system.token_sessions)
        self.compared = 0
        """Responses of the timed run that were reproduced."""
        self.warnings: list[str] = []

    def warm_up(self, seconds: float, *, whole: bool = False) -> int:
        """Answer the longest prompt for a while, with few tokens, and the shortest one with a single token.

        Args:
            seconds: How long.
            whole: Whether to also answer some prompts completely: for a single query with all samples, whose number
                LoadGen derives from their rate.

        Returns:
            The expected latency for LoadGen, in nanoseconds: that of the fastest answer of one token, so that LoadGen
            prepares enough queries. With ``whole``, half the average of whole answers if that is more.
        """
        system = self._system
        samples = range(min(WARM_UP_PROMPTS, system.sample_count))
        system.load_samples(samples)
        longest, shortest = (extreme(samples, key=system.prompt_tokens) for extreme in (max, min))
        best = [2**62] * system.sessions

        def work(session: int, failures: list[BaseException]) -> None:
            end, once = time.perf_counter() + seconds, False
            first = system.generate(longest, session, few(system.how, WARM_UP_TOKENS))
            while not failures and not (once and time.perf_counter() >= end):
                started = time.perf_counter_ns()
                system.generate(shortest, session, few(system.how, 1))
                best[session] = min(best[session], time.perf_counter_ns() - started)
                again = system.generate(longest, session, few(system.how, WARM_UP_TOKENS))
                self._same(session, longest, first, again)
                once = True
            if whole and not failures:
                best[session] = max(best[session], self._expected_ns(session, spread(len(samples)), failures))

        in_threads(work, system.sessions)
        system.unload_samples(samples)
        system.check()
        return max(1, min(best))

    def _expected_ns(self, session: int, samples: Sequence[int], failures: Sequence[BaseException]) -> int:
        """A share of the average time of whole answers to some samples; the fewer answers, the smaller."""
        began, taken_ns = time.perf_counter_ns(), 0
        for index in itertools.islice(itertools.cycle(samples), WHOLE_ANSWERS):
            if failures or taken_ns > LONGEST_S * 1e9:
                break
            self._system.generate(index, session, self._system.how)
            taken_ns = time.perf_counter_ns() - began
        return round(_SHARE * taken_ns / WHOLE_ANSWERS)

    def whole_answers(self, scenario: str, duration_s: float, samples: int) -> tuple[dict[str, Any] | None, list[Rule]]:
        """The tokens of a scenario that does not report them itself, and the rule that some were generated.

        Args:
            scenario: The scenario's name.
            duration_s: Seconds of the timed run.
            samples: Its samples. A scenario may have answered others before, in trials; they are forgotten.

        Returns:
            None and no rule if no sample of the data set was answered.
        """
        answers = self._system.tokens
        del answers[: max(0, len(answers) - samples * FIELDS)]
        if not answers:
            return None, []
        found = whole_answers(answers, duration_s, not_reported(scenario))
        return found, [rules.token_count(found, len(answers) // FIELDS)]

    def again(self, answered: Sequence[AnsweredCall]) -> None:
        """Repeat answers of the timed run, the last one first; the responses must be the same."""
        system = self._system
        samples = sorted({index for each in answered for index in each.indices}) or [0]
        system.load_samples(samples)
        for each in reversed(answered):
            for index, timed in zip(each.indices, each.responses, strict=True):
                now = system.respond(system.generate(index, each.session, system.how))
                if now != timed and not self.variation:
                    what = f"the response to sample {index} differs from the response in the timed run"
                    raise BackendError("outputs-changed", f"backend {self._backend}: {what}", _HINT)
                self.compared += 1
        if system.was_asked or any(system.tokens[2::FIELDS]):  # first tokens were timed
            system.check_stream(answered[-1].indices[0] if answered else samples[0])
        system.unload_samples(samples)
        system.check()

    def _same(self, session: int, index: int, first: TokenIds, again: TokenIds) -> None:
        """Require equal ids, unless the session declares a variation, which one token may amplify."""
        if self.variation or np.array_equal(first, again):
            return
        what = f"the answer to sample {index} is {again.tolist()}, but was {first.tolist()} before another prompt"
        where = f"session {session + 1} of {self._system.sessions}, in the warm-up"
        raise BackendError("outputs-changed", f"backend {self._backend}: {what} ({where})", _HINT)
