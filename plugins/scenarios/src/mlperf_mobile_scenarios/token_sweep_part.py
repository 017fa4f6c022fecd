"""What a token sweep measured: times and rates by lengths of prompt and answer and by depth, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from pydantic import Field

from mlperf_mobile.contracts import Curves, Listing, ScenarioPart, TimedAnswer
from mlperf_mobile.plugin import Remark
from mlperf_mobile.results.parts import Integer, Number, Part

_MS = 1e-6
NEVER_SUBMITTED = "for engineers: a token sweep is no scenario of MLPerf Mobile, and never part of a submission"
_KINDS = {"samples": "pieces of the task's prompts", "random": "random ids of the task's prompts"}


class Spread(Part):
    """Repeated measurements of one number."""

    count: Integer
    mean: Number
    sd: Number | None = None
    """The sample standard deviation; None for a single measurement."""
    min: Number
    p50: Number
    """The median."""
    max: Number

    @classmethod
    def of(cls, values: Sequence[float]) -> Self | None:
        """The spread of the values; None if there are none."""
        if not values:
            return None
        return cls(
            count=len(values), mean=statistics.fmean(values),
            sd=statistics.stdev(values) if len(values) > 1 else None,
            min=float(min(values)), p50=float(statistics.median(values)), max=float(max(values)),
        )  # fmt: skip


class Combination(Part):
    """One combination of lengths, in tokens, and what its repeated answers took."""

    prompt: Integer
    answer: Integer
    """The tokens that were asked for."""
    depth: Integer
    """The tokens in the context before the prompt."""
    repetitions: Integer
    ttft_ns: Spread | None = None
    """From the issue of the prompt, with the context already processed, to the first token; None without tokens."""
    prefill_per_s: Spread | None = None
    """Tokens of the prompt divided by the time to the first token."""
    decode_per_s: Spread | None = None
    """Tokens after the first one divided by the time after it; None without answers of two tokens."""
    short: Integer = 0
    """Answers that the backend ended before they had the tokens that were asked for."""
    fewest: Integer
    """Tokens of the shortest answer."""

    @classmethod
    def of(cls, prompt: int, answer: int, depth: int, found: Sequence[TimedAnswer]) -> Self:
        """The numbers of a combination from its answers, of which there is at least one."""
        some = [each for each in found if each.tokens and each.first_ns > 0]
        several = [each for each in some if each.tokens > 1 and each.latency_ns > each.first_ns]
        return cls(
            prompt=prompt, answer=answer, depth=depth, repetitions=len(found),
            ttft_ns=Spread.of([float(each.first_ns) for each in some]),
            prefill_per_s=Spread.of([prompt / each.first_ns * 1e9 for each in some]),
            decode_per_s=Spread.of([
                (each.tokens - 1) / (each.latency_ns - each.first_ns) * 1e9 for each in several
            ]),
            short=sum(each.tokens < answer for each in found),
            fewest=min(each.tokens for each in found),
        )  # fmt: skip


class LeftOut(Part):
    """A combination of lengths that was not measured."""

    prompt: Integer
    answer: Integer
    depth: Integer
    why: str


class TokenSweepPart(ScenarioPart):
    """All combinations, in order of depth, prompt and answer."""

    title: ClassVar[str] = "Token sweep"
    columns: ClassVar[Mapping[str, str]] = {
        "sweep_combinations": "combinations of lengths that a token sweep measured",
        "sweep_least_ttft_ns": "its shortest mean time to the first token of a combination, in nanoseconds",
        "sweep_most_prefill_per_s": "its highest mean rate of prompt tokens of a combination, per second",
        "sweep_most_decode_per_s": "its highest mean rate of tokens after the first of a combination, per second",
    }

    note: str = NEVER_SUBMITTED
    prompts: str
    """``samples`` or ``random``: what prompts are made of."""
    seed: Integer
    """Of the prompts, and of the order of the combinations."""
    context: Integer
    """The most tokens that depth, prompt and answer may have together."""
    combinations: list[Combination]
    left_out: list[LeftOut] = Field(default_factory=list)

    def lines(self) -> Iterable[Remark]:
        count = len(self.combinations)
        made = f"prompts are {_KINDS.get(self.prompts, self.prompts)}"
        yield Remark("token sweep", f"{count} combinations of lengths in a context of {self.context} tokens; {made}")
        yield Remark("", self.note)
        if short := sum(each.short for each in self.combinations):
            text = f"{short} answers ended early by the backend; their rates are those of the tokens that came"
            yield Remark("SHORT ANSWERS", text, alarm=True)
        if count := len(self.left_out):
            yield Remark("left out", f"{count} combinations of lengths, in the table below")

    def values(self) -> Mapping[str, float | None]:
        rates = {
            name: [spread.mean for each in self.combinations if (spread := getattr(each, name))]
            for name in ("ttft_ns", "prefill_per_s", "decode_per_s")
        }
        return {
            "sweep_combinations": len(self.combinations),
            "sweep_least_ttft_ns": min(rates["ttft_ns"], default=None),
            "sweep_most_prefill_per_s": max(rates["prefill_per_s"], default=None),
            "sweep_most_decode_per_s": max(rates["decode_per_s"], default=None),
        }

    def listings(self) -> Iterable[Listing]:
        head = ["prompt", "answer", "depth", "TTFT ms", "± sd", "prefill/s", "± sd", "decode/s", "± sd", "runs"]
        rows: list[list[float | None]] = [
            [each.prompt, each.answer, each.depth, *_cells(each.ttft_ns, _MS), *_cells(each.prefill_per_s),
             *_cells(each.decode_per_s), each.repetitions]
            for each in self.combinations
        ]  # fmt: skip
        if any(each.short for each in self.combinations):
            head.append("shortest")
            for row, each in zip(rows, self.combinations, strict=True):
                row.append(each.fewest)
        yield Listing("Means by lengths in tokens; rates in tokens per second", head, rows)
        if self.left_out:
            lost = [(each.prompt, each.answer, each.depth, each.why) for each in self.left_out]
            yield Listing("Combinations that were left out", ("prompt", "answer", "depth", "why"), lost)

    def table(self) -> Iterable[Sequence[float | str | None]]:
        """Head and rows of a table with full digits, for CSV."""
        spreads, numbers = ("ttft_ns", "prefill_per_s", "decode_per_s"), ("mean", "sd", "min", "p50", "max")
        sizes = {"prompt_tokens": "prompt", "answer_tokens": "answer", "depth": "depth", "repetitions": "repetitions",
                 "short": "short", "fewest_tokens": "fewest"}  # fmt: skip
        yield (*sizes, *(f"{spread}_{name}" for spread in spreads for name in numbers))
        for each in self.combinations:
            found = (getattr(each, spread) for spread in spreads)
            cells = [getattr(spread, name, None) for spread in found for name in numbers]
            yield (*(getattr(each, name) for name in sizes.values()), *cells)

    def curves(self) -> Iterable[Curves]:
        times, prefills, decodes = _Lines(), _Lines(), _Lines()
        for each in self.combinations:
            depth = f"depth {each.depth}"
            if each.ttft_ns:
                times.add(depth, each.prompt, each.ttft_ns, _MS)
            if each.prefill_per_s:
                prefills.add(depth, each.prompt, each.prefill_per_s)
            if each.decode_per_s:
                decodes.add(f"answers of {each.answer}", each.depth + each.prompt, each.decode_per_s)
        yield Curves("Time to first token", "tokens of the prompt", "ms", times.means())
        yield Curves("Prefill", "tokens of the prompt", "tokens/s", prefills.means())
        yield Curves("Decode", "tokens in the context before the answer", "tokens/s", decodes.means())


class _Lines:
    """Points of lines; several at one place become their mean, weighted by their measurements."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[int, tuple[float, int]]] = {}

    def add(self, line: str, at: int, spread: Spread, factor: float = 1.0) -> None:
        """Add the measurements of one combination."""
        total, count = self._sums.setdefault(line, {}).get(at, (0.0, 0))
        self._sums[line][at] = total + spread.mean * factor * spread.count, count + spread.count

    def means(self) -> dict[str, list[tuple[float, float]]]:
        """The points of each line, in order."""
        return {
            line: [(float(at), total / count) for at, (total, count) in sorted(sums.items())]
            for line, sums in self._sums.items()
        }


def named(prompt: int, answer: int, depth: int) -> str:
    """A combination in words."""
    return f"a prompt of {prompt}, an answer of {answer}, depth {depth}"


def _cells(spread: Spread | None, factor: float = 1.0) -> tuple[float | None, float | None]:
    """Mean and standard deviation, to four digits: more of them are noise."""
    if spread is None:
        return None, None
    return _rounded(spread.mean * factor), _rounded(spread.sd * factor) if spread.sd is not None else None


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
