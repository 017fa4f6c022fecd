"""Temperatures, and what the kernel does about them: cooling devices, throttle counters.

Formats: Documentation/driver-api/thermal/sysfs-api.rst and Documentation/hwmon/sysfs-interface.rst of Linux 6.6;
``thermal_throttle`` of arch/x86 (drivers/thermal/intel/therm_throt.c); ``get_throttled`` of Raspberry Pi's firmware.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlperf_mobile_telemetry.files import Gauges, OpenFile, Values, folders, number, open_file, text

COLDEST, HOTTEST = -40.0, 200.0
"""Plausible °C; other values are of sensors that are not connected or not thermometers."""

_NOT_HEAT = re.compile(r"[vi]bat|vph|bcl", re.IGNORECASE)
"""Qualcomm's thermal zones of battery voltage and current (pm8150b-vbat-lvl0), in mV and mA."""


def temperatures(root: Path) -> Gauges:
    """Thermal zones and hwmon sensors, by their kernel names, in °C."""
    gauges, zones = Gauges(), set()
    for folder in folders(root / "sys/class/thermal", "thermal_zone[0-9]*"):
        kind = text(folder / "type") or folder.name
        zones.add(kind.replace("-", "_"))
        if not _NOT_HEAT.search(kind):
            _add(gauges, kind, folder / "temp")
    for folder in folders(root / "sys/class/hwmon", "hwmon[0-9]*"):
        chip = text(folder / "name") or folder.name
        if chip in zones:  # the kernel lists thermal zones here again, with "_" for "-"
            continue
        for path in folders(folder, "temp[0-9]*_input"):
            place = path.name.removesuffix("_input")
            _add(gauges, f"{chip}.{text(folder / f'{place}_label') or place}", path)
    return gauges


def _add(gauges: Gauges, kind: str, path: Path) -> None:
    """Add a sensor in millidegrees; within 1 °C of 0 it is off, or not a temperature (``soc``: percent)."""
    now = number(path)
    if now is not None and abs(now) >= 1000:
        gauges.add(f"temperature.{kind}", "celsius", path, 1e-3, COLDEST, HOTTEST)


def cooling(root: Path) -> Gauges:
    """States of cooling devices, by their kernel names; 0 is off, higher is more cooling or throttling."""
    gauges = Gauges()
    for folder in folders(root / "sys/class/thermal", "cooling_device[0-9]*"):
        gauges.add(f"cooling.{text(folder / 'type') or folder.name}", "state", folder / "cur_state", low=-1, high=1e6)
    return gauges


def throttle_counters(root: Path) -> Gauges:
    """How often each x86 CPU and its package were throttled since the system started."""
    gauges = Gauges()
    for folder in folders(root / "sys/devices/system/cpu", "cpu[0-9]*/thermal_throttle"):
        for kind in ("core", "package"):
            gauges.add(f"throttle.{folder.parent.name}.{kind}", "count", folder / f"{kind}_throttle_count")
    return gauges


_FIRMWARE_BITS = {"low_voltage": 0, "frequency_capped": 1, "throttled": 2, "soft_limit": 3}


class Firmware:
    """The current throttling flags of a Raspberry Pi's firmware, as 0 or 1."""

    def __init__(self, root: Path) -> None:
        self._file: OpenFile | None = open_file(root / "sys/devices/platform/soc/soc:firmware/get_throttled")

    def values(self) -> Values:
        held = self._file.bytes().strip() if self._file else b""
        if not re.fullmatch(rb"(0x)?[0-9a-fA-F]{1,8}", held):
            return {}
        bits = int(held, 16)
        return {f"firmware.{name}_flag": float(bits >> bit & 1) for name, bit in _FIRMWARE_BITS.items()}

    def close(self) -> None:
        if self._file:
            self._file.close()
