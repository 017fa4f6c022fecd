"""The hooks that plugins implement: their names, arguments and what they offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mlperf_mobile.plugin import (
        BackendInfo,
        CommandInfo,
        DatasetInfo,
        EnvFact,
        ExecutorInfo,
        ObserverInfo,
        Remark,
        RunnerInfo,
        ScenarioInfo,
        SuitesInfo,
        TaskInfo,
        TransportInfo,
    )
    from mlperf_mobile.results.model import Result

PROJECT = "mlperf_mobile"
"""The entry-point group, and the prefix of every hook."""

hookspec = pluggy.HookspecMarker(PROJECT)


class HookSpecs:
    """Every hook. Each plugin is called separately; no hook is called in the timed region."""

    @hookspec
    def mlperf_mobile_backends(self) -> Iterable[BackendInfo]:
        """Offer inference backends."""
        return ()

    @hookspec
    def mlperf_mobile_tasks(self) -> Iterable[TaskInfo]:
        """Offer benchmark tasks."""
        return ()

    @hookspec
    def mlperf_mobile_datasets(self) -> Iterable[DatasetInfo]:
        """Offer data sets."""
        return ()

    @hookspec
    def mlperf_mobile_scenarios(self) -> Iterable[ScenarioInfo]:
        """Offer load scenarios."""
        return ()

    @hookspec
    def mlperf_mobile_suites(self) -> Iterable[SuitesInfo]:
        """Offer files that list suites and their benchmarks."""
        return ()

    @hookspec
    def mlperf_mobile_environment(self, backend: str) -> Iterable[EnvFact]:
        """Add facts about driver, SDK or device to a result that ``backend`` is about to measure."""
        return ()

    @hookspec
    def mlperf_mobile_commands(self) -> Iterable[CommandInfo]:
        """Offer commands of ``mlperf-mobile``."""
        return ()

    @hookspec
    def mlperf_mobile_observers(self) -> Iterable[ObserverInfo]:
        """Offer observers, which watch every run."""
        return ()

    @hookspec
    def mlperf_mobile_transports(self) -> Iterable[TransportInfo]:
        """Offer transports, which reach devices."""
        return ()

    @hookspec
    def mlperf_mobile_runners(self) -> Iterable[RunnerInfo]:
        """Offer runners, which carry out runs instead of the core's worker."""
        return ()

    @hookspec
    def mlperf_mobile_executors(self) -> Iterable[ExecutorInfo]:
        """Offer executors, which carry out campaigns elsewhere."""
        return ()

    @hookspec
    def mlperf_mobile_remarks(self, result: Result) -> Iterable[Remark]:
        """Add remarks to a displayed result; its verdict and its files do not change."""
        return ()
