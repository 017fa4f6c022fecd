"""Runs a plugin's code in a separate process for one value, because it may crash, hang or print."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from mlperf_mobile import events


class Crashed(Exception):
    """The process ended without reporting a value."""


def measured_by(module: str, arguments: Sequence[str], timeout_s: float) -> dict[str, Any]:
    """The value that a module reports as :class:`events.Measured` on its ``--events-fd``.

    Args:
        module: A module of the core, run with ``python -m``.
        arguments: Its other arguments.
        timeout_s: Seconds; then the process is killed, with all processes that it started.

    Raises:
        TimeoutError: It reported nothing in time.
        Crashed: It ended without reporting a value.
    """
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-P", "-m", module, "--events-fd", str(write_fd), *arguments],
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
                raise TimeoutError
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    try:
        event = events.decode(bytes(output.splitlines()[-1]))
    except (IndexError, ValueError) as error:
        raise Crashed from error
    return event.value if isinstance(event, events.Measured) and isinstance(event.value, dict) else {}
