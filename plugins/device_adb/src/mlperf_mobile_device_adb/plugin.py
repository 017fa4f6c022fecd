"""Offers phones as devices, over adb."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import Need, Ref, TransportInfo, hookimpl

_ADB = Need(
    what="adb", programs=("adb",),
    fix="install the platform tools of the Android SDK (Debian, Ubuntu: apt-get install adb)",
)  # fmt: skip


@hookimpl
def mlperf_mobile_transports() -> Iterable[TransportInfo]:
    """Offer the transport."""
    yield TransportInfo(
        name="adb",
        summary="Android phones, over USB or Wi-Fi",
        transport=Ref("mlperf_mobile_device_adb.transport:Adb"),
        runner="native",
        needs=(_ADB,),
        hook_api=(2, 1),
    )
