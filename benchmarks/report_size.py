"""Measures a report page's size, and Chromium's time to open it, for synthetic runs of 100,000 latencies."""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

import chromium

from mlperf_mobile.results.latencies import FILE, append, summary
from mlperf_mobile_report.compare.sources import read_all
from mlperf_mobile_report.html.page import page
from mlperf_mobile_report.measures import shown
from mlperf_mobile_telemetry import summary as recording
from mlperf_mobile_telemetry import timeline

_ROUNDS = 7


def synthetic(folder: Path, count: int, seed: int) -> None:
    """A synthetic run: random latencies around 2 ms, a few slow ones, and a device that gets warm and slow."""
    chance = random.Random(seed)
    values: array[int] = array("q")
    for number in range(count):
        usual = 2e6 * (1 + 0.05 * seed + 0.25 * number / count)
        values.append(int(usual * math.exp(chance.gauss(0, 0.04)) * (6 if chance.random() < 5e-4 else 1)))
    folder.mkdir()
    append(folder / FILE, values)
    seconds = sum(values) / 1e9
    _telemetry(folder / timeline.FILE, seconds, count)
    (folder / "result.json").write_text(json.dumps(_result(seed, count, seconds, summary(values), folder)))


def _telemetry(path: Path, seconds: float, count: int) -> None:
    chance = random.Random(0)
    rows: list[dict[str, object]] = [{"telemetry": 1, "interval_s": 1.0, "energy_includes": {}}]
    joules = 0.0
    for second in range(int(seconds) + 4):
        share = min(max((second - 1) / seconds, 0.0), 1.0)
        joules += 3.2 + chance.random()
        heat = 34 + 26 * (1 - math.exp(-4 * share)) + chance.random()
        rows.append({
            "t_s": float(second), "samples": int(count * share), "temperature.cpu-0_celsius": heat,
            "temperature.skin_celsius": 30 + 9 * share, "frequency.policy0_mhz": 1800.0,
            "frequency.policy4_mhz": 2900.0 - (700 if share > 0.6 else 0), "energy.rapl.package-0_joules": joules,
            "throttle.cpu0.core_count": float(share > 0.6),
        })  # fmt: skip
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _result(seed: int, count: int, seconds: float, latency: dict[str, float], folder: Path) -> dict[str, Any]:
    return {
        "schema": 1, "run_id": f"synthetic-{seed}", "created": "2030-01-01T00:00:00+00:00", "status": "completed",
        "valid": True, "task": "synthetic", "benchmark": "synthetic", "suite": None,
        "model": {"name": "synthetic", "path": "/synthetic", "format": "none", "sha256": "00" * 32, "bytes": 1},
        "dataset": "synthetic", "performance_dataset": None, "backend": "synthetic", "runtime": f"synthetic {seed}",
        "accelerator": "cpu", "scenario": "single-stream", "mode": "both", "rule_set": "normal",
        "load": {"min_query_count": 1024, "percentile": 0.9},
        "rules": [{"name": "min-query-count", "ok": True, "observed": count, "required": 1024}],
        "performance": {"latency_ns": latency, "throughput": count / seconds, "queries": count, "samples": count,
                        "duration_s": seconds},
        "accuracy": {"metric": "top-1", "value": 0.76, "reference": 0.77, "target": 0.7546, "passed": True,
                     "samples": 1000, "duration_s": 2.0},
        "placement": {"operations": {"cpu": 60}, "kernels": {"xnnpack": 60}}, "system": {"batch": 1, "sessions": 1},
        "telemetry": recording.of(timeline.read(folder / timeline.FILE)),
        "seeds": {"qsl": 1, "sample_index": 2, "schedule": 3}, "versions": {"synthetic": f"{seed}.0"},
        "environment": {"cpu.model": "synthetic", "cpu.governor": "performance" if seed % 2 else "powersave"},
        "error": None, "directory": str(folder),
    }  # fmt: skip


def main() -> None:
    """Print bytes and times of pages with one result and with twelve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latencies", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="write the runs and the pages to this folder, and keep them")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = args.keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        for results in (1, 12):
            folders = [place / f"synthetic-{results}-{number}" for number in range(results)]
            for number, folder in enumerate(folders):
                synthetic(folder, args.latencies, number)
            report(place / f"report-{results}.html", folders, args.latencies)


def report(path: Path, folders: list[Path], count: int) -> None:
    """Write the page of these runs and open it."""
    started = time.perf_counter()
    entries, warnings = read_all([str(folder) for folder in folders])
    results, messages = shown(entries, warnings)
    path.write_text(page(results, entries, messages), encoding="utf-8")
    seconds = time.perf_counter() - started
    print(
        f"{len(folders)} results of {count:,} latencies: {path.stat().st_size / 1e3:,.0f} kB, made in {seconds:.2f} s"
    )
    program = chromium.find()
    if program is None:
        print("  not opened: no Chromium on PATH")
        return
    with chromium.browser(program) as browser:
        browser.screen(1440, 900)
        times = sorted(opened(browser, path) for _ in range(_ROUNDS))
    print(f"  loaded in {times[len(times) // 2]:.0f} ms (median of {_ROUNDS}, {times[0]:.0f} to {times[-1]:.0f})")


def opened(browser: chromium.Browser, path: Path) -> float:
    """Milliseconds from the start of the navigation until everything is laid out and drawn."""
    browser.open(path)
    return float(browser.value("performance.now()"))


if __name__ == "__main__":
    main()
