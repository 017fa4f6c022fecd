"""Where a result stands among the published ones: the nearest of them, with this one between them."""

from __future__ import annotations

from mlperf_mobile_report.html.markup import Markup, element, section, table
from mlperf_mobile_report.measures import ReportedResult
from mlperf_mobile_rounds.reference.table import published_results

_NEAR = 5
"""Published results shown on either side."""


def against_official(one: ReportedResult) -> Markup | None:
    """The nearest published results, with this one among them."""
    found = one.standing
    if found is None:
        return None
    sign = -1 if found.higher_is_better else 1
    rows = [row for row in published_results() if (row.benchmark, row.scenario) == (found.benchmark, found.scenario)]
    rows = [row for row in rows if row.division == "closed"] or rows  # as for the standing
    rows.sort(key=lambda row: sign * row.value)
    start = max(0, found.place - 1 - _NEAR)
    near = rows[start : found.place - 1 + _NEAR]
    lines = [
        (f"{row.device}, {row.soc}", row.round, row.text, row.accuracy, row.runs_on, row.organisation) for row in near
    ]
    mine = (one.name, "this result", one.entry.text, "", one.entry.runs_on, "")
    lines.insert(found.place - 1 - start, mine)
    sentence = f"Place {found.place} of {found.of + 1} on {found.benchmark}, {found.scenario}: {found.sentence}."
    title = f"The nearest of {found.of} published results, the fastest first"
    head = ("device", "round", rows[0].score.name, "accuracy", "ran on", "submitter")
    marked = table(title, head, lines, marked=[lines.index(mine)])
    return section("Official results", [element("p", sentence), marked])
