"""What the core offers to suites: seeds and counts of the rounds of MLPerf Mobile."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import SuiteInfo, hookimpl

ROUNDS = ("v0.7", "v1.0", "v1.1", "v2.0", "v2.1", "v3.0", "v3.1", "v4.0", "v4.1", "v5.0", "v6.0")


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuiteInfo]:
    """Offer what all benchmarks of a round have in common."""
    for name in ROUNDS:
        yield SuiteInfo(
            suite=name,
            summary=f"MLPerf Mobile {name}",
            settings=f"mlperf_mobile.rounds:rounds.yaml#{name}",
            hook_api=(2, 0),
        )
