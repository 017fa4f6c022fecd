"""The device's model and manufacturer, from Android, a board's device tree or a PC's firmware."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_native_libraries.android import property_of

LIMIT = 256
"""Maximum length of a name in characters."""

ROOT = Path("/")


def model() -> str:
    """The model, on Android ``Build.MODEL``, such as ``"SM-S928B"``; empty if unknown."""
    return _property("ro.product.model") or _file("proc/device-tree/model") or _file("sys/class/dmi/id/product_name")


def manufacturer() -> str:
    """The manufacturer, on Android ``Build.MANUFACTURER``, such as ``"samsung"``; empty if unknown."""
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
    """The first of several NUL-terminated strings."""
    return data.partition(b"\0")[0].decode(errors="replace").strip()[:LIMIT]
