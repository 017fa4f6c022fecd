"""What a simulated device reports about a run: events with numbers that are simulated, and say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from mlperf_mobile import events
from mlperf_mobile.contracts import DeviceLost
from mlperf_mobile.performance_score import latency
from mlperf_mobile.plan import Plan
from mlperf_mobile.results.observed import OBSERVED
from mlperf_mobile_farm.simulated.physics import SLOWER, Physics

WHY = "a simulated device: nothing was measured, all numbers are simulated"
STEP_S = 5.0
"""Seconds between two reports of progress."""
_QUERIES = 1024
_FACTS = (
    "address", "manufacturer", "model", "serial", "soc", "os", "abi", "boot_id", "temperature_c", "thermal_status",
    "battery_percent", "charging", "more",
)  # fmt: skip


def measure(device: Physics, plan: Plan, address: str, wait: Callable[[float], None]) -> Iterator[events.Event]:
    """The events of a run, in the time that it takes.

    Args:
        device: The device.
        plan: The run.
        address: The device's address.
        wait: Waits for the given seconds, and may raise to end the run.

    Raises:
        DeviceLost: The device is lost, now or during the run.
    """
    facts = asdict(device.facts())
    before = device.begin()
    dice = device.target.random(f"run {before.runs}")
    try:
        yield events.Phase(name="load")
        yield events.Measured(part="device", value={name: facts[name] for name in _FACTS} | {"address": address})
        backend = {"runtime": "simulated", "functional_only": WHY}
        yield events.Measured(part="backend", value=backend)
        yield events.Measured(part=OBSERVED, value={})
        lasts = device.target.lasts if device.target.lasts is not None else plan.load.min_duration_s
        lost_after = lasts * dice.random() if dice.random() < device.target.loss else None
        name = "performance" if plan.has_performance else "accuracy"
        yield events.Phase(name=name)
        done = 0.0
        end = lasts if lost_after is None else lost_after
        while done < end:
            wait(min(STEP_S, end - done))
            done = min(end, done + STEP_S)
            if done < lasts:
                yield events.Progress(
                    phase=name, done=int(done), total=int(lasts), fraction=done / lasts, elapsed_s=done,
                    left_s=lasts - done,
                )  # fmt: skip
        if lost_after is not None:
            device.lose()
            raise DeviceLost(f"the simulated device {device.target.name} was lost during the run", "run it again")
        if plan.has_performance:
            factor = SLOWER[device.now().thermal_status]
            yield events.Measured(part="performance", value=_performance(device, plan, lasts, factor, before.runs))
        if plan.has_accuracy:
            yield events.Measured(part="warnings", value=["a simulated device has no outputs, and no accuracy"])
        yield events.Ended()
    finally:
        if device.now().runs_now:
            device.end()


def _performance(device: Physics, plan: Plan, lasts: float, factor: float, number: int) -> dict[str, Any]:
    """Latencies by the device, with a tail, slower when it is hot."""
    typical = device.target.random("speed").uniform(2e6, 12e6) * factor
    values = np.random.default_rng(device.target.random(f"latencies {number}").getrandbits(64)).gamma(
        40, 1 / 40, _QUERIES
    )
    values *= typical
    points = {f"p{percent}": float(np.percentile(values, percent)) for percent in (50, 90, 95, 97, 99)}
    points |= {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}
    score = latency(plan.load.percentile, float(np.percentile(values, plan.load.percentile * 100)))
    return {
        "latency_ns": points,
        "throughput": 1e9 / points["mean"],
        "queries": _QUERIES,
        "samples": _QUERIES,
        "duration_s": lasts,
        "latency_source": "simulated",
        "score": asdict(score),
    }
