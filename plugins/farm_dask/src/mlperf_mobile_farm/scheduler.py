"""The scheduler of a farm: Dask's, which also lists the hosts, and lets its many workers report less often."""

from __future__ import annotations

from typing import Any

from distributed import Scheduler

from mlperf_mobile_farm.work import PREFIX

HEARTBEAT_S = 15.0
"""Seconds between two reports of a worker. A host that dies is noticed by its connection, so that these matter only for
one that hangs; hundreds of devices that report every few seconds keep a core busy."""


class FarmScheduler(Scheduler):  # type: ignore[misc]  # Dask has no types
    """A scheduler for hundreds of workers that each have one device."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.handlers["mlperf_mobile_farm_hosts"] = self.farm_hosts

    def farm_hosts(self) -> dict[str, str]:
        """The address of the worker that answers for a host, by the host's name."""
        names = ((str(worker.name), worker.address) for worker in self.workers.values())
        return {name.removeprefix(PREFIX): address for name, address in names if name.startswith(PREFIX)}

    def heartbeat_worker(self, **given: Any) -> dict[str, Any]:
        """As Dask's, with a longer interval if there are many workers."""
        answer: dict[str, Any] = super().heartbeat_worker(**given)
        if "heartbeat-interval" in answer and len(self.workers) > 10:
            answer["heartbeat-interval"] = max(HEARTBEAT_S, answer["heartbeat-interval"])
        return answer
