"""What a Linux machine reports about itself: one script, and the facts in what it prints."""

from __future__ import annotations

import re
from typing import Any

from mlperf_mobile.contracts.transport import DeviceFacts, Plain
from mlperf_mobile.printing import clean

SCRIPT = r"""
say() { printf '%s=%s\n' "$1" "$(tr -d '\000\n' 2>/dev/null | head -c 200)"; }
first() { for each; do [ -r "$each" ] && { cat "$each" 2>/dev/null; return; }; done; }
uname -m | say machine
uname -r | say kernel
uname -n | say host
cat /proc/sys/kernel/random/boot_id 2>/dev/null | say boot_id
first /proc/device-tree/model /sys/firmware/devicetree/base/model /sys/class/dmi/id/product_name | say model
first /proc/device-tree/compatible /sys/devices/soc0/soc_id | tr '\000' ' ' | say soc
first /sys/class/dmi/id/sys_vendor | say vendor
first /proc/device-tree/serial-number /sys/devices/soc0/serial_number | say serial
( . /etc/os-release 2>/dev/null && printf '%s' "$PRETTY_NAME" ) | say os
for zone in /sys/class/thermal/thermal_zone*; do
    [ -r "$zone/temp" ] && printf 'zone=%s\n' "$(cat "$zone/temp" 2>/dev/null)"
done
for supply in /sys/class/power_supply/*; do
    [ -r "$supply/type" ] || continue
    case $(cat "$supply/type") in
        Battery)
            [ "$(cat "$supply/scope" 2>/dev/null)" = Device ] && continue
            cat "$supply/capacity" 2>/dev/null | say battery
            cat "$supply/status" 2>/dev/null | say status ;;
    esac
done
place=$1
while [ ! -d "$place" ]; do place=$(dirname "$place"); done
df -Pk "$place" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _ && printf 'free=%s\n' "$free"; }
date +%s | say now
python3 -c 'import platform; print(platform.python_version())' 2>/dev/null | say python
exit 0
"""
"""``SCRIPT root``: lines of ``name=value``, values without line ends and at most 200 bytes."""

_LINE = re.compile(r"([a-z_]{1,20})=(.{0,400})")
_LOW_C, _HIGH_C = -50, 200
"""Readings outside are those of a sensor that is off."""


def facts(address: str, text: bytes) -> DeviceFacts:
    """The facts in the output of :data:`SCRIPT`."""
    found, zones = parse(text)
    soc = found.get("soc", "").split()
    charging = {"Charging": True, "Full": True, "Not charging": True, "Discharging": False}
    more: dict[str, Plain] = {name: found[name] for name in ("kernel", "host", "python") if found.get(name)}
    more = {f"device.{name}": value for name, value in more.items()}
    return DeviceFacts(
        address=address,
        manufacturer=found.get("vendor", ""),
        model=found.get("model", ""),
        serial=found.get("serial", ""),
        soc=soc[-1].rpartition(",")[2] if soc else "",
        os=found.get("os", ""),
        abi=found.get("machine", ""),
        boot_id=found.get("boot_id", ""),
        temperature_c=max(zones, default=None),
        battery_percent=_number(found.get("battery"), 0, 100),
        charging=charging.get(found["status"]) if "status" in found else None,
        free_bytes=_bytes(found.get("free")),
        more=more,
    )


def parse(text: bytes) -> tuple[dict[str, str], list[float]]:
    """The values by name, the first of each, and the temperatures of all zones in degrees Celsius."""
    found: dict[str, str] = {}
    zones: list[float] = []
    for line in text[: 1 << 16].decode(errors="replace").split("\n"):
        if not (matched := _LINE.fullmatch(line)):
            continue
        name, value = matched[1], clean(matched[2]).strip()[:200]
        if name == "zone":
            degrees = _number(value, 1000 * _LOW_C, 1000 * _HIGH_C)
            zones += [degrees / 1000] if degrees is not None else []
        elif value:
            found.setdefault(name, value)
    return found, zones


def _number(text: Any, least: float, most: float) -> float | None:
    if isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", text) and least <= float(text) <= most:
        return float(text)
    return None


def _bytes(text: str | None) -> int | None:
    return int(text) << 10 if text and re.fullmatch(r"[0-9]{1,15}", text) else None
