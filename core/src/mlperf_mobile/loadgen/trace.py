"""The latency of every sample as LoadGen measures it, from LoadGen's trace.

LoadGen takes a query's latency between its own readings of the clock, before it calls the system and after the system
calls back. Only its trace has them one by one (mlcommons/inference, loadgen/loadgen.cc, ``SampleComplete``).
"""

from __future__ import annotations

import os
import re
import shutil
from array import array
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.results.latencies import summary

FILE = "mlperf_log_trace.json"
BYTES_PER_SAMPLE = 800
"""An upper bound: 650 in single-stream, about 250 offline (measured)."""
FASTEST_OFFLINE_NS = 400_000
"""Per sample: LoadGen formats a trace in 4 µs per sample, next to sessions that use every CPU."""
_LATENCY = re.compile(rb'"complete_ns":(-?\d{1,18})[,}]')
_CHUNK = 4 << 20
_LONGEST = 4096
"""Maximum bytes of an event; the end of a chunk is searched again with the next one."""


def read(path: Path) -> array[int]:
    """The latencies in nanoseconds, in the order in which LoadGen logged the completions, read in chunks.

    Raises:
        OSError: The trace cannot be read.
    """
    values: array[int] = array("q")
    rest = b""
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            whole, newline, rest = (rest + data).rpartition(b"\n")
            _take(values, whole + newline)
            rest = rest[-_LONGEST:]
    _take(values, rest)
    return values


def _take(values: array[int], data: bytes) -> None:
    found = _LATENCY.findall(data)
    if found:
        values.frombytes(np.array(found, dtype=f"S{max(map(len, found))}").astype(np.int64).tobytes())


def fits(settings: Any, folder: Path) -> bool:
    """Whether a trace is harmless: the disk has space for twice its size, and it takes no CPU time from sessions.

    In single-stream it is formatted while the timed thread works. Offline it may take 1 % of one CPU, so runs
    of more than 2,500 samples per second have no trace.

    Args:
        settings: LoadGen's ``TestSettings``.
        folder: An existing folder on the disk of the logs.
    """
    rates = {
        "SingleStream": 2e9 / max(1, settings.single_stream_expected_latency_ns),
        "MultiStream": 2e9 / max(1, settings.multi_stream_expected_latency_ns),
        "Server": settings.server_target_qps,
        "Offline": 1.1 * settings.offline_expected_qps,
    }
    scenario = settings.scenario.name
    if scenario == "Offline" and settings.offline_expected_qps * FASTEST_OFFLINE_NS > 1e9:
        return False
    queries = max(settings.min_query_count, settings.min_duration_ms / 1000 * rates.get(scenario, 0.0))
    samples = queries * (settings.multi_stream_samples_per_query if scenario == "MultiStream" else 1)
    try:
        return bool(shutil.disk_usage(folder).free > 2 * samples * BYTES_PER_SAMPLE)
    except OSError:
        return False


def replace(latencies_ns: array[int], path: Path, logged: Mapping[str, float]) -> bool:
    """Replace the live latencies by those of the trace, and truncate the trace, which is large.

    Args:
        latencies_ns: The live latency of every completed sample.
        path: The trace.
        logged: Percentiles and bounds from LoadGen's detail log, by the names of a latency summary.

    Returns:
        False, and nothing is replaced, if the trace is incomplete: it has another number of latencies, or other
        percentiles than the log.
    """
    try:
        counted = read(path)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            os.truncate(path, 0)
    if not counted or len(counted) != len(latencies_ns):
        return False
    found = summary(counted)
    if any(found[name] != value for name, value in logged.items() if name != "mean"):
        return False
    latencies_ns[:] = counted
    return True
