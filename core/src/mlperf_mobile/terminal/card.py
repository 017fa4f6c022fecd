"""Results as text on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from mlperf_mobile.campaigns.repeat import Repetitions
from mlperf_mobile.contracts import INFERENCE, Listing
from mlperf_mobile.performance_score import displayed, shown
from mlperf_mobile.plan import PYTHON
from mlperf_mobile.plugin import Remark
from mlperf_mobile.registry import Registry, installed_plugins
from mlperf_mobile.results import latencies, observed, scenario_part
from mlperf_mobile.results.accuracy import Accuracy
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.parts import SystemFacts
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.statistics import Sample, advice
from mlperf_mobile.terminal.console import CleanConsole, text
from mlperf_mobile.terminal.listing import listed
from mlperf_mobile.terminal.tokens import lines as token_lines

_MS = 1e-6


def print_results(results: Iterable[Result]) -> None:
    """Print every result with the remarks of plugins."""
    registry = installed_plugins()
    for result in results:
        CleanConsole().print(_panel(result, registry))


def print_repetitions(repeated: Iterable[Repetitions]) -> None:
    """Print the spread of the scores of repeated runs."""
    for each in repeated:
        swept = f" · {each.swept}" if each.swept else ""
        title = f"{each.benchmark} · {each.scenario}{swept} · {len(each.scores) + each.left_out} runs"
        median, scores = "no valid run", ""
        if each.scores:
            kind = each.scores[0]
            scale, unit = displayed(kind.unit)
            median = f"{kind.name}: {shown(each.median, kind.unit, 4)} at the median"
            scores = "  ".join(f"{score.value * scale:.4g}" for score in each.scores) + f"  {unit}"
        parts: list[RenderableType] = [text(median), text(scores), "", _rules(each.rules(), "rule")]
        CleanConsole().print(Panel(Group(*parts), title=text(title), expand=False))


def print_result(result: Result, *, full: bool = False) -> None:
    """Print one result with the remarks of plugins; ``full`` adds environment, versions and seeds."""
    CleanConsole().print(_panel(result, installed_plugins(), full=full))


def _panel(result: Result, registry: Registry, *, full: bool = False) -> RenderableType:
    remarks = registry.remarks(result)
    for problem in registry.failed_extras:
        print(problem.line(), file=sys.stderr)
    part = scenario_part.load(registry, result)
    listings = part.listings if part else ()
    lines = [*part.lines, *part.failed("listings")] if part else []
    return result_panel(result, remarks, [*lines, *observed.lines(registry, result.observed)], listings, full=full)


def result_panel(
    result: Result,
    remarks: Iterable[Remark] = (),
    observations: Iterable[Remark] = (),
    listings: Iterable[Listing] = (),
    *,
    full: bool = False,
) -> RenderableType:
    """One result in a frame, with the remarks of plugins, scenario and observers, and the scenario's tables."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in _lines(result, remarks, observations):
        facts.add_row(text(label), text(value))
    if full:
        for label, value in _stability(result):
            facts.add_row(text(label), text(value))
    parts: list[RenderableType] = [facts]
    for listing in listings:
        parts += ["", listed(listing)]
    warnings = result.interruptions.warnings if result.interruptions else ()
    for scope, head in (("result", "rule"), ("submission", "rule for submissions")):
        if rules := [rule for rule in result.rules if rule.scope == scope]:
            parts += ["", _rules(rules, head, warnings)]
    if full:
        parts += ["", _facts(result)]
    title = text(f"{result.benchmark} · {result.model.name} · {result.scenario}")
    verdict = "VALID, not submittable" if result.submittable is False and result.valid else result.verdict.split()[0]
    subtitle = text(verdict, style="bold green" if result.valid else "bold red")
    return Panel(Group(*parts), title=title, subtitle=subtitle, expand=False)


def _lines(result: Result, remarks: Iterable[Remark], observations: Iterable[Remark]) -> Iterable[tuple[str, str]]:
    yield "backend", f"{result.backend} ({result.runtime or 'runtime unknown'}) on {result.accelerator}"
    if device := result.device:
        named = [f"{device.manufacturer} {device.model}", device.soc, device.os]
        yield "device", ", ".join([device.address, *(part for part in map(str.strip, named) if part)])
    if result.runner != PYTHON:
        yield "runner", result.runner
    if result.functional_only:
        yield "FUNCTIONAL ONLY", f"its speed is meaningless: {result.functional_only}"
    timed = f", timed on {result.performance_dataset}" if result.performance_dataset else ""
    yield "data set", result.dataset + timed
    for warning in result.warnings:
        yield "WARNING", warning
    if result.system and result.system.inputs:
        yield "inputs", ", ".join(result.system.inputs)
    yield "rules", result.rule_set
    if result.swept:
        yield "swept", result.swept_text
    if result.options:
        yield "options", result.options_text()
    if result.performance:
        yield from _performance(result.performance, result.system)
    if result.accuracy:
        yield "accuracy", accuracy_text(result.accuracy)
    yield from ((remark.label, remark.text) for remark in remarks)
    placements = result.placements
    for name, placement in placements.items():
        kernels = ", ".join(f"{count} {kernel}" for kernel, count in placement.kernels.items())
        ran = ", ".join(f"{count} on {place}" for place, count in placement.operations.items())
        yield "operations" + (f" ({name})" if len(placements) > 1 else ""), ran + (f" ({kernels})" if kernels else "")
    for name, artifact in (result.compiled or {}).items():
        if artifact.kept or artifact.note:
            how = "found in the cache" if artifact.cached else "compiled"
            note = f"; {artifact.note}" if artifact.note else ""
            yield "compiled", f"for {name}: {how} in {artifact.seconds:.3f} s{note}"
    if result.performance and result.performance.loadgen.valid is not None:
        loadgen = result.performance.loadgen
        reason = f": {loadgen.reason}" if loadgen.reason else ""
        yield "LoadGen", f"{'VALID' if loadgen.valid else 'INVALID'}{reason}  [{loadgen.version}]"
    for warning in result.interruptions.warnings if result.interruptions else ():
        yield "WARNING", warning
    yield from ((line.label, line.text) for line in observations)
    if result.error:
        yield "error", f"{result.error.code}: {result.error.summary}"
        if result.error.code in ("worker-died", "worker-silent") and result.error.stderr_tail:
            yield "last output", "\n".join(result.error.stderr_tail.splitlines()[-5:])
    for note in result.notes:
        yield "note", note
    yield "folder", result.directory


def _stability(result: Result) -> Iterable[tuple[str, str]]:
    """The confidence interval of the score's percentile, and advice about the measurement, from the saved latencies.

    Empty if the score is not a percentile: then all latencies may be of one query.
    """
    performance = result.performance
    values = latencies.read(Path(result.directory) / latencies.FILE)
    percentile = performance.score.percentile if performance and performance.score else None
    if performance is None or percentile is None or len(values) != performance.samples:
        return
    try:
        sample = Sample(values)
    except ValueError:
        return
    found = sample.interval(percentile)
    low = f"{found.low * _MS:.3f}" if found.low > 0 else "?"
    high = f"{found.high * _MS:.3f}" if math.isfinite(found.high) else "?"
    yield f"p{percentile * 100:g} 95 % (ms)", f"{low} to {high}"
    for each in advice(sample):
        yield f"advice: {each.name}", each.text


def _performance(performance: Performance, system: SystemFacts | None) -> Iterable[tuple[str, str]]:
    if score := performance.score:
        yield "score", f"{score.text}, {score.name}"
    else:
        yield "score", "none: cannot be compared or ranked"
    if performance.timed_region == INFERENCE:
        yield "timed region", "inference only; outputs are decoded afterwards"
    for label, names in (("latency (ms)", ("p50", "p90", "p99")), ("", ("mean", "min", "max"))):
        latency = {name: performance.latency_ns[name] * _MS for name in names if name in performance.latency_ns}
        yield label, "  ".join(f"{name} {value:.3f}" for name, value in latency.items())
    if performance.tokens:
        counted_by = ((system and system.model_extra) or {}).get("tokens_counted_by")
        yield from token_lines(performance.tokens, performance.samples, counted_by)
    query = {name: performance.latency_ns.get(f"query_{name}") for name in ("p50", "p90", "p99")}
    if per_query := "  ".join(f"{name} {value * _MS:.3f}" for name, value in query.items() if value is not None):
        yield "per query (ms)", per_query
    if performance.rate:
        yield "rate", performance.rate.line(performance.queries)
    for number, step in enumerate(performance.search):
        yield "" if number else "search", step.line
    for part in ("minute", "tenth"):  # of the scenario sustained
        if (first := performance.latency_ns.get(f"first_{part}_p90")) is not None:
            last = performance.latency_ns[f"last_{part}_p90"]
            ends = f"p90 {first * _MS:.3f} in the first {part}, {last * _MS:.3f} in the last ({last / first - 1:+.1%})"
            yield "sustained (ms)", ends
    yield (
        "throughput",
        f"{_rate(performance.throughput)}  ({_samples(performance.samples)} in {performance.duration_s:.2f} s)",
    )
    if len(performance.accelerators) > 1:
        for name, did in performance.accelerators.items():
            share = f"{_rate(did['throughput'])}  ({_samples(int(did['samples']))}, {did['sessions']:.0f} sessions, "
            yield f"  on {name}", share + f"{did['busy'] * 100:.0f} % busy)"


def accuracy_text(accuracy: Accuracy) -> str:
    """The accuracy and its target, in one line."""
    line = f"{accuracy.metric} {accuracy.value:.4f} of {_samples(accuracy.samples)}".removeprefix("accuracy ")
    if accuracy.target is not None:
        sign = {True: "reached", False: "MISSED", None: "not judged: unverified"}[accuracy.passed]
        line += f"; target {accuracy.target:.4f} {sign}"
        line += f" (reference {accuracy.reference:.4f})" if accuracy.reference is not None else ""
    return f"{line}; {_rate(accuracy.samples / accuracy.duration_s)}" if accuracy.duration_s else line


def _rate(value: float) -> str:
    """Samples per second, with three digits where there are few."""
    return f"{value:.1f} samples/s" if value >= 10 else f"{value:.3g} samples/s"


def _samples(count: int) -> str:
    return f"{count} sample" if count == 1 else f"{count} samples"


def _rules(rules: Sequence[RuleResult], title: str, shown: Sequence[str] = ()) -> Table:
    """The table of rules; parts of their notes that are ``shown`` elsewhere are left out."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (title, "", "observed", "required", ""):
        table.add_column(column)
    for rule in rules:
        mark = text("ok", style="green") if rule.ok else text("NO", style="bold red")
        note = rule.note
        for warning in shown:
            note = note.replace(f"; {warning}", "")
        table.add_row(text(rule.name), mark, _number(rule.observed), _number(rule.required), text(note))
    return table


def _facts(result: Result) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    facts = {
        "run": result.run_id, "created": result.created, "model": f"{result.model.path} ({result.model.sha256})",
        **{f"model {name}": part.sha256 for name, part in result.model.files.items()},
        **{f"seed {key}": value for key, value in result.load.seeds.items()},
        **_flat("", result.system.model_dump(exclude_none=True) if result.system else {}),
        **{key: value for name, made in (result.compiled or {}).items()
           for key, value in _flat(f"compiled.{name}.", made.model_dump()).items() if value != ""},
        **_flat("report.", result.report or {}),
        **result.environment,
        "versions": [f"{name} {version}" for name, version in result.versions.items()],
    }  # fmt: skip
    for key, value in facts.items():
        table.add_row(text(key), text(_shown(value)))
    return table


def _flat(prefix: str, data: dict[str, Any]) -> dict[str, object]:
    """Nested data by dotted keys."""
    flat: dict[str, object] = {}
    for key, value in data.items():
        flat |= _flat(f"{prefix}{key}.", value) if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def _number(value: object) -> RenderableType:
    return text(f"{value:.6g}" if isinstance(value, float) else str(value))
