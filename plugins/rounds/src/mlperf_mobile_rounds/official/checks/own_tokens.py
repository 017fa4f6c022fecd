"""Compares the numbers about tokens of an own result with the saved answers and LoadGen's log."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import COUNTED
from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results import latencies, store, tokens
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import Result
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

MOST = 4 << 20
"""More answers, which are 128 MB, are not read."""
_NEAR_NS = 50_000
"""Live times to the first token begin when a query has reached us."""


def check(folder: Path, result: Result, log: DetailLog | None, report: Report) -> None:
    """Compare times, rates, lengths and the score with ``tokens.bin``, ``latencies.bin`` and LoadGen's log."""
    stored = result.performance
    assert stored is not None
    path, place = folder / tokens.TOKENS, Place(folder / store.RESULT, key="performance.tokens")
    if stored.tokens is None:
        report.require(
            "own-tokens", not _size(path), place, f"there are answers in {tokens.TOKENS}, but the result has no tokens"
        )
        return
    if _size(path) is None:
        report.error("own-tokens", Place(path), "it cannot be read")
        return
    if (_size(path) or 0) > 8 * tokens.FIELDS * MOST:
        report.skip("own-tokens", Place(path), f"it has more than {MOST} answers")
        return
    saved, taken = latencies.read(path), latencies.read(folder / latencies.FILE)
    counts = len(saved), tokens.FIELDS * len(taken)
    wrong = f"{stored.samples} samples, but {counts[0] / tokens.FIELDS:g} answers and {len(taken)} latencies were saved"
    report.require("own-tokens", counts == (counts[1], tokens.FIELDS * stored.samples), place, wrong)
    found = tokens.facts(saved, taken)
    for name in tokens.differing(stored.tokens, found):
        value = getattr(stored.tokens, name)
        report.error("own-tokens", Place(place.path, key=f"performance.tokens.{name}"),
                     f"{name} is {value}, the saved answers give {found[name]}")  # fmt: skip
    _ends(result, stored, list(tokens.answers(saved, taken)), place, report)
    if log is not None:
        _logged(stored, log, place, report)


def _size(path: Path) -> int | None:
    try:
        with open_regular(path) as file:
            return file.seek(0, 2)
    except OSError:
        return None


def _ends(result: Result, stored: Performance, found: list[tokens.Answer], place: Place, report: Report) -> None:
    """Every answer ended for the reason that was saved, and the score is the decode rate."""
    assert stored.tokens is not None
    generation = (result.system.model_extra or {}).get("generation") if result.system else None
    how = generation.get("performance") if isinstance(generation, dict) else None
    limit = how.get("max_new_tokens") if isinstance(how, dict) else None
    if isinstance(limit, int):
        longest = max((each.new for each in found), default=0)
        report.require("own-tokens", longest <= limit, place, f"an answer has {longest} tokens, the limit is {limit}")
    strange = sum(not 0 <= each.first_ns <= each.latency_ns or each.new < 0 or each.prompt < 1 for each in found)
    report.require("own-tokens", not strange, place, f"{strange} answers have impossible numbers")
    if stored.score is not None and stored.tokens.decode_per_s is not None:
        wrong = f"the score is {stored.score.value}, the decode rate is {stored.tokens.decode_per_s}"
        report.require("own-tokens", stored.score.value == stored.tokens.decode_per_s, place, wrong)


def _logged(stored: Performance, log: DetailLog, place: Place, report: Report) -> None:
    """LoadGen's own times, where it had the real number of tokens of every answer."""
    facts = stored.tokens
    assert facts is not None
    numbers = {key: entry.value for key, entry in log.entries.items() if isinstance(entry.value, int | float)}
    spread = 0 if stored.latency_source == COUNTED else _NEAR_NS
    pairs = []
    if not facts.empty:
        pairs.append(("ttft_ns", facts.ttft_ns, loadgen.first_token_latencies(numbers)))
    if not facts.short:
        pairs.append(("tpot_ns", facts.tpot_ns, loadgen.times_per_token(numbers)))
    for name, ours, logged in pairs:
        for key in sorted(ours.keys() & logged.keys()):
            near = abs(int(ours[key]) - int(logged[key])) <= spread
            wrong = f"{key} is {ours[key]:.0f} ns, LoadGen's log says {logged[key]:.0f} ns"
            report.require("own-logs", near, Place(place.path, key=f"performance.tokens.{name}.{key}"), wrong)
