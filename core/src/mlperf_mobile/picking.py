"""Picks an offer by its name, or reports why it is missing: left out, its plugin failed, or not installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.registry import InfoT, Offer, Problem, Registry


def pick(
    kind: str,
    name: str,
    offers: Mapping[str, Offer[InfoT]],
    registry: Registry,
    source: str = "",
    also: Iterable[str] = (),
) -> Offer[InfoT]:
    """The offer called ``name``; ``also`` are other names that are valid here.

    Raises:
        UsageError: It does not exist; the hint has similar names, or why it was left out.
    """
    if name in offers:
        return offers[name]
    place = f"{source}: " if source else ""
    for problem in registry.problems:
        if _concerns(problem, kind, name):
            reason = problem.reason if problem.offer else f"{problem.source} failed with {problem.reason}"
            raise UsageError(f"unknown-{kind}", f"{place}{kind} {name!r} is left out: {reason}", problem.fix)
    hint = near(name, {*offers, *also}, registry)
    raise UsageError(f"unknown-{kind}", f"{place}no {kind} is called {name!r}", hint)


def near(name: str, known: Collection[str], registry: Registry) -> str:
    """A hint for an unknown ``name``: similar names, what to install, and plugins that failed."""
    hint = did_you_mean(name, known) if known else "none is installed; pip install 'mlperf-mobile[all]' installs all"
    failed = [f"{problem.source} ({problem.reason})" for problem in registry.problems if not problem.offer]
    return f"{hint}; it may be in a plugin that failed: {', '.join(failed)}" if failed else hint


def _concerns(problem: Problem, kind: str, name: str) -> bool:
    """Whether ``problem`` is why the offer is missing; the offers of a failed plugin are guessed from its name."""
    if problem.offer:
        return (problem.offer[0].replace(" ", ""), problem.offer[1]) == (kind, name)
    suffix = name.replace("_", "-")
    return suffix == problem.source.plugin or problem.source.distribution.endswith(f"-{suffix}")
