"""Ends a run on its device: a cancelled worker saves what it measured; one that does not obey is killed."""

from __future__ import annotations

import time
from collections.abc import Callable

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile_devices.asking import ask
from mlperf_mobile_devices.link import Link

STOP_S = 5.0
"""How long a cancelled worker may take before it is killed."""
_CANCEL = r"""
if [ -p "$1/$2/stdin" ]; then echo cancel 1<>"$1/$2/stdin"; fi
"""


def stop(link: Link[Transport], folder: str, is_alive: Callable[[], bool]) -> bool:
    """End a run; False if the device cannot be reached now, or refuses.

    Args:
        link: The connection, which from now on tries for a short time only.
        folder: The run's folder on the device, below the root.
        is_alive: Whether the run goes on.
    """
    link.limit_s = min(link.limit_s, STOP_S)

    def has_ended() -> bool:
        end = time.monotonic() + STOP_S
        while is_alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    try:
        ask(link, "cancel the run", _CANCEL, folder)
        if not has_ended():
            link.do(lambda t: t.signal(f"{t.root}/{folder}", "KILL"))
            has_ended()
    except DeviceError:
        return False
    return True
