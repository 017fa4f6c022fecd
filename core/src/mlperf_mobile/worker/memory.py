"""The memory of a run: how many encoded samples fit, and how much the worker has used at most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mlperf_mobile.contracts import TensorSpec

MEMORY_FOR_SAMPLES = 500_000_000
"""Bytes of encoded samples that performance runs hold by default (mobile_app_open, flutter/cpp/dataset.h)."""
_STATUS = Path("/proc/self/status")


def fit_in_memory(inputs: Sequence[TensorSpec]) -> int:
    """How many encoded samples are held in memory by default."""
    size = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in inputs)
    return max(1, MEMORY_FOR_SAMPLES // max(1, size))


def peak_bytes(status: Path = _STATUS) -> int | None:
    """The largest resident memory of this process so far; None if the system does not say (proc_pid_status(5), VmHWM).

    The maximum of ``getrusage`` is no use: it includes what the parent had when it forked this process.
    """
    with suppress(OSError, ValueError, IndexError):
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
