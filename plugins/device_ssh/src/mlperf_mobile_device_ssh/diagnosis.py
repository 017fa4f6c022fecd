"""What the client's last words mean, and what to do about them."""

from __future__ import annotations

import re

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile.printing import clean

_REFUSALS: tuple[tuple[str, str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "its host key has changed",
        "find out why; if the device was set up anew, forget the old key: ssh-keygen -R {host}",
    ),
    (r"Host key verification failed", "its host key is not known", "connect once by hand, and compare it: ssh {login}"),
    (
        r"Permission denied|Too many authentication failures|no more authentication methods",
        "it refuses the login",
        "set up a key without a passphrase, or an agent: ssh-copy-id {login}",
    ),
    (r"Could not resolve hostname", "its name is not known", "check the name, and ~/.ssh/config"),
    (r"[Bb]ad (owner or )?permissions on|Bad configuration option|terminating, .* bad configuration",
     "the client's configuration is refused", "run ssh {login}, and see what it reports"),
)  # fmt: skip
_LOSSES: tuple[tuple[str, str, str], ...] = (
    (r"Connection refused", "it refuses the connection", "start its ssh server, and check the port"),
    (
        r"timed out|Timeout, server|not responding",
        "it does not answer",
        "check that it is on, and that the network reaches it",
    ),
    (r"No route to host|Network is unreachable", "no network reaches it", "check the network and the address"),
)
_SHOWN = 300


def explained(address: str, login: str, host: str, text: bytes, otherwise: str) -> DeviceError:
    """The error for a client that did not reach the device.

    Args:
        address: ``ssh:TARGET``.
        login: What to give to ``ssh`` to reach it by hand.
        host: Its name or address.
        text: The client's standard error.
        otherwise: What happened, if its words say nothing.
    """
    words = text[-20_000:].decode(errors="replace")
    for kind, table in ((DeviceError, _REFUSALS), (DeviceLost, _LOSSES)):
        for pattern, why, fix in table:
            if re.search(pattern, words):
                summary, hint = f"{address}: {why}", fix.format(login=login, host=host)
                return (
                    DeviceLost(summary, hint) if kind is DeviceLost else DeviceError("device-unusable", summary, hint)
                )
    lines = [clean(line.strip()) for line in words.splitlines() if line.strip()]
    return DeviceLost(f"{address}: {(lines[-1] if lines else otherwise)[:_SHOWN]}", f"try by hand: ssh {login}")
