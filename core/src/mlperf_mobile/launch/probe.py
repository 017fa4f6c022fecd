"""Probes a backend in a separate process, so that a driver can crash or hang without harm."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from mlperf_mobile import events

TIMEOUT_S = 60.0
MOST_AT_ONCE = 4


def probe_all(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """:func:`probe` for each backend, a few at a time."""
    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(names) or 1)) as pool:
        return dict(zip(names, pool.map(probe, names), strict=True))


def probe(name: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """The fields of a :class:`mlperf_mobile.contracts.Probe` of the backend ``name``; never raises."""
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-P", "-m", "mlperf_mobile.worker.probe", "--events-fd", str(write_fd), name],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=(write_fd,), start_new_session=True,
    )  # fmt: skip
    os.close(write_fd)
    output = bytearray()
    deadline = time.monotonic() + timeout_s
    try:
        with os.fdopen(read_fd, "rb", buffering=0) as pipe:
            while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                data = pipe.read(65536)
                output += data
                if not data or len(output) > events.MAX_LINE:
                    break
            else:
                return _unusable(f"its probe did not answer within {timeout_s:g} s", "check its driver or SDK")
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # with all processes that a driver started
        process.wait()
    try:
        event = events.decode(bytes(output.splitlines()[-1]))
    except (IndexError, ValueError):
        return _unusable("loading it crashed the process", "check its driver or SDK, or update the plugin")
    value = event.value if isinstance(event, events.Measured) else {}
    return _unusable("", "") | value


def _unusable(reason: str, fix: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"runtime": "", "versions": {}, "accelerators": [], "devices": [], "functional_only": {}}
    return {"usable": False, "reason": reason, "fix": fix} | nothing
