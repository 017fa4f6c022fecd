"""The state of a simulated device: it warms while it runs, cools while it rests, drains, charges, is lost and boots."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mlperf_mobile.contracts import DeviceFacts, DeviceLost
from mlperf_mobile.names import as_file_name
from mlperf_mobile.resources.folder import default_folder
from mlperf_mobile_farm.simulated.target import Target

WARM_S, COOL_S = 240.0, 420.0
"""Time constants of warming and cooling, in seconds."""
RISE_C = 22.0
"""Degrees above the room that a device reaches when it runs for ever."""
LIMITS_C = (39.0, 42.0, 45.0)
"""Temperatures at which the thermal status becomes 1, 2 and 3."""
SLOWER = (1.0, 1.0, 1.15, 1.4)
"""Factors of the latency, by thermal status."""
DRAIN_PER_H, CHARGE_PER_H = 12.0, 25.0
"""Percent of the battery, on a charger: a run takes more than it supplies."""


@dataclass(frozen=True, slots=True)
class State:
    """A device at one moment."""

    at: float
    """Seconds since 1970."""
    temperature_c: float
    percent: float
    runs: int = 0
    """The number of runs so far."""
    boots: int = 0
    runs_now: bool = False
    lost_until: float = 0.0

    def later(self, now: float, ambient: float) -> State:
        """The same device at a later time, if it went on with what it does."""
        seconds = max(0.0, now - self.at)
        aim, constant = (ambient + RISE_C, WARM_S) if self.runs_now else (ambient, COOL_S)
        temperature = aim + (self.temperature_c - aim) * math.exp(-seconds / constant)
        change = -DRAIN_PER_H if self.runs_now else CHARGE_PER_H
        percent = min(100.0, max(1.0, self.percent + change * seconds / 3600))
        return replace(self, at=max(now, self.at), temperature_c=temperature, percent=percent)

    @property
    def thermal_status(self) -> int:
        """As Android reports it: 0 (none) to 3 (severe)."""
        return sum(self.temperature_c >= limit for limit in LIMITS_C)


class Physics:
    """A simulated device whose state is kept in a file, for the processes that use it one after the other.

    Args:
        target: The device.
        folder: The folder for the file; one in the user's cache by default.
        clock: Returns seconds since 1970.
    """

    def __init__(self, target: Target, clock: Callable[[], float], folder: Path | None = None) -> None:
        self.target, self._clock = target, clock
        folder = folder or default_folder() / "simulated"
        self._path = folder / f"{as_file_name(f'{target.name}-{target.seed}')}.json"

    def now(self) -> State:
        """The device now."""
        return self._read().later(self._clock(), self.target.ambient)

    def facts(self) -> DeviceFacts:
        """What the device reports.

        Raises:
            DeviceLost: It is lost at the moment.
        """
        state, target = self.now(), self.target
        if state.at < state.lost_until:
            hint = f"simulated devices return after {target.absent:g} s"
            raise DeviceLost(f"the simulated device {target.name} does not answer", hint)
        return DeviceFacts(
            address=f"simulated:{target.name}",
            manufacturer="simulated",
            model=target.model,
            serial=f"SIM{target.random('serial').randrange(10**8):08d}",
            soc=target.soc,
            os=target.os,
            abi="simulated",
            boot_id=str(uuid.UUID(int=target.random(f"boot {state.boots}").getrandbits(128))),
            temperature_c=round(state.temperature_c, 2),
            thermal_status=state.thermal_status,
            battery_percent=round(state.percent, 1),
            charging=True,
            more={"simulated": True},
        )

    def begin(self) -> State:
        """A run begins."""
        state = replace(self.now(), runs_now=True)
        state = replace(state, runs=state.runs + 1)
        self._write(state)
        return state

    def end(self) -> State:
        """The run has ended."""
        state = replace(self.now(), runs_now=False)
        self._write(state)
        return state

    def lose(self) -> None:
        """The device is lost for a while; every other time, because it boots."""
        state = self.now()
        boots = state.boots + self.target.random(f"boots {state.runs}").randrange(2)
        lost_until = state.at + self.target.absent
        self._write(replace(state, runs_now=False, boots=boots, lost_until=lost_until))

    def _read(self) -> State:
        with suppress(OSError, ValueError, TypeError):
            return State(**json.loads(self._path.read_text()))
        return State(self._clock(), self.target.ambient, self.target.percent)

    def _write(self, state: State) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(state)))
        temporary.replace(self._path)
