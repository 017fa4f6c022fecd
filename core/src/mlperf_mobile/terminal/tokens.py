"""The tokens of a run as lines of its card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlperf_mobile.results.tokens import TokenFacts

_MS = 1e-6


def lines(tokens: TokenFacts, answers: int, counted_by: object = None) -> Iterable[tuple[str, str]]:
    """Label and text of each line.

    Args:
        tokens: The facts.
        answers: The answers of the run.
        counted_by: ``system.tokens_counted_by`` of the result.
    """
    if tokens.times_undefined:
        yield "first token", f"not defined: {tokens.times_undefined}"
    for label, times in (("first token (ms)", tokens.ttft_ns), ("per token (ms)", tokens.tpot_ns)):
        if times:
            yield label, _times(times)
    if tokens.decode_per_s is not None and tokens.decode_total_per_s is not None:
        yield (
            "decode",
            f"{tokens.decode_per_s:.4g} tokens/s by the mean time per token, {tokens.decode_total_per_s:.4g} over all",
        )
    if tokens.prefill_per_s is not None:
        yield "prefill", f"{tokens.prefill_per_s:.4g} tokens/s until the first token"
    if tokens.generated_per_s is not None:
        yield "generated", f"{tokens.generated_per_s:.4g} tokens/s, of all answers over the whole run"
    if tokens.prompt:
        yield "prompts", _lengths(tokens.prompt)
        others = answers - tokens.stopped - tokens.cut
        ends = f"{tokens.stopped} ended by a stop id, {tokens.cut} cut off"
        ends += f", {others} otherwise" if others else ""
        yield "answers", f"{_lengths(tokens.generated)}; {ends}"
    if counted_by in ("engine", "tokenizer"):
        yield "counted by", "the engine itself" if counted_by == "engine" else "the task's tokenizer, from the text"
    if tokens.short:
        yield (
            "short answers",
            f"{tokens.short} of fewer than two tokens, or in one piece, without a time per token; {tokens.empty} empty",
        )
    for part in ("minute", "tenth"):
        first, last = (tokens.ends.get(f"{end}_{part}") for end in ("first", "last"))
        if first and last is not None:
            yield (
                "decode over all",
                (f"{first:.4g} tokens/s in the first {part}, {last:.4g} in the last ({last / first - 1:+.1%})"),
            )
    if memory := tokens.memory_bytes:
        shown = {"loaded": "after loading", "end": "at the end"}
        yield (
            "peak memory",
            ", ".join(f"{memory[key] / 1e6:.0f} MB {text}" for key, text in shown.items() if key in memory),
        )


def _times(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {values[name] * _MS:.3f}" for name in ("p50", "p90", "p99", "mean") if name in values)


def _lengths(values: Mapping[str, float]) -> str:
    return f"{values.get('min', 0):.0f} to {values.get('max', 0):.0f} tokens, {values.get('mean', 0):.4g} on average"
