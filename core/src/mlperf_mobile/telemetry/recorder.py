"""Writes down what the device does, row by row, in a thread beside the timed run."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from mlperf_mobile.telemetry import summary, timeline
from mlperf_mobile.telemetry.files import Values
from mlperf_mobile.telemetry.sources import ROOT, Source, open_all

SHARE = 0.001
"""Of one processor's time that one source may cost: a slow one is read less often than the others."""
ROWS_BEFORE_SLOWER = 1000
"""After so many rows the interval is doubled, and again after as many: a day makes some 7000 rows."""
LEAST_INTERVAL_S = 0.01
NICENESS = 5
"""More than the process has."""
_STOP_S = 5.0


class EnergyCounter(Protocol):
    """A counter that a plugin knows how to read; called from a thread of its own while sessions work."""

    @property
    def energy_includes(self) -> str:
        """Which parts of the device it counts: ``the NPU and its memory``."""
        ...

    def energy_joules(self) -> float:
        """Joules since any moment; never less than before."""
        ...


@dataclass
class _Timed:
    """A source, and when it may be read again."""

    source: Source
    due: float = 0.0


class Recorder:
    """A context around the timed run: it starts with one row, and ends with one.

    Nothing that goes wrong here ends the run: what cannot be read is missing, and what cannot be written is told in
    the summary.
    """

    def __init__(
        self,
        directory: Path,
        interval_s: float,
        answered: Callable[[], int],
        counters: Mapping[str, EnergyCounter] | None = None,
        root: Path = ROOT,
    ) -> None:
        """Nothing is opened before the context is entered.

        Args:
            directory: The run's folder.
            interval_s: Seconds between rows; 0 for no telemetry at all.
            answered: How many samples have been answered so far.
            counters: Energy counters of plugins, by name.
            root: Where ``sys`` and ``proc`` are.
        """
        self._path, self._interval, self._answered, self._root = directory / timeline.FILE, interval_s, answered, root
        self._counters = dict(counters or {})
        self._sources: list[_Timed] = []
        self._file: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._started = 0.0
        self._trouble = ""

    def __enter__(self) -> Self:
        if self._interval > 0:
            try:
                self._open()
                self._thread.start()
            except Exception as error:  # noqa: BLE001  telemetry never ends a run
                self._trouble = f"{type(error).__name__}: {error}"[:200]
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        if not self._thread.ident:
            return
        self._thread.join(_STOP_S)
        if self._thread.is_alive():  # inside of a counter that does not answer
            self._trouble = self._trouble or "a source did not answer in time"
            return
        self._row(everything=True)
        for timed in self._sources:
            timed.source.close()
        self._close()

    def summary(self) -> dict[str, Any] | None:
        """What happened between start and end; None when there was no telemetry to be recorded."""
        if self._interval <= 0:
            return None
        told = summary.of(timeline.read(self._path))
        return told | {"trouble": self._trouble} if self._trouble else told

    def _open(self) -> None:
        self._started = time.monotonic()
        self._sources = [_Timed(source) for source in open_all(self._root)]
        self._sources += [_Timed(_Plugged(name, counter)) for name, counter in self._counters.items()]
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        includes = {name: str(counter.energy_includes)[:200] for name, counter in self._counters.items()}
        self._write({"telemetry": 1, "interval_s": self._interval, "energy_includes": includes})
        self._row(everything=True)

    def _work(self) -> None:
        with suppress(OSError):
            thread = threading.get_native_id()  # on Linux priorities are those of threads
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
        interval, rows, due = max(self._interval, LEAST_INTERVAL_S), 1, time.monotonic()
        while self._file is not None:
            due = max(due + interval, time.monotonic())  # rows that were missed are not made up for
            if self._stop.wait(due - time.monotonic()):
                return
            self._row()
            rows += 1
            if rows % ROWS_BEFORE_SLOWER == 0:
                interval *= 2

    def _row(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        row: Values = {timeline.TIME: round(now - self._started, 3), timeline.ANSWERED: self._answered()}
        for timed in [*self._sources]:
            if now < timed.due and not everything:
                continue
            began = time.thread_time()
            try:
                row |= {name: round(value, 6) for name, value in timed.source.values().items()}
            except Exception as error:  # noqa: BLE001  a plugin's counter may do anything
                self._sources.remove(timed)
                self._trouble = f"{type(error).__name__}: {error}"[:200]
            timed.due = now + (time.thread_time() - began) / SHARE
        self._write(row)

    def _write(self, row: Mapping[str, object]) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, json.dumps(row).encode() + b"\n")
        except OSError as error:  # a torn line is left out by whoever reads it
            self._trouble = f"{self._path.name}: {error.strerror}"
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None


class _Plugged:
    """A plugin's counter as a source, counting from where it stood at first."""

    def __init__(self, name: str, counter: EnergyCounter) -> None:
        self._name, self._counter = f"energy.plugin.{name}_joules", counter

    def values(self) -> Values:
        joules = float(self._counter.energy_joules())
        return {self._name: joules} if math.isfinite(joules) else {}

    def close(self) -> None:
        """The counter is the plugin's."""
