"""Settings of Dask for a farm: many workers in one process, each for one device, that do nothing while it measures."""

from __future__ import annotations

import logging
import warnings

import dask

_SETTINGS = {
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.limit": "1h",
    "distributed.comm.timeouts.connect": "30s",
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.allowed-failures": 1_000_000,  # a session is not to blame for a host that died
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.worker.daemon": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
}


def configure(*, debug: bool = False) -> None:
    """Apply the settings to this process; with ``debug``, Dask's own log is shown."""
    dask.config.set(_SETTINGS)
    if not debug:
        warnings.filterwarnings("ignore", module="distributed")
        for name in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
