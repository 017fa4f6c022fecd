"""Reads what Android's services and files say about a phone. Nothing here raises: what cannot be read is left out.

All of it comes from the device, and vendors change it: unknown lines are skipped, numbers are checked to be plausible,
and lists are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlperf_mobile.printing import clean

MOST = 256
"""Maximum entries of any list."""
MOST_TEXT = 128
"""Maximum characters of a text."""
_COLDEST_C, _HOTTEST_C = -60.0, 200.0
_PROPERTY = re.compile(r"^\[([A-Za-z0-9_.:-]{1,128})\]: \[(.*)\]\s*$")
_FIELD = re.compile(r"^\s{0,8}([A-Za-z][A-Za-z ]{0,40}):\s*(\S.{0,60}?)\s*$")
_SENSOR = re.compile(
    r"Temperature\{mValue=(-?[0-9]{1,9}(?:\.[0-9]{1,9})?), mType=(-?[0-9]{1,3}), mName=([^,}]{1,64}), mStatus=([0-9])\}"
)
_STATUS = re.compile(r"^Thermal Status: ([0-9])\r?$", re.MULTILINE)
_CHARGERS = {"AC powered": "ac", "USB powered": "usb", "Wireless powered": "wireless", "Dock powered": "dock"}
_BATTERY_STATUS = {2: "charging", 3: "discharging", 4: "not charging", 5: "full"}
SENSOR_KINDS = {0: "cpu", 1: "gpu", 2: "battery", 3: "skin", 4: "usb", 5: "amplifier", 9: "npu", 10: "tpu"}
"""Android's types of temperatures that have a name here; 6 to 8 are limits of the battery, not temperatures."""


def text(raw: str) -> str:
    """One line of the device, for people: stripped, printable, at most 128 characters."""
    return clean(raw.strip()[:MOST_TEXT])


def integer(raw: str, low: int, high: int) -> int | None:
    """A decimal integer between two bounds, or None."""
    raw = raw.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", raw, re.ASCII):
        return None
    number = int(raw)
    return number if low <= number <= high else None


def properties(output: str) -> dict[str, str]:
    """``getprop``: system properties by name. A value of several lines is left out."""
    found = {}
    for line in output.splitlines():
        if match := _PROPERTY.match(line):
            found[match[1]] = text(match[2])
            if len(found) == 20 * MOST:
                break
    return found


@dataclass(frozen=True, slots=True)
class Battery:
    """``dumpsys battery``; None where it does not say."""

    percent: float | None = None
    temperature_c: float | None = None
    voltage_mv: int | None = None
    status: str = ""
    """``charging``, ``discharging``, ``not charging`` or ``full``."""
    charger: str = ""
    """What supplies it: ``usb``, ``ac``, ``wireless``, ``dock``, several joined by ``+``, or ``none``."""
    present: bool | None = None
    faked: bool = False
    """The state was set by ``dumpsys battery set`` or ``unplug``, so it is not the real one."""

    @property
    def is_supplied(self) -> bool | None:
        """Whether a charger supplies the device; None if it is not known, or faked."""
        return None if self.faked or not self.charger else self.charger != "none"


def battery(output: str) -> Battery:
    """``dumpsys battery``. A field that is given twice counts with its first value: vendors append theirs."""
    fields: dict[str, str] = {}
    for line in output[: 1 << 16].splitlines():
        if match := _FIELD.match(line):
            fields.setdefault(match[1], match[2])
    level, scale = integer(fields.get("level", ""), 0, 10**6), integer(fields.get("scale", ""), 1, 10**6)
    percent = 100 * level / scale if level is not None and scale is not None and level <= scale else None
    tenths = integer(fields.get("temperature", ""), int(10 * _COLDEST_C), int(10 * _HOTTEST_C))
    powered = {name: fields[key] for key, name in _CHARGERS.items() if fields.get(key) in ("true", "false")}
    chargers = "+".join(name for name, value in powered.items() if value == "true") or "none"
    present = fields.get("present", "")
    return Battery(
        percent=percent,
        temperature_c=tenths / 10 if tenths is not None else None,
        voltage_mv=integer(fields.get("voltage", ""), 1000, 100_000),
        status=_BATTERY_STATUS.get(integer(fields.get("status", ""), 0, 9) or 0, ""),
        charger=chargers if powered else "",
        present=present == "true" if present in ("true", "false") else None,
        faked="UPDATES STOPPED" in output[: 1 << 16],
    )


@dataclass(frozen=True, slots=True)
class Thermal:
    """``dumpsys thermalservice``."""

    status: int | None = None
    """0 (none) to 6 (shutdown)."""
    temperatures: Mapping[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    """By the sensor's name: its kind, one of :data:`SENSOR_KINDS` or empty, and degrees Celsius."""

    def hottest(self, kind: str) -> float | None:
        """The highest temperature of a kind of sensor."""
        return max((celsius for each, celsius in self.temperatures.values() if each == kind), default=None)


def thermal(output: str) -> Thermal:
    """``dumpsys thermalservice``: current temperatures of the HAL; those that it cached, if there are no others."""
    output = output[: 1 << 18]
    status = _STATUS.search(output)
    number = int(status[1]) if status and int(status[1]) <= 6 else None
    _, current, rest = output.partition("Current temperatures from HAL:")
    sensors = _sensors(rest.partition("Current cooling devices")[0]) if current else {}
    if not sensors:
        sensors = _sensors(output.partition("Cached temperatures:")[2].partition("HAL Ready")[0])
    return Thermal(number, sensors)


def _sensors(part: str) -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for value, kind, name, _ in _SENSOR.findall(part)[:MOST]:
        is_limit = int(kind) in (6, 7, 8) or int(kind) < 0
        # A sensor that reads exactly 0 is not fitted.
        if not is_limit and float(value) != 0 and _COLDEST_C <= float(value) <= _HOTTEST_C:
            found[text(name)] = (SENSOR_KINDS.get(int(kind), ""), float(value))
    return found


def zones(output: str) -> dict[str, float]:
    """Thermal zones, a line each: ``TYPE MILLIDEGREES``; some kernels give whole degrees."""
    found: dict[str, float] = {}
    for line in output.splitlines()[:MOST]:
        name, _, raw = line.strip().rpartition(" ")
        number = integer(raw, int(1000 * _COLDEST_C), int(1000 * _HOTTEST_C))
        if name and number:
            celsius = number / 1000 if abs(number) > _HOTTEST_C else float(number)
            found.setdefault(text(name), celsius)
    return found


@dataclass(frozen=True, slots=True)
class Core:
    """The clock of one CPU core, in MHz; None where it cannot be read."""

    governor: str
    mhz: float | None
    cap_mhz: float | None
    """The highest that is allowed now."""
    max_mhz: float | None
    """The highest of the hardware."""


def cores(output: str) -> dict[str, Core]:
    """Cores by name, from lines ``cpuN|GOVERNOR|CURRENT|CAP|MAXIMUM`` in kHz."""
    found = {}
    for line in output.splitlines()[:MOST]:
        name, *values = line.strip().split("|")
        if re.fullmatch(r"cpu[0-9]{1,3}", name) and len(values) == 4 and any(values):
            mhz = [khz / 1000 if (khz := integer(raw, 1, 10**8)) else None for raw in values[1:]]
            found[name] = Core(text(values[0]), *mhz)
    return found


def wakefulness(output: str) -> str:
    """``dumpsys power``: ``awake``, ``asleep``, ``dozing`` or ``dreaming``; empty if it does not say."""
    match = re.search(r"^[ \t]*mWakefulness=(Awake|Asleep|Dozing|Dreaming)\r?$", output, re.MULTILINE)
    return match[1].lower() if match else ""


@dataclass(frozen=True, slots=True)
class Doze:
    """``dumpsys deviceidle``: whether each kind of doze is enabled, and its state; None or empty if not known."""

    light: bool | None = None
    deep: bool | None = None
    state: str = ""


def doze(output: str) -> Doze:
    """``dumpsys deviceidle``."""
    flags = {name: value == "true" for name, value in re.findall(r"\bm(Light|Deep)Enabled=(true|false)\b", output)}
    state = re.search(r"^[ \t]*mState=([A-Z_]{1,30})\b", output, re.MULTILINE)
    return Doze(flags.get("Light"), flags.get("Deep"), state[1].lower() if state else "")


def free_bytes(output: str) -> int | None:
    """``df -k``: the available bytes; a long device name moves the numbers to a line of their own."""
    lines = output.strip().splitlines()
    words = " ".join(lines[1:][-2:]).split()
    for place, word in enumerate(words):
        if re.fullmatch(r"[0-9]{1,3}%", word, re.ASCII) and place >= 3:
            numbers = [integer(raw, 0, 1 << 50) for raw in words[place - 3 : place]]
            available = numbers[-1]
            return available * 1024 if available is not None and None not in numbers else None
    return None


def mount_options(output: str, path: str) -> frozenset[str]:
    """The options of the mount that a path is on, from ``/proc/mounts``; empty if it is not known."""
    best, options = "", frozenset[str]()
    for point, words in _mounts(output):
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, options = point, words
    return options


def _mounts(output: str) -> Iterator[tuple[str, frozenset[str]]]:
    for line in output.splitlines()[: 16 * MOST]:
        words = line.split()
        if len(words) >= 4:
            yield words[1], frozenset(words[3].split(","))


def memory_bytes(output: str) -> int | None:
    """``/proc/meminfo``: all memory."""
    match = re.search(r"^MemTotal:[ \t]*([0-9]{1,15}) kB", output, re.MULTILINE | re.ASCII)
    return int(match[1]) * 1024 if match else None


def boot_id(output: str) -> str:
    """``/proc/sys/kernel/random/boot_id``; empty if it is not one."""
    found = output.strip().lower()
    return found if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found) else ""
