"""What a device reports about itself before and after the timed run, as rows of the run's telemetry.

Nothing is read during the timed run: it would disturb what is measured. Two rows show the charger, the thermal status,
the caps of frequencies and the temperatures; heat that came and went in between is not seen. A recording that the
worker on the device made has the series that it lacks added. ``mlperf-mobile-telemetry`` reads the file, and judges
``on-battery`` and ``no-throttling`` by it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import DeviceFacts
from mlperf_mobile.errors import MobileError
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.results import observed
from mlperf_mobile.results.store import output_errors
from mlperf_mobile.whole_files import writing

FILE = "telemetry.jsonl"
KEPT = ".device-telemetry.jsonl"
"""The rows of the device in the run's folder, until the run has ended; a run that is taken up finds the first one."""
MOST_SERIES = 500
_MOST_KEPT = 1 << 20
_MOST_BYTES = 64 << 20
"""A larger recording of the worker stays as it is."""
_MOST_LINE = 1 << 16
_SERIES = (
    (re.compile(r"(cpu[0-9]+)\.mhz"), "frequency.{}_mhz"),
    (re.compile(r"(cpu[0-9]+)\.cap_mhz"), "cap.{}_mhz"),
    (re.compile(r"(cpu[0-9]+)\.max_mhz"), "hardware.{}_mhz"),
    (re.compile(r"(?:thermal|zone)\.(.{1,48})_c"), "temperature.{}_celsius"),
)
"""Names in :attr:`DeviceFacts.more`, and the series of a recording that they become."""


def series(facts: DeviceFacts) -> dict[str, float]:
    """Current values by the names of telemetry's series; see ``docs/telemetry.md``."""
    found: dict[str, float] = {}
    more = {name: value for name, value in facts.more.items() if not isinstance(value, bool | str)}
    for name, value in more.items():
        for pattern, target in _SERIES:
            if (match := pattern.fullmatch(name)) and len(found) < MOST_SERIES:
                found[target.format(re.sub(r"[^A-Za-z0-9 ,:@()+._-]", "_", match[1]))] = float(value)
    if facts.temperature_c is not None:
        has_battery = facts.battery_percent is not None
        found["battery.device_celsius" if has_battery else "temperature.device_celsius"] = facts.temperature_c
    if facts.battery_percent is not None:
        found["battery.device_percent"] = facts.battery_percent
    if facts.charging is not None:
        found["power.external_flag"] = float(facts.charging)
        found["battery.discharging_flag"] = float(not facts.charging)
    if facts.thermal_status is not None:
        found["firmware.thermal_status_flag"] = float(facts.thermal_status)
    return found


class Recording:
    """The rows of one run.

    Args:
        folder: The folder of the run on this machine.
        clock: Returns seconds since 1970.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = folder, clock

    def add(self, samples: int, facts: DeviceFacts) -> None:
        """Add a row.

        Args:
            samples: Samples completed so far: 0 before the timed run, all of them after it.
            facts: What the device reports now.

        Raises:
            OutputError: It cannot be written.
        """
        row = {"at": self._clock(), "samples": samples, **series(facts)}
        with output_errors(self._folder), (self._folder / KEPT).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def finish(self) -> bool:
        """Write the rows into the run's telemetry, or add to that of the worker what it lacks; False without rows.

        Raises:
            OutputError: It cannot be written.
        """
        rows = self._rows()
        path = self._folder / FILE
        if not rows or (path.is_file() and path.stat().st_size > _MOST_BYTES):
            return False
        lines = _added(path, rows) if path.is_file() else _alone(rows)
        with output_errors(path), writing(path) as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        (self._folder / KEPT).unlink(missing_ok=True)
        return True

    def _rows(self) -> list[dict[str, Any]]:
        try:
            with (self._folder / KEPT).open(encoding="utf-8") as file:
                lines = file.read(_MOST_KEPT).splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        return [row for line in lines if (row := _row(line)) and {"at", "samples"} <= row.keys()]


def _alone(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A recording of nothing but the rows."""
    began = rows[0]["at"]
    head = {"telemetry": 1, "interval_s": 0, "energy_includes": {}}
    timed = ({"t_s": round(max(0.0, row.pop("at") - began), 3), **row} for row in rows)
    return [head, *timed]


def _added(path: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The worker's recording; its last row before the timed run and its first after it get what it has nowhere."""
    with path.open("rb") as file:
        lines = [row for line in iter(lambda: file.readline(_MOST_LINE), b"") if (row := _row(line))]
    has = {name for line in lines for name in line}
    timed = [line for line in lines if isinstance(line.get("samples"), int | float)]
    total = max((line["samples"] for line in timed), default=0)
    before = [line for line in timed if line["samples"] == 0][-1:]
    after = [line for line in timed if line["samples"] == total][:1] if total else []
    for row in rows:
        new = {name: value for name, value in row.items() if name not in has and name != "at"}
        for line in after if row["samples"] else before:
            line.update(new)
    return lines


def _row(line: str | bytes) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        if isinstance(found := json.loads(line), dict):
            return found
    return {}


def judged(plan: Plan, folder: Path, value: Any) -> Any:
    """The observers' parts as the worker reported them, with that of telemetry made anew from the completed file.

    Args:
        plan: The plan of the run.
        folder: Its folder on this machine.
        value: The worker's ``observed``, as JSON data.
    """
    try:
        reported = observed.Observed.model_validate(value)
        offer = installed_plugins().observers.get(observed.TELEMETRY)
    except (ValueError, MobileError):
        return value
    if offer is None:
        return value
    new = observed.read_one(offer, plan, folder)
    taken = {rule.name for rule in new.rules}
    rules = [*(rule for rule in reported.rules if rule.name not in taken), *new.rules]
    found = observed.Observed(
        parts=reported.parts | new.parts, rules=rules, warnings=[*reported.warnings, *new.warnings]
    )
    return found.model_dump(mode="json")
