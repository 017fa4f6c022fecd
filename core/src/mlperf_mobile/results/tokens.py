"""The tokens of a timed run: what was counted for each answer, and the rates that follow from it.

LoadGen logs times to the first token and per output token, but its rates of tokens are wrong by a factor of 10^9 or
leave out the last query (mlcommons/inference, loadgen/results.cc), and an answer of one token divides by zero there
(loadgen/logging.cc). All rates of a result are therefore computed here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from pydantic import Field

from mlperf_mobile.results.latencies import summary
from mlperf_mobile.results.parts import Integer, Number, Part

TOKENS = "tokens.bin"
"""Four little-endian signed 64-bit integers for each answer, in the order of ``latencies.bin``: the fields of
:class:`Answer`, without the latency."""
FIELDS = 4
AT_ONCE = 4
"""Added to the end of an answer of which several tokens came in a single piece, so that they have no time of their own.
"""
_SHOWN = ("mean", "p50", "p90", "p99", "min", "max")


class End(IntEnum):
    """What ended an answer."""

    LIMIT = 0
    """``max_new_tokens``."""
    STOP_ID = 1
    CONTEXT = 2
    """The context was full."""
    OTHER = 3
    """The session returned fewer tokens, and none of the stop ids at the end."""


class Answer(NamedTuple):
    """What was counted for one answer."""

    prompt: int
    """Tokens of the prompt."""
    new: int
    """Tokens of the answer."""
    first_ns: int
    """Nanoseconds from the issue of the query to its first token; 0 for an answer without tokens, and for one whose
    first token was not reported."""
    end: int
    """One of :class:`End`."""
    latency_ns: int
    """Nanoseconds from the issue of the query to the complete response."""
    at_once: bool = False
    """Whether several of its tokens came in a single piece."""

    @property
    def has_tpot(self) -> bool:
        """Whether it has a time per output token."""
        return self.new > 1 and not self.at_once


class TokenFacts(Part):
    """Times to the first token (TTFT) and per output token (TPOT), rates and lengths of a timed run."""

    ttft_ns: dict[str, Number] = Field(default_factory=dict)
    """``mean p50 p90 p99 min max`` of the time to the first token, over answers with a token."""
    tpot_ns: dict[str, Number] = Field(default_factory=dict)
    """The same of (latency - TTFT) / (tokens - 1), over answers with at least two tokens."""
    decode_per_s: Number | None = None
    """Tokens per second after the first one: 1 / mean TPOT, as the reference app shows it."""
    decode_total_per_s: Number | None = None
    """All tokens after the first of each answer, divided by all the time after the first tokens."""
    prefill_per_s: Number | None = None
    """All tokens of prompts with an answer, divided by the sum of their TTFT."""
    prompt: dict[str, Number] = Field(default_factory=dict)
    """``mean p50 min max total`` of the lengths of prompts, in tokens."""
    generated: dict[str, Number] = Field(default_factory=dict)
    """The same of the answers."""
    stopped: Integer = 0
    """Answers that a stop id ended."""
    cut: Integer = 0
    """Answers that the limit or the context ended."""
    short: Integer = 0
    """Answers without TPOT: those with fewer than two tokens, and those whose tokens came in a single piece."""
    empty: Integer = 0
    """Those of them without any token."""
    ends: dict[str, Number] = Field(default_factory=dict)
    """Of the scenario ``sustained``: ``decode_total_per_s`` of the ``first_minute`` and the ``last_minute``, or of the
    ``first_tenth`` and the ``last_tenth``."""
    generated_per_s: Number | None = None
    """Where no first token is reported, as in offline: all tokens of answers, divided by the duration of the run."""
    times_undefined: str = ""
    """Why there are no times to the first token and per token; empty if there are."""
    memory_bytes: dict[str, Integer] = Field(default_factory=dict)
    """The worker's largest resident memory until the model was ``loaded``, and until the ``end`` of the timed run."""


def answers(tokens: Sequence[int], latencies_ns: Sequence[int]) -> Iterator[Answer]:
    """The answers in the content of ``tokens.bin`` and ``latencies.bin``; as many as both have."""
    for place, latency in zip(range(0, len(tokens) - FIELDS + 1, FIELDS), latencies_ns, strict=False):
        prompt, new, first_ns, end = tokens[place : place + FIELDS]
        at_once = AT_ONCE <= end < 2 * AT_ONCE
        yield Answer(prompt, new, first_ns, end - AT_ONCE * at_once, latency, at_once)


def facts(tokens: Sequence[int], latencies_ns: Sequence[int]) -> dict[str, Any]:
    """The values of :class:`TokenFacts` that follow from a run's answers, as JSON data.

    Times and rates are those of the answers whose first token was reported.
    """
    found = list(answers(tokens, latencies_ns))
    some = [each for each in found if each.new and each.first_ns]
    several = [each for each in some if each.has_tpot]
    tpot = [time_per_token(each) for each in several]
    mean_tpot = sum(tpot) / len(tpot) if tpot else 0.0
    first_ns = sum(each.first_ns for each in some)
    return {
        "ttft_ns": _times([each.first_ns for each in some]),
        "tpot_ns": _times(tpot),
        "decode_per_s": 1e9 / mean_tpot if mean_tpot > 0 else None,
        "decode_total_per_s": decode_rate(several),
        "prefill_per_s": sum(each.prompt for each in some) / first_ns * 1e9 if first_ns > 0 else None,
        "prompt": _lengths([each.prompt for each in found]),
        "generated": _lengths([each.new for each in found]),
        "stopped": sum(each.end == End.STOP_ID for each in found),
        "cut": sum(each.end in (End.LIMIT, End.CONTEXT) for each in found),
        "short": sum(not each.has_tpot for each in found),
        "empty": sum(not each.new for each in found),
    }


def whole_answers(tokens: Sequence[int], duration_s: float, why: str) -> dict[str, Any]:
    """The values of :class:`TokenFacts` for a run whose first tokens were not reported, as JSON data.

    Args:
        tokens: The content of ``tokens.bin``.
        duration_s: Seconds of the timed run.
        why: Why times to the first token and per token are not defined.
    """
    found = facts(tokens, [0] * (len(tokens) // FIELDS))
    total = found["generated"].get("total", 0.0)
    return found | {"generated_per_s": total / duration_s, "times_undefined": why}


def not_reported(scenario: str) -> str:
    """Why times to the first token and per token are not defined in a scenario that does not ask for them."""
    return f"scenario {scenario} asks for whole answers, so their first tokens are not reported"


def time_per_token(answer: Answer) -> int:
    """TPOT in nanoseconds of an answer of at least two tokens, rounded down as LoadGen does (loadgen/logging.cc)."""
    return (answer.latency_ns - answer.first_ns) // (answer.new - 1)


def decode_rate(found: Sequence[Answer]) -> float | None:
    """Tokens per second after the first ones: a ratio of sums, in which short answers count for little."""
    timed = [each for each in found if each.has_tpot]
    spent = sum(each.latency_ns - each.first_ns for each in timed)
    return sum(each.new - 1 for each in timed) / spent * 1e9 if spent > 0 else None


def counted(tokens: array[int], first_ns: Sequence[int]) -> bool:
    """Replace the times to the first token by LoadGen's; False, and nothing is replaced, if their number differs."""
    if len(first_ns) * FIELDS != len(tokens):
        return False
    for number, time_ns in enumerate(first_ns):
        if tokens[number * FIELDS + 1]:  # LoadGen was told of a first token for every query, also for empty answers
            tokens[number * FIELDS + 2] = time_ns
    return True


def differing(stored: TokenFacts, found: Mapping[str, Any]) -> list[str]:
    """The names of the facts whose stored values do not follow from the answers; rates may differ by rounding."""
    wrong = []
    for name, value in found.items():
        given = getattr(stored, name)
        pairs = [(given.get(key), each) for key, each in value.items()] if isinstance(value, dict) else [(given, value)]
        if any(not _same(one, other) for one, other in pairs):
            wrong.append(name)
    return wrong


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))


def _times(values: Sequence[int]) -> dict[str, float]:
    if not values:
        return {}
    found = summary(values)
    return {name: found[name] for name in _SHOWN}


def _lengths(values: Sequence[int]) -> dict[str, float]:
    if not values:
        return {}
    found = summary(values)
    return {name: found[name] for name in ("mean", "p50", "min", "max")} | {"total": float(sum(values))}
