"""Token-sweep: time to first token, prefill and decode rate of a language model, by lengths of prompt and answer."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from mlperf_mobile import rules
from mlperf_mobile.contracts import (
    Generation,
    Load,
    Measurement,
    PromptedSystem,
    SystemUnderTest,
    TimedAnswer,
    TokenIds,
)
from mlperf_mobile.errors import UsageError
from mlperf_mobile.results.latencies import summary
from mlperf_mobile_scenarios.csv_file import CsvFile
from mlperf_mobile_scenarios.options import TokenSweepOptions
from mlperf_mobile_scenarios.token_prompts import PromptMaker
from mlperf_mobile_scenarios.token_sweep_part import Combination, LeftOut, TokenSweepPart, named

DEFAULT_PROMPTS = (16, 32, 64, 128, 256, 512, 1024)
"""Tokens: from a short question to several pages."""
COMBINATIONS = "token_sweep.csv"
"""One row for each combination, with full digits."""
ANSWERS = "token_sweep_answers.csv"
"""One row for each measured answer, in the order in which they were measured; those of a stopped run, too."""
_HEAD = ("prompt_tokens", "answer_tokens", "depth", "repetition", "tokens", "first_token_ns", "latency_ns")
_WARM_UP_TOKENS = 8


class Lengths(NamedTuple):
    """One combination, in tokens."""

    depth: int
    prompt: int
    answer: int

    @property
    def total(self) -> int:
        """What the context must hold."""
        return self.depth + self.prompt + self.answer


class TokenSweep:
    """Prompts of the scenario's own, one after another, by the clock of this process.

    Each repetition goes through all combinations in an order of its own, so that heat and other work do not meet the
    same ones, and every answer has a prompt of its own, so that a backend that keeps results of earlier prompts gains
    nothing. An answer is as long as asked for: no stop ids are given to the session. Before the first repetition, each
    combination is answered once, with few tokens, which is not counted.
    """

    parallel = False

    def __init__(self, options: TokenSweepOptions) -> None:
        self._options = options
        self.planned = 0
        """Answers of the whole sweep, as far as counts decide; 0 until the model's context is known."""

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        """See :meth:`mlperf_mobile.contracts.Scenario.run`.

        Raises:
            UsageError: ``bad-options``: no combination fits into the context of the model.
        """
        if not isinstance(system, PromptedSystem):
            raise UsageError("no-tokens", "scenario token-sweep is for language models", "choose another scenario")
        chosen, left_out = self.combinations(system)
        prompts = PromptMaker(system, self._options.prompts)
        seed = load.seeds.sample_index
        for number, lengths in enumerate(chosen):
            few = lengths._replace(answer=min(_WARM_UP_TOKENS, lengths.answer))
            _ask(system, prompts, few, seed, number, 0)
        answers: dict[Lengths, list[TimedAnswer]] = {each: [] for each in chosen}
        repetitions = self._options.repetitions or load.min_query_count
        self.planned = repetitions * len(chosen)
        began, stopped, done = perf_counter(), False, 0
        with CsvFile(logs / ANSWERS) as file:
            file.add(_HEAD)
            while not stopped and (done < repetitions or perf_counter() - began < load.min_duration_s):
                done += 1
                for number in np.random.default_rng([seed, done]).permutation(len(chosen)).tolist():
                    lengths = chosen[number]
                    answer = _ask(system, prompts, lengths, seed, number, done)
                    latencies_ns.append(answer.latency_ns)
                    answers[lengths].append(answer)
                    sizes = lengths.prompt, lengths.answer, lengths.depth
                    file.add((*sizes, done, answer.tokens, answer.first_ns, answer.latency_ns))
                    stopped = 0 < load.max_duration_s <= perf_counter() - began
                    if stopped:
                        break
        duration = perf_counter() - began
        left_out += [_left_out(each, "the maximum duration was reached") for each in chosen if not answers[each]]
        part = TokenSweepPart(
            prompts=self._options.prompts, seed=seed, context=system.context, left_out=left_out,
            combinations=[
                Combination.of(each.prompt, each.answer, each.depth, found) for each, found in answers.items() if found
            ],
        )  # fmt: skip
        with CsvFile(logs / COMBINATIONS) as file:
            for row in part.table():
                file.add(row)
        few_tokens = [
            each.tokens for lengths, found in answers.items() for each in found if each.tokens < min(2, lengths.answer)
        ]
        counts = {"short": len(few_tokens), "empty": few_tokens.count(0)}
        least = min(map(len, answers.values()))
        return _measurement(part, load, latencies_ns, duration, counts, least, stopped=stopped)

    def combinations(self, system: PromptedSystem) -> tuple[list[Lengths], list[LeftOut]]:
        """The combinations to measure, by depth, prompt and answer, and those that cannot be.

        Raises:
            UsageError: ``bad-options``: there is nothing to measure.
        """
        options, context = self._options, system.context
        prompts = options.prompt_tokens
        if prompts is None:
            needed = min(options.answer_tokens) + min(options.depths)
            prompts = [each for each in DEFAULT_PROMPTS if each + needed <= context] or [DEFAULT_PROMPTS[0]]
        every = [
            Lengths(depth, prompt, answer)
            for depth in sorted(options.depths)
            for prompt in sorted(prompts)
            for answer in sorted(options.answer_tokens)
        ]
        why = {
            each: f"{each.total} tokens do not fit into the context of {context}" if each.total > context
            else "the backend cannot say when a context is filled" if each.depth and not system.has_depth else ""
            for each in every
        }  # fmt: skip
        chosen = [each for each in every if not why[each]]
        if not chosen:
            first = every[0]
            summary = f"scenario token-sweep: no combination of lengths can be measured; {_name(first)}: {why[first]}"
            raise UsageError("bad-options", summary, "choose shorter prompt_tokens and answer_tokens, or depths 0")
        return chosen, [_left_out(each, why[each]) for each in every if why[each]]


def _ask(
    system: PromptedSystem, prompts: PromptMaker, lengths: Lengths, seed: int, number: int, repetition: int
) -> TimedAnswer:
    """The answer to a prompt of its own; without stop ids."""
    ids = prompts.make(lengths.depth + lengths.prompt, seed, number, repetition)
    context: TokenIds | None = ids[: lengths.depth] if lengths.depth else None
    return system.ask(ids[lengths.depth :], Generation(lengths.answer), context)


def _left_out(lengths: Lengths, why: str) -> LeftOut:
    return LeftOut(prompt=lengths.prompt, answer=lengths.answer, depth=lengths.depth, why=why)


def _name(lengths: Lengths) -> str:
    return named(lengths.prompt, lengths.answer, lengths.depth)


def _measurement(
    part: TokenSweepPart,
    load: Load,
    latencies_ns: Sequence[int],
    duration_s: float,
    counts: Mapping[str, int],
    least: int,
    *,
    stopped: bool,
) -> Measurement:
    """The measurement of a sweep, which has no score: its numbers are many, and no run of another kind has them.

    The combination with the fewest answers has ``least``.
    """
    count, counted = len(latencies_ns), rules.min_query_count(least, load, stopped)
    return Measurement(
        latency_ns=_times(latencies_ns),
        throughput=count / duration_s,
        queries=count,
        samples=count,
        duration_s=duration_s,
        rules=(
            rules.min_duration(duration_s, load),
            replace(counted, note=counted.note or "answers of each combination of lengths"),
            rules.max_duration(duration_s, load, max(latencies_ns) / 1e9),
            rules.token_count(counts, count),
        ),
        part=part,
    )


def _times(latencies_ns: Sequence[int]) -> Mapping[str, float]:
    found = summary(latencies_ns)
    return {name: found[name] for name in ("p50", "p90", "p99", "mean", "min", "max")}
