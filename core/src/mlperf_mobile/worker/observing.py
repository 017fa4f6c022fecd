"""Runs the observers of a run, each in its own thread; no failure of an observer stops the run."""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

from mlperf_mobile.contracts import MeteredSession, ObservedRun, Observer
from mlperf_mobile.errors import MobileError, described
from mlperf_mobile.options import check_defaults, constructed
from mlperf_mobile.plan import Plan
from mlperf_mobile.plugin import ObserverInfo
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.results import observed
from mlperf_mobile.worker.channel import Channel

LIMIT_S = 5.0
"""How long the run waits for an observer."""
LEAST_INTERVAL_S, LONGEST_INTERVAL_S = 0.01, 86400.0
"""Bounds of the interval between two samples."""
NICENESS = 5
"""Added to the nice value of the process."""


class Observers:
    """The observers of a run, from its start to its end.

    Args:
        registry: The installed plugins.
        plan: Names the observers.
        channel: Receives their parts of the result.
        directory: The run's folder.
        latencies: Grows with each answered sample.
        counters: Energy counters, filled in when sessions are loaded.
    """

    def __init__(
        self,
        registry: Registry,
        plan: Plan,
        channel: Channel,
        directory: Path,
        latencies: Sequence[int],
        counters: Mapping[str, MeteredSession],
    ) -> None:
        self._registry, self._plan, self._channel, self._directory = registry, plan, channel, directory
        self._pid = os.getpid()
        self._run = ObservedRun(plan, directory, lambda: len(latencies), counters)
        self._keepers = [
            Keeper(name, partial(_made, offer, plan.observers[name]))
            for name, offer in registry.observers.items()
            if name in plan.observers
        ]

    def __enter__(self) -> Self:
        for keeper in self._keepers:
            keeper.start()
        self._call_all("start", self._run)
        return self

    def __exit__(self, *error: object) -> None:
        self._call_all("stop")

    def report(self) -> None:
        """Report the observers' parts of the result; an observer may crash here, so the run's end is reported first."""
        if os.getpid() == self._pid:
            self._channel.measured(observed.OBSERVED, self._parts())

    def begin(self, phase: str) -> None:
        """A phase begins."""
        self._call_all("begin", phase)

    def end(self, phase: str) -> None:
        """A phase ends."""
        self._call_all("end", phase)

    def _parts(self) -> dict[str, Any]:
        """The observers' parts of the result and warnings about failed ones, as JSON data."""
        found = observed.read(self._registry, self._plan, self._directory, trace=True)
        missing = sorted(self._plan.observers.keys() - self._registry.observers.keys())
        found.warnings += [f"observer {name} is not installed" for name in missing]
        offers = self._registry.observers
        found.warnings += [observed.warning(offers[each.name], each.trouble) for each in self._keepers if each.trouble]
        return found.model_dump(mode="json")

    def _call_all(self, step: str, *given: object) -> None:
        """Call a method of every working observer and wait for it; an observer that hangs is abandoned.

        A child process that a library forked does not have their threads.
        """
        if os.getpid() != self._pid:
            return
        calls = [(keeper, keeper.post(step, *given)) for keeper in self._keepers]
        limit = time.monotonic() + LIMIT_S
        for keeper, done in calls:
            if not done.wait(max(0.0, limit - time.monotonic())):
                keeper.give_up(f"{keeper.step or step} did not return within {LIMIT_S:g} s")


class Keeper(threading.Thread):
    """One observer and its thread, the only one that calls its methods.

    Args:
        name: The name of the observer and of the thread.
        make: Creates the observer, in the thread.
    """

    def __init__(self, name: str, make: Callable[[], Observer]) -> None:
        super().__init__(name=name, daemon=True)
        self.trouble = ""
        """Why it is no longer called."""
        self.step = ""
        """The method that is being called."""
        self._make = make
        self._calls: queue.SimpleQueue[tuple[str, tuple[object, ...], threading.Event]] = queue.SimpleQueue()
        self._observer: Observer | None = None
        self._interval_s = 0.0

    def post(self, step: str, *given: object) -> threading.Event:
        """Queue a call of a method; the event is set when it has returned, or never will."""
        done = threading.Event()
        if self.trouble:
            done.set()
        else:
            self._calls.put((step, given, done))
        return done

    def give_up(self, why: str) -> None:
        """Stop calling the observer, which hangs; if its method ever returns, the observer is stopped."""
        self.trouble = self.trouble or why
        self._calls.put(("stop", (), threading.Event()))

    def run(self) -> None:
        _step_back()
        due, step = math.inf, ""
        while step != "stop":
            try:
                step, given, done = self._calls.get(timeout=None if due == math.inf else max(0.0, due - _now()))
            except queue.Empty:
                self._call("sample")
                due = max(due + self._interval_s, _now())  # missed samples are skipped
            else:
                self._call(step, *given)
                done.set()
                due = min(due, _now() + self._interval_s)
            due = due if self._interval_s else math.inf

    def _call(self, step: str, *given: object) -> None:
        """Call a method; if it raises, the observer is stopped and not called again."""
        if self.trouble:
            self._interval_s = 0.0
            if step == "stop" and self._observer is not None:
                with suppress(BaseException):
                    self._observer.stop()
            return
        self.step = step
        try:
            self._observer = self._observer or self._make()
            getattr(self._observer, step)(*given)
            interval = float(self._observer.interval_s)
            self._interval_s = min(max(interval, LEAST_INTERVAL_S), LONGEST_INTERVAL_S) if interval > 0 else 0.0
        except BaseException as error:  # noqa: BLE001  an observer may do anything
            why = error.summary if isinstance(error, MobileError) else described(error)
            self.trouble, self._interval_s = f"{step} failed: {why}", 0.0
            if step != "stop":
                self._calls.put(("stop", (), threading.Event()))
        self.step = ""


_now = time.monotonic


def _made(offer: Offer[ObserverInfo], options: Mapping[str, Any]) -> Observer:
    check_defaults("observer", offer)
    made: Observer = constructed("observer", offer, options)
    return made


def _step_back() -> None:
    """Lower the priority of the calling thread; on Linux, each thread has its own priority."""
    with suppress(OSError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
