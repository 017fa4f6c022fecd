"""Reads the latency of every sample from LoadGen's trace log: line by line, since no version of it is valid JSON."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

TRACE_LOG = "mlperf_log_trace.json"
MAX_LINE = 1 << 16
MAX_SAMPLES = 1 << 24
_BEGIN = re.compile(
    r'\{"name":\s*"(Sample|Token)".{0,80}?"ph":\s*"b".{0,200}?"ts":\s*(-?[\d.]{1,30}).{0,80}?"sample_seq":\s*(\d{1,18}),'
    r'\s*"query_seq":\s*(\d{1,18}),\s*"sample_idx":\s*(\d{1,18}),.{0,60}?"complete_ns":\s*(\d{1,18})'
)
_END = re.compile(r'\{"name":\s*"Sample".{0,80}?"ph":\s*"e".{0,200}?"ts":\s*(-?[\d.]{1,30})')


@dataclass(frozen=True, slots=True)
class Trace:
    """What a trace says about the samples of a test."""

    latencies_ns: array[int]
    """In the order of issue."""
    first_tokens_ns: array[int]
    """The times to the first token, in the same order; empty for other models than language models."""
    issued_s: float
    """From the first sample's issue to the last one's."""
    highest: int
    """The largest sample index."""
    misnumbered: int | None
    """The line of the first sample that does not follow the one before."""
    uneven: int | None
    """The line of the first sample whose begin and end are further apart than its latency, or less."""
    begun: bool
    ended: bool
    """Whether LoadGen's first and last words are there."""


def read(paths: Sequence[Path]) -> Trace:
    """Read a trace, or all of its parts as one.

    Raises:
        OSError: A file cannot be read.
    """
    latencies, first_tokens = array("q"), array("q")
    first = last = begin_us = 0.0
    highest, expected, misnumbered, uneven = -1, 0, None, None
    begun = ended = False
    for number, line in enumerate(_lines(paths), 1):
        begun = begun or (number == 1 and "traceEvents" in line)
        if '"Sample"' not in line and '"Token"' not in line:
            ended = ended or "LastTrace" in line
            continue
        if found := _BEGIN.search(line):
            begin_us, sequence, latency = _number(found[2]), int(found[3]), int(found[6])
            if found[1] == "Token":
                if len(first_tokens) < MAX_SAMPLES:
                    first_tokens.append(latency)
                continue
            if sequence != expected and misnumbered is None:
                misnumbered = number
            expected = sequence + 1
            first = first if latencies else begin_us
            last = begin_us
            highest = max(highest, int(found[5]))
            if len(latencies) < MAX_SAMPLES:
                latencies.append(latency)
        elif (found := _END.search(line)) and latencies and uneven is None:
            apart = (_number(found[1]) - begin_us) * 1000
            if abs(apart - latencies[-1]) > 2.5 + 1e-9 * abs(begin_us) * 1000:
                uneven = number
    return Trace(latencies, first_tokens, (last - first) / 1e6, highest, misnumbered, uneven, begun, ended)


def percentile(ordered: Sequence[int], share: float) -> int:
    """As LoadGen picks it from the sorted latencies (loadgen/results.cc): the one at ``count * share``, cut off."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _lines(paths: Sequence[Path]) -> Iterator[str]:
    """Lines over the borders of the parts; too long ones are cut."""
    held = ""
    with ExitStack() as stack:
        for path in paths:
            file = stack.enter_context(path.open(encoding="utf-8", errors="replace"))
            while piece := file.readline(MAX_LINE):
                held = (held + piece)[:MAX_LINE]
                if piece.endswith("\n"):
                    yield held
                    held = ""
    if held:
        yield held
