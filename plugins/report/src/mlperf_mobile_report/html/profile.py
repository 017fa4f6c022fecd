"""The section of a result with its backend's profile: the slowest operators; everything in it may be hostile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlperf_mobile_report.html.markup import Markup, cut, element, finite, number, section, shown, table

_HEAD = ("operator", "place in the model", "mean", "unit", "share")


def section_of(report: Mapping[str, Any] | None) -> Markup | None:
    """The profile of each accelerator; None if no backend reported one.

    Args:
        report: By accelerator, what the backend reported: ``profile`` has ``nodes``, each with ``node``, ``mean``,
            ``unit``, ``share`` and perhaps ``index``; ``phases``, the steps around them; or ``problem``.
    """
    found: list[Markup] = []
    for accelerator, reported in (report or {}).items():
        profile = reported.get("profile") if isinstance(reported, dict) else None
        if isinstance(profile, dict):
            found += _one(cut(accelerator, 60), profile)
    return section("Profile of the operators", found) if found else None


def _one(accelerator: str, profile: Mapping[str, Any]) -> list[Markup]:
    if "problem" in profile:
        return [element("p", f"{accelerator}: {cut(shown(profile['problem']))}")]
    nodes = [each for each in _list(profile.get("nodes")) if isinstance(each, dict)]
    nodes.sort(key=lambda each: -(finite(each.get("mean")) or 0.0))
    rows = [
        (
            cut(shown(each.get("node")), 120), number(finite(each.get("index"))), number(finite(each.get("mean"))),
            cut(shown(each.get("unit")), 20), _percent(finite(each.get("share"))),
        )
        for each in nodes
    ]  # fmt: skip
    found = [table(f"Slowest operators on {accelerator}{_totals(profile, len(rows))}", _HEAD, rows)] if rows else []
    phases = profile.get("phases")
    steps = [
        (cut(str(name), 120), number(finite(each.get("mean"))), cut(shown(each.get("unit")), 20))
        for name, each in (phases.items() if isinstance(phases, dict) else ())
        if isinstance(each, dict)
    ]
    return [*found, table(f"Steps around them on {accelerator}", ("step", "mean", "unit"), steps)] if steps else found


def _totals(profile: Mapping[str, Any], listed: int) -> str:
    """The number of all operators, and the sum of their times where the backend has it."""
    count, total = finite(profile.get("node_count")), finite(profile.get("total"))
    words = f", {listed} of {shown(count)}" if count is not None else ""
    if total is not None:
        words += f"; all of them together {shown(total)} {cut(shown(profile.get('unit')), 20)} for a run"
    return words


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
