"""Asks a device's own mlperf-mobile, in the environment for the Python worker there."""

from __future__ import annotations

import json
from typing import Any

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import ENVIRONMENT, DeviceError, DeviceFacts
from mlperf_mobile.printing import clean

TIMEOUT_S = 300.0
"""All backends are probed there, each in a process of its own."""
_IF_THERE = '[ -x "$1" ] || exit 127; exec "$@"'
_NOT_THERE = 127
_COMMAND = "from mlperf_mobile.cli.main import command; command()"


def ask(transport: Transport, address: str, *words: str) -> tuple[dict[str, Any], DeviceFacts]:
    """What ``mlperf-mobile WORDS --json`` prints on a device, and what the device is.

    Args:
        transport: Reaches the device, and is not entered yet.
        address: Its address.
        words: The command and its arguments.

    Raises:
        DeviceError: The device cannot be used; ``device-setup``: it has no environment, or one that does not work.
    """
    setup = f"mlperf-mobile devices setup {address}"
    with transport as device:
        facts = device.facts()
        if not facts.usable:
            raise DeviceError("device-unusable", f"{address}: {facts.reason}", facts.fix)
        argv = [f"{device.root}/{ENVIRONMENT}", "-P", "-c", _COMMAND, *words, "--json"]
        output = device.run(["sh", "-c", _IF_THERE, "sh", *argv], timeout_s=TIMEOUT_S)
    if output.returncode == _NOT_THERE and not output.stdout:
        why = f"{address} has no environment for the Python worker, so its backends are unknown"
        raise DeviceError("device-setup", why, f"{setup}; what else can run there: mlperf-mobile devices {address}")
    try:
        found = json.loads(output.stdout)
        if isinstance(found, dict) and found.get("schema") == 1:
            return found, facts
    except ValueError:
        pass
    lines = output.stderr.decode(errors="replace").strip().splitlines()
    why = clean(lines[-1])[:300] if lines else "it did not print JSON"
    raise DeviceError("device-setup", f"{address}: its environment does not answer: {why}", setup)
