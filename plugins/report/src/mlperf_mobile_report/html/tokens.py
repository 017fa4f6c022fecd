"""The section of the page about the tokens of a run: times over prompt length, and tokens per second over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlperf_mobile.results import latencies, tokens
from mlperf_mobile.results.tokens import Answer, TokenFacts
from mlperf_mobile_report.html.axis import linear
from mlperf_mobile_report.html.chart import COLUMNS, Chart, figure
from mlperf_mobile_report.html.markup import Markup, cut, element, facts, milliseconds, number, section, table
from mlperf_mobile_report.html.reduce import envelope
from mlperf_mobile_report.measures import ReportedResult

MOST_ANSWERS = 1_000_000
"""More are not drawn."""
LENGTHS = 20
"""Rows of a table of prompt lengths."""
WINDOWS = 20
"""Parts of the run in the chart over time."""
_MB = 1e-6


def token_section(one: ReportedResult) -> Markup | None:
    """Numbers and charts; None for a run without tokens."""
    timed = one.result.performance
    if timed is None or timed.tokens is None:
        return None
    found = timed.tokens
    charts = [] if found.times_undefined else [*_charts(one, timed.samples), _times(found)]
    parts = [_facts(found, timed.samples), element("div", *charts, class_="charts")]
    return section("Tokens", parts)


def _facts(found: TokenFacts, answers: int) -> Markup:
    def rate(value: float | None, what: str) -> str | None:
        return f"{number(value, 5).text} tokens/s {what}" if value is not None else None

    def lengths(values: dict[str, float]) -> str | None:
        if not values:
            return None
        low, high, mean = (number(values.get(name), 5).text for name in ("min", "max", "mean"))
        return f"{low} to {high} tokens, {mean} on average"

    memory = ", ".join(f"{value * _MB:,.0f} MB ({name})" for name, value in found.memory_bytes.items())
    ends = f"{found.stopped:,} of {answers:,} ended by a stop id, {found.cut:,} by the limit or the context"
    short = f"{found.short:,} answers have fewer than two tokens, or came in one piece, and have no time per token; "
    short += f"{found.empty:,} have no token"
    return facts([
        ("times of tokens", f"not defined: {cut(found.times_undefined)}" if found.times_undefined else None),
        ("generated", rate(found.generated_per_s, "of all answers over the whole run")),
        ("decode", rate(found.decode_per_s, "by the mean time per token")),
        ("decode over all", rate(found.decode_total_per_s, "of all tokens after the first ones, by all their time")),
        ("prefill", rate(found.prefill_per_s, "until the first token")),
        ("prompts", lengths(found.prompt)),
        ("answers", lengths(found.generated)),
        ("ends", ends),
        ("short", short if found.short else None),
        ("peak memory", memory or None),
    ])  # fmt: skip


def _times(found: TokenFacts) -> Markup:
    rows = [
        (what, *(milliseconds(values.get(name)) for name in ("mean", "p50", "p90", "p99", "min", "max")))
        for what, values in (("to the first token", found.ttft_ns), ("per token after it", found.tpot_ns))
        if values
    ]
    return table("Times of tokens, ms", ("time", "mean", "p50", "p90", "p99", "min", "max"), rows)


def _charts(one: ReportedResult, queries: int) -> Sequence[Markup]:
    """Charts of the answers in the result's folder, if they match the result."""
    path = one.folder / tokens.TOKENS
    try:
        if path.stat().st_size > 8 * tokens.FIELDS * MOST_ANSWERS:
            return [element("p", f"There are more than {MOST_ANSWERS:,} answers, so none are drawn.")]
    except OSError:
        return [element("p", "The result's folder has no answers, so there are no charts of them.")]
    found = list(tokens.answers(latencies.read(path), latencies.read(one.folder / latencies.FILE)))
    found = [each for each in found if each.new > 0 and each.prompt > 0 and 0 < each.first_ns <= each.latency_ns]
    if len(found) != queries:
        note = f"{tokens.TOKENS} has {len(found):,} answers with a first token, the result {queries:,} queries"
        charts = [element("p", element("strong", "Careful: "), note, class_="banner care")]
    else:
        charts = []
    if len(found) < 2:
        return charts
    several = [each for each in found if each.has_tpot]
    charts.append(_over_length(f"{one.key}-ttft", "Time to first token", found, [each.first_ns for each in found]))
    if len(several) > 1:
        spent = [tokens.time_per_token(each) for each in several]
        charts.append(_over_length(f"{one.key}-tpot", "Time per token", several, spent))
        if any(each.latency_ns > each.first_ns for each in several):
            charts.append(_rate_over_time(f"{one.key}-rate", found))
    return charts


def _over_length(key: str, title: str, found: Sequence[Answer], times_ns: Sequence[int]) -> Markup:
    """Minimum, median and maximum of a time for each length of the prompt."""
    order = np.argsort([each.prompt for each in found], kind="stable")
    lengths = np.array([found[place].prompt for place in order], float)
    values = np.array(times_ns, float)[order] * 1e-6
    columns = envelope(lengths, values, COLUMNS)
    x = linear("tokens of the prompt", 0.0, float(lengths[-1]), widen=False)
    y = linear("ms", 0.0, float(values.max()))
    description = (
        f"{title} of {len(found):,} answers to prompts of {lengths[0]:.0f} to {lengths[-1]:.0f} tokens: median "
        f"{columns[0].median:.4g} ms for the shortest, {columns[-1].median:.4g} ms for the longest"
    )
    chart = Chart(key, f"{title} over prompt length", description, x, y)
    chart.band([(each.at, each.least) for each in columns], [(each.at, each.greatest) for each in columns])
    chart.median((each.at, each.median) for each in columns)
    half = float(lengths[-1]) / LENGTHS / 2
    rows = [
        (number(each.at + half, 5), number(float(each.count)), number(each.least, 5), number(each.median, 5),
         number(each.greatest, 5))
        for each in envelope(lengths, values, LENGTHS)
    ]  # fmt: skip
    head = ("prompts up to, tokens", "answers", "minimum, ms", "median, ms", "maximum, ms")
    note = "The area spans minimum to maximum for prompts of a length, the line goes through the medians."
    return figure(f"{title} over prompt length", chart.svg(), note=note, data=table(title, head, rows))


def _rate_over_time(key: str, found: Sequence[Answer]) -> Markup:
    """Tokens after the first ones, divided by their time, in equal parts of the run."""
    ends = np.cumsum([each.latency_ns for each in found], dtype=float) / 1e9
    edges = np.linspace(0.0, float(ends[-1]), min(WINDOWS, len(found)) + 1)
    places = np.minimum(np.searchsorted(edges, ends, side="left") - 1, len(edges) - 2)
    points, rows = [], []
    for number_, until in enumerate(edges[1:]):
        part = [each for each, place in zip(found, places, strict=True) if place == number_]
        rate = tokens.decode_rate(part)
        if rate is not None:
            points.append((float(until), rate))
            rows.append((number(float(until), 4), number(float(len(part))), number(rate, 5)))
    x = linear("seconds, as the sum of the latencies so far", 0.0, float(edges[-1]), widen=False)
    y = linear("tokens/s", 0.0, max(rate for _, rate in points))
    description = f"{points[0][1]:.4g} tokens/s at the beginning, {points[-1][1]:.4g} tokens/s at the end"
    chart = Chart(key, "Tokens per second over time", description, x, y)
    chart.line(points)
    return figure(
        "Tokens per second over time", chart.svg(), note="Tokens after the first ones, divided by the time they took.",
        data=table("Tokens per second over time", ("until, s", "answers", "tokens/s"), rows),
    )  # fmt: skip
