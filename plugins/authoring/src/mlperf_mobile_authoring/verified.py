"""Facts about a backend's conformance for the results of its runs."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import EnvFact
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.resources.folder import conformance_record


def facts(backend: str) -> Iterable[EnvFact]:
    """One fact: what the kit found, or that the plugin has changed since; none if it was never verified."""
    registry = installed_plugins()
    offer = registry.backends.get(backend)
    if not offer or not conformance_record(offer.source.distribution, offer.source.plugin).exists():
        return
    from mlperf_mobile.conformance import status  # takes a while, and few plugins were verified here

    if found := status(offer.source, registry.module(offer.source)):
        counts = ", ".join(f"{found[key]} {key}" for key in ("passed", "failed", "skipped"))
        yield EnvFact("conformance", f"{found['state']}: {counts}; {found['verified']}, core {found['core']}")
