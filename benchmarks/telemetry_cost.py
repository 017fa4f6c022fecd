"""Measures telemetry's cost: single-stream with and without it, alternating in one process, ratios pair by pair.

A machine with few sensors would underestimate it: ``--zones`` and ``--policies`` add a phone's files, stand-ins on a
file system in memory, which are read like real ones but without waiting for a sensor.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from array import array
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import harness

from mlperf_mobile.contracts import Artifact, ObservedRun, Session
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.testing.observing import watched
from mlperf_mobile.worker.system import System
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_telemetry import timeline
from mlperf_mobile_telemetry.recorder import Recorder
from mlperf_mobile_telemetry.sources import open_all


@dataclass(frozen=True)
class Recording:
    """The part of a plan that the recorder reads."""

    telemetry_interval_s: float


def main() -> None:
    """Print the cost of one row, and for each model the p90 without and with telemetry, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help=".tflite files")
    parser.add_argument("--threads", type=int, default=2, help="threads of the model")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between rows")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds per run")
    parser.add_argument("--pairs", type=int, default=20, help="runs of each kind")
    parser.add_argument("--zones", type=int, default=100, help="thermal zones of the stand-in device")
    parser.add_argument("--policies", type=int, default=8, help="frequency policies of the stand-in device")
    args = parser.parse_args()
    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as folder:
        root = device(Path(folder), args.zones, args.policies)
        print(f"load before: {os.getloadavg()[0]:.2f}; one row takes {row_cost(root) * 1e6:.0f} us of CPU time")
        print(
            f"{'model':32} {'p90 without us':>15} {'p90 with us':>12} {'ratio':>8} {'quartiles':>17} {'p50 ratio':>10}"
        )
        for model in args.models:
            compare(model, root, args)
    print(f"load after: {os.getloadavg()[0]:.2f} (about 1.0 of it from this benchmark)")


def device(root: Path, zones: int, policies: int) -> Path:
    """A stand-in for a phone's ``/sys``, with this machine's ``/proc``."""
    (root / "proc").symlink_to("/proc")
    files: dict[str, object] = {}
    for number in range(policies):
        folder = f"sys/devices/system/cpu/cpufreq/policy{number}"
        files |= {f"{folder}/{name}": 2000000 for name in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")}
    for number in range(zones):
        folder = f"sys/class/thermal/thermal_zone{number}"
        files |= {f"{folder}/type": f"sensor-{number}", f"{folder}/temp": 41000 + number}
    battery = {
        "type": "Battery",
        "status": "Discharging",
        "capacity": 80,
        "current_now": -900000,
        "voltage_now": 4000000,
    }
    files |= {f"sys/class/power_supply/battery/{name}": value for name, value in battery.items()}
    for path, value in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{value}\n")
    return root


def row_cost(root: Path) -> float:
    """Seconds of CPU time to read everything once."""
    opened = open_all(root)
    began = time.thread_time()
    for _ in range(100):
        for source in opened:
            source.values()
    cost = (time.thread_time() - began) / 100
    for source in opened:
        source.close()
    return cost


def compare(model: Path, root: Path, args: argparse.Namespace) -> None:
    """One model: pairs of runs, alternately starting without and with telemetry; a first pair is not counted."""
    session = TFLiteBackend(TFLiteOptions.model_validate({"threads": args.threads})).load(Artifact(model, "cpu"))
    expected, pairs = best_ns(session), []
    for number in range(args.pairs + 1):
        kinds = (False, True) if number % 2 else (True, False)
        pair = {kind: once(session, root, args.interval if kind else 0.0, args.seconds, expected) for kind in kinds}
        pairs.append(pair)
    del pairs[0]
    ratios = {name: [pair[True][name] / pair[False][name] for pair in pairs] for name in ("p50", "p90")}
    without, added = (harness.median([pair[kind]["p90"] for pair in pairs]) / 1e3 for kind in (False, True))
    low, middle, high = statistics.quantiles(ratios["p90"], n=4)
    print(
        f"{model.name:32} {without:>15.2f} {added:>12.2f} {middle:>8.4f} {low:>8.4f}-{high:.4f} "
        f"{harness.median(ratios['p50']):>10.4f}",
        flush=True,
    )


def best_ns(session: Session) -> int:
    """The latency of the fastest of several calls, from which LoadGen sizes its queries."""
    sample, found = harness.RandomInputs(session.inputs).sample(0), []
    for _ in range(50):
        began = time.perf_counter_ns()
        session.run(sample)
        found.append(time.perf_counter_ns() - began)
    return min(found)


def once(session: Session, root: Path, interval: float, seconds: float, expected_ns: int) -> dict[str, float]:
    """One run: latency percentiles in nanoseconds, from LoadGen's log."""
    with harness.quiet_watch() as watch, tempfile.TemporaryDirectory() as folder:
        system = System([session], 1, harness.FirstNumber(), harness.RandomInputs(session.inputs), watch)
        latencies: array[int] = array("q")
        watch.save(latencies)
        run = ObservedRun(Recording(interval), Path(folder), lambda: len(latencies), {})  # type: ignore[arg-type]
        with watched(Recorder(root=root), run) if interval else nullcontext():
            load = harness.load(seconds, 64, expected_ns)
            result = SingleStream(None).run(system, load, latencies, Path(folder))
        if interval:
            rows = len(timeline.read(Path(folder) / timeline.FILE).answered)
            assert rows >= seconds / interval, f"{rows} rows only"
        return dict(result.latency_ns)


if __name__ == "__main__":
    main()
