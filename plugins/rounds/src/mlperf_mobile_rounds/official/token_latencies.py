"""Times to the first token (TTFT) and per output token (TPOT) in a detail log, and the rates computed again from them.

Source: mlcommons/inference, loadgen/results.cc and logging.cc (5.1 to 6.0.17). LoadGen logs no number of tokens, but
rates that contain it: with its overhead, tokens / time until the last query was issued; without, tokens / sum of
latencies in nanoseconds, which is 10^9 times too small. An answer of one token or none makes it divide by -1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from mlperf_mobile import loadgen
from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

TTFT_TEXT, TPOT_TEXT = "early_stopping_ttft_result", "early_stopping_tpot_result"
_LADDER = ("min", "p50", "p90", "p95", "p97", "p99", "p99_9", "max")
_SHOWN = ("mean", "p50", "p90", "p99", "min", "max")
_PRINTED = 1e-5
"""The relative error of a product of two numbers of which LoadGen prints six digits."""
_NS = 1e9


@dataclass(frozen=True, slots=True)
class TokenLatencies:
    """What a log says about tokens."""

    ttft_ns: Mapping[str, float]
    """``mean min max p50 p90 p95 p97 p99 p99_9`` of the times to the first token, in nanoseconds."""
    tpot_ns: Mapping[str, float]
    """The same of the times per output token."""
    tokens: float | None
    """Of all answers, to about five digits; None if the log does not say."""
    queries: int | None
    mean_ns: float | None
    """The mean latency of a query."""
    contradictions: tuple[str, ...]
    """Numbers of the log that cannot be true together, or that no model can have."""

    @property
    def decode_per_s(self) -> float | None:
        """Tokens per second after the first one, as the app shows it: 1 / mean TPOT."""
        mean = self.tpot_ns.get("mean", 0.0)
        rate = _NS / mean if mean > 0 else 0.0
        return rate if 0 < rate < math.inf else None

    @property
    def decode_total_per_s(self) -> float | None:
        """All tokens after the first of their answers, divided by all the time after the first tokens."""
        spent = self._decoding_ns
        if not self.queries or self.tokens is None or spent is None or spent <= 0 or self.tokens <= self.queries:
            return None
        return (self.tokens - self.queries) / spent * _NS

    @property
    def _decoding_ns(self) -> float | None:
        """The time after the first tokens, of all answers."""
        if self.queries is None or self.mean_ns is None or "mean" not in self.ttft_ns:
            return None
        return self.queries * (self.mean_ns - self.ttft_ns["mean"])

    @property
    def per_answer(self) -> float | None:
        """Tokens of an answer, on average."""
        return self.tokens / self.queries if self.tokens is not None and self.queries else None

    def facts(self) -> TokenFacts:
        """The same for a result of this program; what only the individual answers say is left out."""
        total = None if self.tokens is None else float(round(self.tokens))
        lengths = {"mean": total / self.queries if total and self.queries else None, "total": total}
        return TokenFacts(
            ttft_ns={name: self.ttft_ns[name] for name in _SHOWN if name in self.ttft_ns},
            tpot_ns={name: self.tpot_ns[name] for name in _SHOWN if name in self.tpot_ns},
            decode_per_s=self.decode_per_s,
            decode_total_per_s=self.decode_total_per_s,
            generated={name: value for name, value in lengths.items() if value is not None},
        )


def of(log: DetailLog, queries: int | None) -> TokenLatencies | None:
    """The token latencies of a performance run in single-stream; None if LoadGen measured none.

    Args:
        log: The detail log.
        queries: How many there were.
    """
    if not log.flag("requested_use_token_latencies"):
        return None
    numbers = {key: value for key in log.entries if (value := log.number(key)) is not None}
    ttft, tpot = loadgen.first_token_latencies(numbers), loadgen.times_per_token(numbers)
    mean, busy = log.number("result_mean_latency_ns"), log.number("result_qps_with_loadgen_overhead")
    rate = log.number("result_token_throughput_with_loadgen_overhead")
    tokens = rate * (queries - 1) / busy if rate is not None and busy and queries and queries > 1 else None
    found = TokenLatencies(ttft, tpot, tokens, queries, mean, ())
    wrong = (*_order(ttft, tpot, loadgen.latencies(numbers)), *_tokens(found, log), *_stopping(log, queries))
    return TokenLatencies(ttft, tpot, tokens, queries, mean, wrong)


def _order(ttft: Mapping[str, float], tpot: Mapping[str, float], latency: Mapping[str, float]) -> Iterator[str]:
    """Percentiles rise, means are between the bounds, and no first token comes after the end of its answer."""
    for what, found in (("time to the first token", ttft), ("time per output token", tpot)):
        if missing := [name for name in ("mean", *_LADDER) if name not in found]:
            yield f"LoadGen logged no {what} ({', '.join(missing)})"
        known = [(name, found[name]) for name in _LADDER if name in found]
        for (low, a), (high, b) in pairwise(known):
            if a > b:
                yield f"{what}: {low} ({a:.0f} ns) is above {high} ({b:.0f} ns)"
        if known and "mean" in found and not known[0][1] - 1 <= found["mean"] <= known[-1][1] + 1:
            yield f"{what}: the mean ({found['mean']:.0f} ns) is outside of minimum and maximum"
    if ttft and not ttft.get("max"):
        yield "no first token was reported to LoadGen: all times to it are 0"
    if tpot.get("min", 0.0) < 0:
        lowest = f"the lowest time per output token is {tpot['min']:.0f} ns"
        yield f"an answer has fewer than two tokens, for which LoadGen divides by -1: {lowest}"
    for name in ttft.keys() & latency.keys():
        if ttft[name] > latency[name]:
            yield f"{name} of the times to the first token is {ttft[name]:.0f} ns, of whole answers {latency[name]:.0f}"


def _tokens(found: TokenLatencies, log: DetailLog) -> Iterator[str]:
    """All rates are of the same number of tokens, and the times per token fit it."""
    tokens, queries, mean = found.tokens, found.queries, found.mean_ns
    if tokens is None or not queries or mean is None:
        return
    plain = log.number("result_token_throughput")
    if plain is not None and mean > 0:
        expected = tokens / (mean * queries)
        if not any(math.isclose(plain, each, rel_tol=2 * _PRINTED) for each in (expected, expected * _NS)):
            yield f"result_token_throughput is {plain:g}; {tokens:.0f} tokens in {queries} answers give {expected:g}"
    least, most, spent = found.tpot_ns.get("min", 0.0), found.tpot_ns.get("max"), found._decoding_ns
    if least < 0 or most is None or spent is None:
        return
    if tokens < 2 * queries * (1 - _PRINTED):
        yield f"{tokens:.0f} tokens in {queries} answers: some have fewer than two"
        return
    later = tokens - queries
    doubt = 2 * _PRINTED * tokens * (most + 1) + 2 * queries
    if not least * later - doubt <= spent <= (most + 1) * later + doubt:
        yield (
            f"{later:.0f} tokens after the first ones of {least:.0f} to {most:.0f} ns each do not take the "
            f"{spent / _NS:.4f} s between first tokens and ends"
        )


def _stopping(log: DetailLog, queries: int | None) -> Iterator[str]:
    """Early stopping saw all queries, for both times."""
    for key in (TTFT_TEXT, TPOT_TEXT):
        seen = re.search(r"Processed at least \d+ queries \((\d{1,18})\)", log.text(key) or "")
        if seen and queries is not None and int(seen[1]) != queries:
            yield f"{key} saw {seen[1]} queries, the log says {queries}"
