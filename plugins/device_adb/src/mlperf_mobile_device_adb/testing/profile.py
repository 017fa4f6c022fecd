"""What a stand-in claims to be, and how its heat and its battery behave: simple models of one thermal mass each."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

MAX_STATUS = 6
"""Android's thermal statuses go from 0 (none) to 6 (shutdown)."""


@dataclass(frozen=True)
class Profile:
    """The properties of a simulated phone. None of the figures describes a real one."""

    serial: str = "STANDIN0001"
    manufacturer: str = "MLPerf Mobile"
    model: str = "Stand-in 1"
    soc_manufacturer: str = "Stand-in"
    soc: str = "SI9999"
    board: str = "standin"
    abi: str = ""
    """Empty: that of this machine, whose programs run on the stand-in."""
    android: str = "15"
    sdk: int = 35
    security: str = "Enforcing"
    rooted: bool = False
    memory_bytes: int = 8 << 30
    storage_bytes: int = 16 << 30
    cores: tuple[int, ...] = (2_000_000, 2_000_000, 2_000_000, 3_200_000)
    """The highest frequency of each core in kHz."""
    has_shell_v2: bool = True
    """Android before 7.0 has no shell protocol."""
    ambient_c: float = 24.0
    warming_c: float = 26.0
    """By how much all cores at work raise the temperature in the end."""
    time_constant_s: float = 150.0
    limits_c: tuple[float, ...] = (39.0, 42.0, 45.0, 48.0, 52.0, 56.0)
    """Skin temperatures at which the thermal status becomes 1, 2, …"""
    battery_percent: float = 80.0
    battery_mah: float = 4500.0
    idle_ma: float = 120.0
    busy_ma: float = 1800.0
    charger: str = "usb"
    """``usb``, ``ac``, ``wireless`` or ``none``."""
    losses_per_hour: float = 0.0
    """How often the connection drops by itself, on average."""
    properties: dict[str, str] = field(default_factory=dict)
    """More system properties, or other values."""


_CHARGER_MA = {"usb": 500.0, "ac": 2500.0, "wireless": 1200.0, "none": 0.0}


class Body:
    """The changing part of a simulated phone. Time only advances by :meth:`advance`."""

    def __init__(self, profile: Profile, seed: int = 0) -> None:
        self.profile = profile
        self.charger = profile.charger
        self.battery_percent = profile.battery_percent
        self.warmth_c = 0.0
        """How much warmer than the surroundings it is."""
        self._random = random.Random(seed)  # noqa: S311  a simulation

    @property
    def skin_c(self) -> float:
        return self.profile.ambient_c + self.warmth_c

    @property
    def battery_c(self) -> float:
        return self.profile.ambient_c + 0.7 * self.warmth_c

    @property
    def status(self) -> int:
        """Android's thermal status."""
        return sum(self.skin_c >= limit for limit in self.profile.limits_c)

    @property
    def speed(self) -> float:
        """The share of the highest frequency that the thermal status leaves."""
        return max(0.2, 1.0 - 0.15 * self.status)

    def advance(self, seconds: float, load: float) -> bool:
        """Let time pass at a load from 0 to 1. True if the connection was lost meanwhile."""
        profile = self.profile
        share = math.exp(-seconds / profile.time_constant_s)
        self.warmth_c = profile.warming_c * load + (self.warmth_c - profile.warming_c * load) * share
        drawn = profile.idle_ma + (profile.busy_ma - profile.idle_ma) * load - _CHARGER_MA[self.charger]
        self.battery_percent -= 100 * drawn * seconds / 3600 / profile.battery_mah
        self.battery_percent = min(100.0, max(0.0, self.battery_percent))
        return self._random.random() < -math.expm1(-profile.losses_per_hour * seconds / 3600)
