"""All sources of telemetry on this device, and the readings that are taken between runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from mlperf_mobile_telemetry import frequency, heat
from mlperf_mobile_telemetry.files import Values
from mlperf_mobile_telemetry.power import Rapl, Supplies
from mlperf_mobile_telemetry.process import Process

ROOT = Path("/")


class Source(Protocol):
    """Something that can be read repeatedly at low cost."""

    def values(self) -> Values:
        """The current values; a series that cannot be read is left out."""
        ...

    def close(self) -> None: ...


KINDS: tuple[Callable[[Path], Source], ...] = (
    frequency.frequencies, frequency.caps, heat.temperatures, heat.cooling, heat.throttle_counters, heat.Firmware,
    Supplies, Rapl, Process,
)  # fmt: skip


def open_all(root: Path = ROOT) -> list[Source]:
    """Every source that has values on this device; tests pass another ``root``."""
    found = []
    for kind in KINDS:
        source = kind(root)
        if source.values():
            found.append(source)
        else:
            source.close()
    return found


def temperatures(root: Path = ROOT) -> dict[str, float]:
    """Current temperatures in °C, by the kernel's sensor name; empty if none can be read."""
    return _named(heat.temperatures(root))


def frequencies(root: Path = ROOT) -> dict[str, float]:
    """Current frequencies in MHz, by CPU policy (``policy0``) or device; empty if none can be read."""
    return _named(frequency.frequencies(root))


def on_external_power(root: Path = ROOT) -> bool | None:
    """Whether a charger or the mains supplies the device; None if unknown, as on most desktop machines."""
    with closing(Supplies(root)) as supplies:
        return supplies.external()


def battery_level(root: Path = ROOT) -> float | None:
    """The lowest battery level in percent; None without a battery."""
    with closing(Supplies(root)) as supplies:
        return min((value for name, value in supplies.values().items() if name.endswith("_percent")), default=None)


def _named(source: Source) -> dict[str, float]:
    with closing(source):
        return {name.partition(".")[2].rpartition("_")[0]: value for name, value in source.values().items()}
