"""Latencies as a run saved them, and their percentiles as LoadGen defines them."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mlperf_mobile.regular_files import open_regular

FILE = "latencies.bin"
"""The latency of every completed sample in ns, in order of completion: little-endian signed 64-bit integers."""

ARRIVALS = "arrivals.bin"
"""When each of these samples was due, in the same form and order: nanoseconds since the first one."""


def append(path: Path, latencies_ns: array[int]) -> None:
    """Add latencies to the end of a file."""
    if sys.byteorder == "big":
        latencies_ns.byteswap()
    with path.open("ab") as file:
        latencies_ns.tofile(file)


def write_at(path: Path, place: int, latencies_ns: array[int]) -> None:
    """Write latencies after the first ``place`` of a file; can be repeated after an error.

    Raises:
        OSError: It cannot be written completely.
    """
    if sys.byteorder == "big":
        latencies_ns.byteswap()
    start = place * latencies_ns.itemsize
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.ftruncate(fd, start)
        data = memoryview(latencies_ns).cast("B") if latencies_ns else memoryview(b"")
        while data:
            written = os.pwrite(fd, data, start)
            start, data = start + written, data[written:]
    finally:
        os.close(fd)


def replace(path: Path, latencies_ns: array[int]) -> None:
    """Replace a file of latencies atomically.

    Raises:
        OSError: It cannot be written.
    """
    complete = path.with_name(f".{path.name}.whole")
    try:
        complete.unlink(missing_ok=True)
        append(complete, latencies_ns[:])
        complete.replace(path)
    except OSError:
        with suppress(OSError):
            complete.unlink(missing_ok=True)
        raise


def read(path: Path) -> array[int]:
    """The saved latencies in nanoseconds; empty if the file does not exist. An incomplete last value is left out."""
    values: array[int] = array("q")
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError:
        return values
    values.frombytes(data[: len(data) - len(data) % values.itemsize])
    if sys.byteorder == "big":
        values.byteswap()
    return values


def summary(latencies_ns: Sequence[int]) -> dict[str, float]:
    """``p50 p90 p95 p97 p99 p99_9 mean min max`` in nanoseconds.

    The percentile ``p`` of ``n`` values is the value at index ``int(n * p)`` of the sorted ones
    (mlcommons/inference, loadgen/results.cc).

    Raises:
        ValueError: There are no latencies.
    """
    if not latencies_ns:
        raise ValueError("no latencies")
    ordered = sorted(latencies_ns)
    count = len(ordered)
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p97": 0.97, "p99": 0.99, "p99_9": 0.999}
    found = {name: float(ordered[int(count * share)]) for name, share in shares.items()}
    return found | {"mean": sum(ordered) / count, "min": float(ordered[0]), "max": float(ordered[-1])}
