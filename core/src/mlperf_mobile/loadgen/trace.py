"""The latency of every sample as LoadGen measures it, from LoadGen's trace.

LoadGen takes a query's latency between its own readings of the clock, before it calls the system and after the system
calls back. Only its trace has them one by one (mlcommons/inference, loadgen/loadgen.cc, ``SampleComplete``).
"""

from __future__ import annotations

import os
import re
import shutil
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlperf_mobile.results import tokens as token_log
from mlperf_mobile.results.latencies import summary

FILE = "mlperf_log_trace.json"
BYTES_PER_SAMPLE = 1000
"""An upper bound: 810 in server, 650 in single-stream, about 250 offline (measured)."""
FASTEST_OFFLINE_NS = 400_000
"""Per sample: LoadGen formats a trace in 4 µs per sample, next to sessions that use every CPU."""
FASTEST_SERVER_QPS = 1000.0
"""LoadGen formats a trace of server in 22 µs per query (measured), next to sessions that may use every CPU."""
_LATENCY = re.compile(rb'"complete_ns":(-?\d{1,18})[,}]')
_ARRIVAL = re.compile(rb'"name":"Sample",[^{}]{0,200}"ts":(\d{1,15}\.\d{3}),"args"')
"""When a sample was due, in microseconds with three decimals."""
_TOKEN_RUN = {
    name: re.compile(
        rb'"name":"%s",[^{}]{0,200}"args":\{"sample_seq":(\d{1,18}),[^{}]{0,300}"complete_ns":(-?\d{1,18})[,}]' % name
    )
    for name in (b"Sample", b"Token")
}
"""In a run with tokens, both the first token and the completion of a query have a ``complete_ns``."""
_CHUNK = 4 << 20
_LONGEST = 4096
"""Maximum bytes of an event; the end of a chunk is searched again with the next one."""


def read(path: Path) -> array[int]:
    """The latencies in nanoseconds, in the order in which LoadGen logged the completions, read in chunks.

    Raises:
        OSError: The trace cannot be read.
    """
    return _numbers(path, _LATENCY)


def read_arrivals(path: Path) -> array[int]:
    """When each sample was due by LoadGen's schedule, in nanoseconds since the first one, in the order of :func:`read`.

    Raises:
        OSError: The trace cannot be read.
    """
    due = _numbers(path, _ARRIVAL)
    first = min(due, default=0)
    return array("q", (each - first for each in due))


def read_tokens(path: Path) -> tuple[array[int], array[int]]:
    """The latencies and the times to the first token of a run with token latencies, in nanoseconds.

    Both are in the order of the queries.

    Raises:
        OSError: The trace cannot be read.
    """
    return _in_order(path, _TOKEN_RUN[b"Sample"]), _in_order(path, _TOKEN_RUN[b"Token"])


def _in_order(path: Path, pattern: re.Pattern[bytes]) -> array[int]:
    """Numbers by the sequence of their samples: first tokens may be reported, and are then logged, by many threads."""
    found = list[tuple[int, int]]()
    for text in _texts(path):
        found += [(int(sequence), int(value)) for sequence, value in pattern.findall(text)]
    return array("q", (value for _, value in sorted(found)))


def _numbers(path: Path, pattern: re.Pattern[bytes]) -> array[int]:
    values: array[int] = array("q")
    for text in _texts(path):
        _take(values, text, pattern)
    return values


def _texts(path: Path) -> Iterator[bytes]:
    """The file in pieces of whole events."""
    rest = b""
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            whole, newline, rest = (rest + data).rpartition(b"\n")
            yield whole + newline
            rest = rest[-_LONGEST:]
    yield rest


def _take(values: array[int], data: bytes, pattern: re.Pattern[bytes]) -> None:
    import numpy as np  # here: the launcher imports this package, and reads no trace

    found = [each.replace(b".", b"") for each in pattern.findall(data)]
    if found:
        values.frombytes(np.array(found, dtype=f"S{max(map(len, found))}").astype(np.int64).tobytes())


def fits(settings: Any, folder: Path) -> bool:
    """Whether a trace is harmless: the disk has space for twice its size, and it takes no CPU time from sessions.

    In single-stream it is formatted while the timed thread works. Offline it may take 1 % of one CPU, so runs
    of more than 2,500 samples per second have no trace, and neither have server runs of more than 1,000 queries.

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
    if scenario == "Server" and settings.server_target_qps > FASTEST_SERVER_QPS:
        return False
    queries = max(settings.min_query_count, settings.min_duration_ms / 1000 * rates.get(scenario, 0.0))
    samples = queries * (settings.multi_stream_samples_per_query if scenario == "MultiStream" else 1)
    try:
        return bool(shutil.disk_usage(folder).free > 2 * samples * BYTES_PER_SAMPLE)
    except OSError:
        return False


def replace(
    latencies_ns: array[int], path: Path, logged: Mapping[str, float], arrivals_ns: array[int] | None = None
) -> bool:
    """Replace the live latencies by those of the trace, and truncate the trace, which is large.

    Args:
        latencies_ns: The live latency of every completed sample.
        path: The trace.
        logged: Percentiles and bounds from LoadGen's detail log, by the names of a latency summary.
        arrivals_ns: The live time of arrival of every completed sample, replaced together with its latency.

    Returns:
        False, and nothing is replaced, if the trace is incomplete: it has another number of latencies, or other
        percentiles than the log.
    """
    try:
        with _emptied(path):
            counted = read(path)
            due = read_arrivals(path) if arrivals_ns is not None else array("q")
    except OSError:
        return False
    if len(counted) != len(latencies_ns) or not agree(counted, logged):
        return False
    if arrivals_ns is not None:
        if len(due) != len(counted):
            return False
        arrivals_ns[:] = due
    latencies_ns[:] = counted
    return True


def replace_tokens(
    latencies_ns: array[int],
    tokens: array[int],
    path: Path,
    logged: Mapping[str, float],
    first_logged: Mapping[str, float],
) -> bool:
    """Replace live latencies and times to the first token by those of the trace, and truncate the trace.

    Args:
        latencies_ns: The live latency of every completed query.
        tokens: The answers, as in ``tokens.bin``.
        path: The trace.
        logged: Percentiles and bounds of the latencies from LoadGen's detail log.
        first_logged: The same of the times to the first token.

    Returns:
        False, and nothing is replaced, if the trace is incomplete.
    """
    try:
        with _emptied(path):
            counted, first = read_tokens(path)
    except OSError:
        return False
    if len(counted) != len(latencies_ns) or not agree(counted, logged) or not agree(first, first_logged):
        return False
    if not token_log.counted(tokens, first):
        return False
    latencies_ns[:] = counted
    return True


@contextmanager
def _emptied(path: Path) -> Iterator[None]:
    """Truncate a trace after it was read, or could not be: it is large."""
    try:
        yield
    finally:
        with suppress(OSError):
            os.truncate(path, 0)


def agree(latencies_ns: Sequence[int], logged: Mapping[str, float]) -> bool:
    """Whether latencies have the percentiles and bounds that LoadGen logged, by the names of a latency summary."""
    if not latencies_ns:
        return False
    found = summary(latencies_ns)
    return all(found[name] == value for name, value in logged.items() if name != "mean")
