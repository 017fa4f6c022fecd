"""What installed plugins offer, by kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mlperf_mobile.errors import MobileError
from mlperf_mobile.problems import Source
from mlperf_mobile.registry import Offer, Registry

KINDS = {
    "backend": "backends", "task": "tasks", "dataset": "datasets", "scenario": "scenarios", "suites file": "suites",
    "command": "commands", "observer": "observers", "transport": "transports", "runner": "runners",
    "executor": "executors",
}  # fmt: skip
"""The registry's attribute for each kind of offer."""


def offers(registry: Registry, plugin: str, distribution: str) -> Iterator[tuple[str, Offer[Any]]]:
    """Kind and offer of everything that a plugin offers."""
    for kind, offer in _all(registry):
        if offer.source[:2] == (plugin, distribution):
            yield kind, offer


def sources(registry: Registry, name: str) -> Iterator[Source]:
    """The plugins that offer something of this name, also if it is left out, or benchmarks of a suite of this name."""
    from mlperf_mobile.config.suites import suites

    for _, offer in _all(registry):
        if offer.info.name == name:
            yield offer.source
    for problem in registry.problems:
        if problem.offer and problem.offer[1] == name:
            yield from problem.rivals or (problem.source,)
    with suppress(MobileError):  # somebody's file of suites cannot be read
        if suite := suites(registry).get(name):
            yield from filter(None, (benchmark.source for benchmark in suite.benchmarks.values()))


def _all(registry: Registry) -> Iterator[tuple[str, Offer[Any]]]:
    for kind, attribute in KINDS.items():
        for offer in getattr(registry, attribute).values():
            yield kind, offer
