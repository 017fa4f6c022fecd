"""Records the state of the device during the timed run, row by row."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import MeteredSession, ObservedRun, Observer
from mlperf_mobile.errors import described
from mlperf_mobile_telemetry import timeline
from mlperf_mobile_telemetry.files import Values
from mlperf_mobile_telemetry.sources import ROOT, Source, open_all

SHARE = 0.001
"""Maximum share of one CPU's time for a source; a slow one is read less often."""
ROWS_BEFORE_SLOWER = 1000
"""The interval is doubled each time after this many rows: a day has about 6400 rows."""
TIMED = "performance"
"""The phase that is recorded."""


@dataclass
class _ScheduledSource:
    """A source, and the time of its next reading."""

    source: Source
    due: float = 0.0


class Recorder(Observer):
    """Writes one row when the timed run begins, one per interval, and one when it ends.

    Values that cannot be read are missing; the error of a failing source is written, and it is not read again.
    """

    def __init__(self, options: Any = None, root: Path = ROOT) -> None:
        """Sources are opened when the timed run begins; ``root`` is the folder of ``sys`` and ``proc``."""
        super().__init__(options)
        self._root = root
        self._sources: list[_ScheduledSource] = []
        self._file: int | None = None
        self._started = 0.0
        self._rows = 0

    def start(self, run: ObservedRun) -> None:
        self._run = run

    def begin(self, phase: str) -> None:
        """Raises: OSError: The file cannot be written; the same for all other methods."""
        if phase != TIMED or self._run.plan.telemetry_interval_s <= 0:
            return
        self.interval_s, counters = self._run.plan.telemetry_interval_s, self._run.counters
        self._started = time.monotonic()
        self._sources = [_ScheduledSource(source) for source in open_all(self._root)]
        self._sources += [_ScheduledSource(_PluginCounter(name, counter)) for name, counter in counters.items()]
        path = self._run.directory / timeline.FILE
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        includes = {name: str(counter.energy_includes)[:200] for name, counter in counters.items()}
        self._write({"telemetry": 1, "interval_s": self.interval_s, "energy_includes": includes})
        self._row(everything=True)

    def sample(self) -> None:
        self._row()
        if self._rows % ROWS_BEFORE_SLOWER == 0:
            self.interval_s *= 2

    def end(self, phase: str) -> None:
        if phase == TIMED and self._file is not None:
            self._row(everything=True)
            self.stop()

    def stop(self) -> None:
        self.interval_s = 0.0
        for timed in self._sources:
            timed.source.close()
        self._sources = []
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _row(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        row: Values = {timeline.TIME: round(now - self._started, 3), timeline.ANSWERED: self._run.answered()}
        for timed in [*self._sources]:
            if now < timed.due and not everything:
                continue
            began = time.thread_time()
            try:
                row |= {name: round(value, 6) for name, value in timed.source.values().items()}
            except Exception as error:  # noqa: BLE001  a plugin's counter may do anything
                self._sources.remove(timed)
                self._write({timeline.TROUBLE: described(error)[:200]})
            timed.due = now + (time.thread_time() - began) / SHARE
        self._write(row)
        self._rows += 1

    def _write(self, row: Mapping[str, object]) -> None:
        assert self._file is not None
        os.write(self._file, json.dumps(row).encode() + b"\n")  # readers ignore an incomplete line


class _PluginCounter:
    """A plugin's energy counter as a source."""

    def __init__(self, name: str, counter: MeteredSession) -> None:
        self._name, self._counter = f"energy.plugin.{name}_joules", counter

    def values(self) -> Values:
        joules = float(self._counter.energy_joules())
        return {self._name: joules} if math.isfinite(joules) else {}

    def close(self) -> None:
        """The plugin owns the counter."""
