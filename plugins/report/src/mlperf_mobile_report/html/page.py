"""The page: head, style and parts in one self-contained file without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files

from mlperf_mobile_report.compare.entry import ComparedResult
from mlperf_mobile_report.html import parts, pictures, profile, standing, together
from mlperf_mobile_report.html.markup import Markup, cut, element, join
from mlperf_mobile_report.html.observations import observations, scenario_section
from mlperf_mobile_report.html.tokens import token_section
from mlperf_mobile_report.measures import ReportedResult


def page(results: Sequence[ReportedResult], entries: Sequence[ComparedResult], warnings: Sequence[str] = ()) -> str:
    """The whole file.

    Args:
        results: In the order in which they are shown.
        entries: The same ones, and official results to compare them with.
        warnings: What had to be left out.
    """
    title = _title(results)
    style = Markup(files("mlperf_mobile_report.html").joinpath("style.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"mlperf-mobile {version('mlperf-mobile')}"),
        element("title", title),
        element("style", style),
    )
    sections = [_result(one, alone=len(results) == 1) for one in results]
    body = element(
        "body",
        element("a", "Skip to the results", href="#main", class_="skip"),
        element("header", element("h1", title), _navigation(results)),
        element("main", together.section(results, entries, warnings), *sections, id="main", tabindex="-1"),
        element("footer", element("p", f"Made by mlperf-mobile {version('mlperf-mobile')}. {_UNOFFICIAL}")),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


_UNOFFICIAL = "A result is official only when MLCommons has published it."


def _policy(style: str) -> str:
    """Allows no loading, sending or scripts, and only this page's style."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _title(results: Sequence[ReportedResult]) -> str:
    if len(results) == 1:
        result = results[0].result
        return f"{cut(result.benchmark, 60)}, {cut(result.scenario, 40)}: {result.verdict.split()[0].rstrip(',')}"
    return f"MLPerf Mobile: {len(results)} results"


def _navigation(results: Sequence[ReportedResult]) -> Markup:
    if len(results) < 2:
        return Markup()
    links = [("overview", "Overview"), *((one.key, _heading(one)) for one in results)]
    items = [element("li", element("a", name, href=f"#{key}")) for key, name in links]
    return element("nav", element("ul", *items), aria_label="Results")


def _heading(one: ReportedResult, *, alone: bool = False) -> str:
    label = "" if alone else f"{one.name}: "
    return f"{label}{cut(one.result.benchmark, 60)}, {cut(one.result.scenario, 40)}, {cut(one.entry.runs_on, 60)}"


def _result(one: ReportedResult, *, alone: bool) -> Markup:
    beside = element("div", join(part for part in (parts.accuracy(one), parts.placement(one)) if part), class_="beside")
    found = [
        element("p", parts.verdict(one.result)), parts.warnings(one), parts.key_numbers(one),
        element("div", parts.facts_of(one), parts.rules(one), class_="beside"), parts.speed(one), token_section(one),
        scenario_section(one),
        beside, profile.section_of(one.result.report), pictures.section_of(one),
        standing.against_official(one), *observations(one), parts.everything(one),
    ]  # fmt: skip
    return element(
        "section",
        element("h2", _heading(one, alone=alone), id=one.key),
        join(part for part in found if part is not None),
        class_="result", aria_labelledby=one.key,
    )  # fmt: skip
