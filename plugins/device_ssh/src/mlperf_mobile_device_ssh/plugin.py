"""Offers machines as devices, over ssh."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import Need, Ref, TransportInfo, hookimpl

_SSH = Need(
    what="the OpenSSH client", programs=("ssh",), fix="install it (Debian, Ubuntu: apt-get install openssh-client)"
)


@hookimpl
def mlperf_mobile_transports() -> Iterable[TransportInfo]:
    """Offer the transport."""
    yield TransportInfo(
        name="ssh",
        summary="boards and other Linux machines, over OpenSSH",
        transport=Ref("mlperf_mobile_device_ssh.transport:Ssh"),
        runner="python",
        needs=(_SSH,),
        hook_api=(2, 1),
    )
