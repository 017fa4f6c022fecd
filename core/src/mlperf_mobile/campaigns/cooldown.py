"""Lets the device rest between performance runs: for a fixed time, or until it is as cool as before the first run."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import partial

from mlperf_mobile.contracts import Baseline
from mlperf_mobile.plugin import Ref
from mlperf_mobile.registry import Registry
from mlperf_mobile.results.observed import attempted, within
from mlperf_mobile.terms import Cooldown

INTERVAL_S = 1.0
"""Seconds between two readings of the device."""
LOOK_S = 10.0
"""Timeout of one reading."""


@dataclass(frozen=True, slots=True)
class Rest:
    """How long the device rested, and why the rest ended."""

    seconds: float
    reason: str
    """``"fixed"``, ``"baseline"``, ``"limit"``: not back at the baseline in time, ``"unknown"``: no baseline."""


def look(registry: Registry, names: Container[str] | None = None) -> dict[str, Baseline]:
    """The current state of the device, by each of the named observers, or by all.

    An observer that fails, or does not answer within :data:`LOOK_S`, is left out.
    """
    baselines = {}
    for name, offer in registry.observers.items():
        if offer.info.baseline is None or (names is not None and name not in names):
            continue
        baseline = attempted(partial(within, LOOK_S, partial(_known, offer.info.baseline)), None)
        if baseline is not None:
            baselines[name] = baseline
    return baselines


DEGREES = 2.0
"""Maximum °C above its first temperature at which a device has cooled down."""


@dataclass(frozen=True, slots=True)
class DeviceBaseline:
    """The heat of a device, as its transport reports it."""

    temperature_c: float | None
    thermal_status: int | None
    """Android's, from 0 (none) to 6 (shutdown)."""

    @property
    def is_known(self) -> bool:
        return self.temperature_c is not None or self.thermal_status is not None

    def is_back(self, now: DeviceBaseline) -> bool:
        """Whether the device is as cool as it was; what it does not report any more is ignored."""
        return _at_most(now.temperature_c, self.temperature_c, DEGREES) and _at_most(
            now.thermal_status, self.thermal_status, 0
        )


def _at_most(now: float | None, before: float | None, margin: float) -> bool:
    return now is None or before is None or now <= before + margin


def look_at_device(registry: Registry, address: str) -> dict[str, Baseline]:
    """The current state of the device with that address, by its transport; empty if it cannot be read."""
    kind, _, target = address.partition(":")

    def ask() -> Baseline | None:
        with registry.transports[kind].info.transport.load()(target) as transport:
            facts = transport.facts()
        baseline = DeviceBaseline(facts.temperature_c, facts.thermal_status)
        return baseline if baseline.is_known else None

    baseline = attempted(partial(within, LOOK_S, ask), None)
    return {address: baseline} if baseline is not None else {}


def _known(look_at: Ref[Callable[[], Baseline]]) -> Baseline | None:
    baseline = look_at.load()()
    return baseline if baseline.is_known else None


def is_back(baseline: Mapping[str, Baseline], now: Mapping[str, Baseline]) -> bool:
    """Whether every observer that still answers reports the device as it was.

    An observer that fails, or does not answer within :data:`LOOK_S`, does not report it.
    """
    known = [name for name in baseline if name in now]
    work = partial(within, LOOK_S, lambda: all(baseline[name].is_back(now[name]) for name in known))
    return bool(known) and attempted(work, False)


def rest(
    kind: Cooldown,
    limit_s: float,
    baseline: Mapping[str, Baseline],
    tick: Callable[[float, float], None],
    now: Callable[[], Mapping[str, Baseline]],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Rest:
    """Wait between two runs.

    Args:
        kind: ``fixed`` waits for ``limit_s``; ``baseline`` at most that long.
        limit_s: Seconds.
        baseline: State of the device before the first run, by observer; empty if unknown.
        tick: Called with the seconds waited and the limit, about once a second.
        now: Returns the current state of the device, by observer.
        sleep: Waits for the given seconds.
        clock: Returns seconds.
    """
    started = clock()
    looking = kind is Cooldown.BASELINE and bool(baseline)
    reason = "fixed" if kind is Cooldown.FIXED else "limit" if looking else "unknown"
    while (waited := clock() - started) < limit_s:
        if looking and is_back(baseline, now()):
            reason = "baseline"
            break
        tick(waited, limit_s)
        sleep(min(INTERVAL_S, limit_s - waited))
    return Rest(round(clock() - started, 3), reason)
