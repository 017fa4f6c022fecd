"""What this device is called, as Android says it, or a board's device tree, or a PC's firmware."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_native_libraries.android import property_of

LIMIT = 256
"""Characters of a name."""

ROOT = Path("/")


def model() -> str:
    """Android's ``Build.MODEL`` where there is one: ``"SM-S928B"``; empty if nothing is known."""
    return _property("ro.product.model") or _file("proc/device-tree/model") or _file("sys/class/dmi/id/product_name")


def manufacturer() -> str:
    """Android's ``Build.MANUFACTURER`` where there is one: ``"samsung"``; empty if nothing is known."""
    tree = _file("proc/device-tree/compatible").partition(",")[0]
    return _property("ro.product.manufacturer") or tree or _file("sys/class/dmi/id/sys_vendor")


def _property(name: str) -> str:
    return property_of(name).strip()[:LIMIT]


def _file(path: str) -> str:
    try:
        with (ROOT / path).open("rb") as file:
            return _clean(file.read(4 * LIMIT))
    except OSError:
        return ""


def _clean(data: bytes) -> str:
    """The first of NUL-terminated strings."""
    return data.partition(b"\0")[0].decode(errors="replace").strip()[:LIMIT]
