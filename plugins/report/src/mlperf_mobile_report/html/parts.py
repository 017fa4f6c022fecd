"""The sections of the page about one result; everything in a result may be missing or hostile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mlperf_mobile.contracts import INFERENCE_AND_DECODING
from mlperf_mobile.performance_score import SAMPLES_PER_SECOND, displayed
from mlperf_mobile.printing import counted
from mlperf_mobile.results import latencies
from mlperf_mobile.results.columns import accuracy_margin
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.parts import LoadGenFacts
from mlperf_mobile.statistics import Sample, advice
from mlperf_mobile_report.html import latency
from mlperf_mobile_report.html.markup import (
    LONGEST,
    Markup,
    Number,
    cut,
    details,
    element,
    escape,
    facts,
    finite,
    join,
    milliseconds,
    number,
    section,
    shown,
    table,
)
from mlperf_mobile_report.measures import MOST_LATENCIES, ReportedResult

_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_MET = {
    True: element("span", "✓ yes", class_="met good"),
    False: element("span", "✗ NO", class_="met bad"),
}
_SCOPES = {"result": "Rules of the run", "submission": "Rules of the round"}


def verdict(result: Result) -> Markup:
    """The verdict in words, with a sign and a colour."""
    kind = "bad" if not result.valid else "care" if result.submittable is False or result.functional_only else "good"
    sign = {"bad": "✗", "care": "!", "good": "✓"}[kind]
    return element("span", f"{sign} {cut(result.verdict)}", class_=f"verdict {kind}")


def warnings(one: ReportedResult) -> Markup:
    """Banners: it ran on a stand-in, failed, or does not match its folder."""
    result = one.result
    parts = []
    if result.functional_only:
        why = f"Its responses are real, its speed is meaningless: {cut(result.functional_only)}"
        parts.append(element("p", element("strong", "FUNCTIONAL ONLY. "), why, class_="banner care"))
    doubts = result.interruptions.warnings if result.interruptions else []
    parts += [element("p", element("strong", "WARNING. "), cut(text), class_="banner care") for text in doubts]
    if result.error:
        code = element("strong", f"{cut(result.error.code)}: ")
        parts.append(element("p", code, cut(result.error.summary), class_="banner bad"))
        if result.error.stderr_tail:
            parts.append(details("Last words of the worker", element("pre", escape(result.error.stderr_tail[-4000:]))))
    return join(parts)


def key_numbers(one: ReportedResult) -> Markup:
    """The most important numbers."""
    performance, accuracy = one.result.performance, one.result.accuracy
    rows: list[tuple[str, str]] = []
    score = one.entry.score
    if score:
        rows.append((cut(score.name, 60), f"{number(score.value * displayed(score.unit)[0], 4).text} "
                                          f"{cut(displayed(score.unit)[1], 24)}"))  # fmt: skip
    elif performance:
        rows.append(("score", "none"))
    if performance and not (score and score.unit == SAMPLES_PER_SECOND):
        rows.append(("throughput", f"{number(performance.throughput, 4).text} samples/s"))
    if accuracy:
        above = accuracy_margin(one.result)
        beside = f" ({above:+.4g} to the target)" if above is not None else ""
        names = dict.fromkeys(("accuracy", cut(accuracy.metric, 40)))
        rows.append((", ".join(names), f"{shown(accuracy.value)}{beside}"))
    if one.standing:
        rows.append(("among official results", f"place {one.standing.place} of {one.standing.of + 1}"))
    return element(
        "dl", join(element("div", element("dt", name), element("dd", value)) for name, value in rows), class_="key"
    )


def facts_of(one: ReportedResult) -> Markup:
    """Benchmark, model, data, backend and rules of the run."""
    result = one.result
    model = result.model
    size = f", {model.bytes:,} bytes" if model.bytes is not None else ""
    size += f" in {len(model.files)} files" if model.files else ""
    timed = f", timed on {result.performance_dataset}" if result.performance_dataset else ""
    loadgen = result.performance.loadgen if result.performance else LoadGenFacts()
    rows = facts([
        ("task", result.task if result.task == result.benchmark else f"{result.benchmark} ({result.task})"),
        ("suite", result.suite),
        ("model", f"{model.name} ({model.format}{size})"),
        ("SHA-256", element("code", model.sha256 or "unknown")),
        ("files of the model", cut(", ".join(f"{name} {part.sha256[:12]}" for name, part in model.files.items()))),
        ("data set", f"{result.dataset}{timed}"),
        ("backend", f"{result.backend}, {result.runtime or 'runtime unknown'}"),
        ("accelerator", result.accelerator),
        ("scenario", f"{result.scenario}, {result.mode}, {result.rule_set} rules"),
        ("inputs", cut(", ".join(result.system.inputs) if result.system else "")),
        ("options", cut(result.options_text())),
        ("session", _session(result)),
        ("LoadGen", _loadgen(loadgen) if loadgen != LoadGenFacts() else None),
        ("created", result.created),
        ("run", element("code", cut(result.run_id))),
        ("folder", element("code", cut(one.entry.source))),
    ])  # fmt: skip
    return section("What was run", [rows])


def _session(result: Result) -> str | None:
    if result.session is None:
        return None
    return f"{result.session.mode}{', resumed' if result.session.resumed else ''}"


def _loadgen(facts: LoadGenFacts) -> str:
    word = {True: "VALID", False: "INVALID", None: "no verdict"}[facts.valid]
    reason = f": {cut(facts.reason)}" if facts.reason else ""
    return f"{word}{reason} (version {shown(facts.version)})"


def rules(one: ReportedResult) -> Markup:
    """Every rule with its observed and required values."""
    tables = []
    for scope, title in _SCOPES.items():
        found = [rule for rule in one.result.rules if rule.scope == scope]
        rows = [
            (cut(rule.name, 80), _MET[rule.ok], shown(rule.observed), shown(rule.required), cut(rule.note))
            for rule in found
        ]
        if rows:
            tables.append(table(title, ("rule", "met", "observed", "required", "remark"), rows))
    unverified = one.result.unverified
    if unverified:
        tables.append(table("Settings without a reliable source", ("setting", "why"), _rows(unverified)))
    return section("Rules", tables)


def speed(one: ReportedResult) -> Markup:
    """Throughput, percentiles, charts, and the share of each accelerator."""
    result = one.result
    sample = Sample(latencies.read(one.entry.latencies)) if one.entry.latencies else None
    timed = result.performance
    if timed is None:
        return section("Speed", [element("p", "There was no timed run.")])
    intervals = {
        name: (span.low, span.high if math.isfinite(span.high) else None)
        for name, share in _PERCENTILES.items()
        if sample and (span := sample.interval(share))
    }
    parts = [
        facts([
            ("timed", f"{_counts(timed)} in {number(timed.duration_s, 4).text} s"),
            ("timed region", timed.timed_region or INFERENCE_AND_DECODING),
            ("rate", timed.rate.line(timed.queries) if timed.rate else None),
        ]),
        element("div", *_latency_charts(one), latency.percentile_table(timed.latency_ns, intervals), class_="charts"),
    ]  # fmt: skip
    if sample and (found := advice(sample)):
        parts.append(element("p", "Reliability of the latencies; this does not affect the verdict:"))
        parts.append(element("ul", *(element("li", cut(each.text)) for each in found)))
    if timed.search:
        steps = [
            (number(step.target), _MET[step.valid], cut(step.why), "by the rules" if step.full else "trial",
             number(step.completed), *(milliseconds(step.latency_ns.get(name)) for name in ("p50", "p90", "p99")),
             number(step.over_bound), number(step.queries))
            for step in timed.search
        ]  # fmt: skip
        columns = ("target, queries/s", "valid", "why not", "run", "completed/s", "p50, ms", "p90, ms", "p99, ms",
                "over the bound", "queries")  # fmt: skip
        parts.append(table("Search for the highest valid rate", columns, steps))
    if timed.accelerators:
        shares = [
            (cut(name, 80), *(number(did.get(key)) for key in ("sessions", "samples", "throughput")),
             _percent(did.get("samples"), finite(timed.samples)), _percent(did.get("busy"), 1))
            for name, did in timed.accelerators.items()
        ]  # fmt: skip
        head = ("accelerator", "sessions", "samples", "samples/s", "share of the samples", "busy")
        parts.append(table("Accelerators", head, shares))
    return section("Speed", parts)


def _counts(timed: Performance) -> str:
    queries = "1 query" if timed.queries == 1 else f"{timed.queries:,} queries"
    return f"{counted(timed.samples, 'sample')}, {queries}"


def _percent(part: float | None, whole: float | None) -> Number:
    return Number(f"{part / whole:.1%}") if part is not None and math.isfinite(part) and whole else number(None)


def _latency_charts(one: ReportedResult) -> Sequence[Markup]:
    """Charts of the latencies in the result's folder, if they match the result."""
    path, timed = one.folder / latencies.FILE, one.result.performance
    try:
        size = path.stat().st_size // 8
    except OSError:
        return [element("p", "The result's folder has no latencies, so there are no charts of them.")]
    if size > MOST_LATENCIES:
        return [element("p", f"{size:,} latencies are too many; charts show up to {MOST_LATENCIES:,}.")]
    values = latencies.read(path)
    charts = latency.figures(
        one.key, values, timed.latency_ns if timed else {}, one_query=bool(timed and timed.queries == 1),
        duration_s=timed.duration_s if timed else 0.0,
    )  # fmt: skip
    doubts = one.entry.warnings
    if timed and len(values) != timed.samples and not doubts:
        doubts = [f"{latencies.FILE} has {len(values):,} latencies, the result says {timed.samples:,}"]
    charts += [element("p", element("strong", "Careful: "), cut(text), class_="banner bad") for text in doubts]
    return charts


def accuracy(one: ReportedResult) -> Markup:
    """The value, its target, and the margin between them."""
    measured = one.result.accuracy
    if measured is None:
        return section("Accuracy", [element("p", "There was no accuracy run.")])
    words = {True: ("✓ reached", "good"), False: ("✗ MISSED", "bad")}
    word, kind = words.get(bool(measured.passed), ("", "")) if measured.passed is not None else ("! not judged", "care")
    rows: list[tuple[str, object]] = [
        (cut(measured.metric, 80), f"{shown(measured.value)} of {counted(measured.samples, 'sample')}")
    ]
    if measured.target is not None:
        above = measured.value - measured.target
        share = f" ({above / measured.target:+.2%})" if measured.target else ""
        rows.append(("target", element("span", f"{shown(measured.target)} ", element("strong", word, class_=kind))))
        rows.append(("margin", f"{above:+.5g}{share}"))
        rows.append(("not judged because", cut(measured.unverified)))
    else:
        rows.append(("target", "none"))
    if measured.reference is not None:
        rows.append(("reference", shown(measured.reference)))
    rows.append(("source", cut(measured.source)))
    rows += [(cut(name, 80), shown(value)) for name, value in [*measured.details.items()][:50]]
    return section("Accuracy", [facts(rows)])


def placement(one: ReportedResult) -> Markup | None:
    """Where the operations ran."""
    found = one.result.placements
    rows: list[tuple[object, ...]] = []
    for name, facts_of_one in found.items():
        kernels = shown(facts_of_one.kernels) if facts_of_one.kernels else ""
        for place, count in facts_of_one.operations.items():
            which = facts_of_one.names.get(place)
            where = f"{name}: {place}" if len(found) > 1 else place
            rows.append((cut(where, 80), number(float(count)), kernels, shown(which) if which else ""))
    if not rows:
        return None
    return section(
        "Placement", [table("Operations by accelerator", ("ran on", "operations", "kernels", "which"), rows)]
    )


def everything(one: ReportedResult) -> Markup:
    """Compilation, the backend's report, the requested load, tensors, environment, versions."""
    result = one.result
    groups = {
        "Compilation": "compiled", "Report of the backend": "report", "Load of the plan": "load",
        "System under test": "system", "Environment": "environment", "Versions": "versions",
        "Digests of the logs (SHA-256)": "logs",
    }  # fmt: skip
    every = result.model_dump(mode="json", include=set(groups.values()))
    tables = [
        table(title, ("name", "value"), _rows(flat(data))) for title, key in groups.items() if (data := every[key])
    ]
    return details("Compilation, system, environment, versions", *tables, class_="more")


def flat(data: dict[str, Any], prefix: str = "", depth: int = 0) -> dict[str, object]:
    """Nested data by dotted keys; deeper levels as text."""
    found: dict[str, object] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        found |= (
            flat(value, f"{name}.", depth + 1) if isinstance(value, dict) and depth < 6 and value else {name: value}
        )
    return found


def _rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cut(str(name), 120), cut(shown(value), LONGEST)) for name, value in data.items()]
