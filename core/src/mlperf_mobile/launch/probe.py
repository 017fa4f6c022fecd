"""Probes a backend in a separate process, so that a driver can crash or hang without harm."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlperf_mobile.launch.separate import Crashed, measured_by

TIMEOUT_S = 60.0
MOST_AT_ONCE = 4


def probe_all(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """:func:`probe` for each backend, a few at a time."""
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(names) or 1)) as pool:
        return dict(zip(names, pool.map(probe, names), strict=True))


def probe(name: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """The fields of a :class:`mlperf_mobile.contracts.Probe` of the backend ``name``; never raises."""
    try:
        value = measured_by("mlperf_mobile.worker.probe", [name], timeout_s)
    except TimeoutError:
        return _unusable(f"its probe did not answer within {timeout_s:g} s", "check its driver or SDK")
    except Crashed:
        return _unusable("loading it crashed the process", "check its driver or SDK, or update the plugin")
    return _unusable("", "") | value


def _unusable(reason: str, fix: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"runtime": "", "versions": {}, "accelerators": [], "devices": [], "functional_only": {}}
    return {"usable": False, "reason": reason, "fix": fix} | nothing
