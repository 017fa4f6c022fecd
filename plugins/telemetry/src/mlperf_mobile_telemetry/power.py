"""Power of the device and its supply: chargers, batteries, and RAPL's energy counters.

Formats: Documentation/ABI/testing/sysfs-class-power and Documentation/power/powercap/powercap.rst of Linux 6.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mlperf_mobile_telemetry.files import Gauges, OpenFile, Values, folders, name, number, open_file, text

CHARGERS = ("mains", "usb", "wireless", "ups")
_PLUGGED = {b"Charging", b"Full", b"Not charging"}
_STATES = {b"Discharging", b"Unknown"} | _PLUGGED
_FULLEST = 2**32 * 1_000_000
"""Maximum µJ of a RAPL counter: 32 bits of at most 1 J each."""
_MOST_AMPERES, _MOST_VOLTS, _MOST_WATTS = 100.0, 100.0, 1000.0


class Supplies:
    """Chargers and batteries of the device itself; those of mice and pens (``scope``: ``Device``) are left out."""

    def __init__(self, root: Path) -> None:
        self._batteries: list[OpenFile] = []
        self._chargers: list[OpenFile] = []
        self._gauges = Gauges()
        for folder in folders(root / "sys/class/power_supply", "*"):
            kind = text(folder / "type").lower()
            if text(folder / "scope") == "Device":
                continue
            if kind == "battery":
                self._battery(folder)
            elif kind.startswith(CHARGERS):
                self._keep(self._chargers, folder / "online")

    def _battery(self, folder: Path) -> None:
        self._keep(self._batteries, folder / "status")
        battery, add = f"battery.{name(folder.name)}", self._gauges.add
        add(battery, "percent", folder / "capacity", 1.0, 0.0, 100.0)
        add(battery, "volts", folder / "voltage_now", 1e-6, 0.5, _MOST_VOLTS)
        # The sign differs between drivers; the status gives the direction.
        add(battery, "amperes", folder / "current_now", 1e-6, -_MOST_AMPERES, _MOST_AMPERES)
        add(battery, "watts", folder / "power_now", 1e-6, -_MOST_WATTS, _MOST_WATTS)
        add(battery, "celsius", folder / "temp", 0.1, -40.0, 150.0)
        add(battery, "full_ampere_hours", folder / "charge_full", 1e-6, 0.0, 1000.0)

    def _keep(self, where: list[OpenFile], path: Path) -> None:
        if (opened := open_file(path)) is not None:
            where.append(opened)

    def external(self) -> bool | None:
        """Whether a charger or the mains supplies the device; None if unknown.

        An online charger decides, else a battery that charges, is full, or discharges. An offline charger does not
        decide, because the kernel may not know another one.
        """
        if any(file.number() in (1, 2) for file in self._chargers):
            return True
        states = {file.bytes().strip() for file in self._batteries}
        if states & _PLUGGED:
            return True
        return False if b"Discharging" in states else None

    def values(self) -> Values:
        found = self._gauges.values()
        states = _STATES.intersection(file.bytes().strip() for file in self._batteries)
        if states:
            found["battery.discharging_flag"] = float(b"Discharging" in states)
        external = self.external()
        if external is not None:
            found["power.external_flag"] = float(external)
        return found

    def close(self) -> None:
        self._gauges.close()
        for file in (*self._batteries, *self._chargers):
            file.close()


@dataclass
class _Counter:
    """One RAPL domain: a counter of microjoules that wraps around to 0."""

    file: OpenFile
    full: int
    last: int
    total: int = field(default=0)

    def joules(self) -> float | None:
        """Joules since it was opened; correct if it is read more often than it wraps around, which takes minutes."""
        now = self.file.number()
        if now is None or not 0 <= now <= self.full:
            return None
        self.total += now - self.last if now >= self.last else self.full - self.last + now + 1
        self.last = now
        return self.total * 1e-6


class Rapl:
    """Energy in joules since it was opened, by RAPL domain: ``package-0``, ``package-0.dram``, ``psys``.

    Only root may read them on most systems. The same package under ``intel-rapl-mmio`` is left out if both exist.
    """

    def __init__(self, root: Path) -> None:
        self._counters: dict[str, _Counter] = {}
        parent = root / "sys/class/powercap"
        zones = [*folders(parent, "intel-rapl:*")] or [*folders(parent, "intel-rapl-mmio:*")]
        for zone in zones:
            domain = text(zone / "name") or name(zone.name)
            if zone.name.count(":") > 1:
                domain = f"{text(parent / zone.name.rpartition(':')[0] / 'name')}.{domain}"
            full, last, file = (
                number(zone / "max_energy_range_uj"), number(zone / "energy_uj"), open_file(zone / "energy_uj")
            )  # fmt: skip
            series = f"energy.rapl.{domain}_joules"
            if file is None:
                continue
            if full is None or last is None or not 0 <= last <= full <= _FULLEST or series in self._counters:
                file.close()
                continue
            self._counters[series] = _Counter(file, full, last)

    def values(self) -> Values:
        found = ((name, counter.joules()) for name, counter in self._counters.items())
        return {name: joules for name, joules in found if joules is not None}

    def close(self) -> None:
        for counter in self._counters.values():
            counter.file.close()
