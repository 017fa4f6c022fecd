"""The sections of the page that scenarios and observers fill: alarms, facts, charts and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlperf_mobile.contracts import Listing
from mlperf_mobile.plugin import Remark
from mlperf_mobile.results import views
from mlperf_mobile_report.html import curves, graph
from mlperf_mobile_report.html.markup import Markup, cut, details, element, facts, number, section, table
from mlperf_mobile_report.measures import ReportedResult


def scenario_section(one: ReportedResult) -> Markup | None:
    """What only the scenario of a result measures; None for most."""
    found = one.part
    if found is None:
        return None
    drawn = found.view("curves", lambda part: curves.figures(f"{one.key}-part", part.curves()))
    remarks = found.view("facts", lambda part: views.remarks(part.facts()))
    tables = found.view("listings", lambda part: [_shown(listing, 4) for listing in part.listings()])
    remarks += found.failed("curves", "facts", "listings")
    parts = [*_remarks(remarks), element("div", *drawn, class_="charts"), *tables]
    return section(cut(found.part.title or found.name, 80), parts)


def observations(one: ReportedResult) -> Iterable[Markup]:
    """The part of each observer: alarms, facts, graphs and tables."""
    for place, each in enumerate(one.observed):
        key = f"{one.key}-observed{place}"
        remarks = each.view("facts", lambda part: views.remarks(part.facts()))
        graphs = each.view("graphs", lambda part, key=key: graph.figures(key, part.graphs(one.folder)))  # type: ignore[misc]
        listings = each.view("listings", lambda part: [_listing(listing) for listing in part.listings()])
        remarks += each.failed("facts", "graphs", "listings")
        parts = [*_remarks(remarks), element("div", *graphs, class_="charts")]
        if any((remarks, graphs, listings)):
            yield section(cut(each.part.title or each.name, 80), parts + listings)


def _remarks(remarks: Sequence[Remark]) -> Iterable[Markup]:
    for alarm in (remark for remark in remarks if remark.alarm):
        yield element("p", element("strong", f"{cut(alarm.label, 80)}. "), cut(alarm.text), class_="banner bad")
    yield facts((cut(r.label, 80), cut(r.text)) for r in remarks if not r.alarm)


def _listing(listing: Listing) -> Markup:
    return details(cut(listing.title, 80), _shown(listing, 6))


def _shown(listing: Listing, digits: int) -> Markup:
    rows = [[cut(cell, 80) if isinstance(cell, str) else number(cell, digits) for cell in row] for row in listing.rows]
    title = cut(listing.title, 80)
    return table(title, [cut(name, 80) for name in listing.head], rows)
