"""Compares the quickstart's accuracy run with bare threads that infer the same number of images, in alternating rounds.

LoadGen needs a fixed time to close its logs, regardless of their size (it polls every 10 ms): a tenth of the smallest
run. So the ratio is also printed against bare threads plus LoadGen's own time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import harness

from mlperf_mobile import loadgen
from mlperf_mobile.terms import Seeds
from mlperf_mobile.worker.system import cores

QUICKSTART = files("mlperf_mobile_task_image_classification") / "quickstart"
IMAGES = 10_000
TARGET = 0.95
RESPONSE = bytes(4)


def main() -> None:
    """Print the seconds of both and the ratios for each quickstart model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(f"{IMAGES} images, {cores()} cores, target: at least {TARGET} of bare threads")
    for name in ("fashion_mobilenet_int8", "fashion_mobilenet_float32"):
        model = Path(str(QUICKSTART / f"{name}.tflite"))
        rounds = [(bare(model), logging(), framework(name)) for _ in range(args.rounds)]
        threads, log, ours = (harness.median([each[n] for each in rounds]) for n in range(3))
        ratio = harness.median([bare_s / our_s for bare_s, _, our_s in rounds])
        logged = harness.median([(bare_s + log_s) / our_s for bare_s, log_s, our_s in rounds])
        print(f"{name:28} bare threads {threads:.3f} s, LoadGen alone {log:.3f} s, accuracy run {ours:.3f} s")
        print(f"{'':28} ratio {ratio:.3f}, with LoadGen's own time {logged:.3f} (target {TARGET})", flush=True)


def bare(model: Path) -> float:
    """Seconds of one bare loop per core over encoded images in memory."""
    return IMAGES / harness.bare_threads(model, IMAGES, cores())


def logging() -> float:
    """Seconds that LoadGen needs for an accuracy run that is answered immediately."""

    def issue(ids: list[int], indices: list[int]) -> None:
        loadgen.Responder().complete_all(ids, [RESPONSE] * len(ids))

    samples = loadgen.SampleLibrary(IMAGES, IMAGES, lambda _: None, lambda _: None)
    with tempfile.TemporaryDirectory() as logs:
        started = time.perf_counter()
        loadgen.run(loadgen.accuracy_settings(Seeds(qsl=1, sample_index=2, schedule=3)), samples, issue, Path(logs))
        return time.perf_counter() - started


def framework(name: str) -> float:
    """Seconds of ``mlperf-mobile run``'s accuracy run, with decoding, encoding, logging and scoring."""
    with tempfile.TemporaryDirectory() as output:
        command = [
            str(Path(sys.executable).with_name("mlperf-mobile")), "run", "image_classification", "--model", name,
            "--mode", "accuracy", "--json", "--quiet", "--output", output,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, check=True)
    accuracy: dict[str, Any] = json.loads(done.stdout)["results"][0]["accuracy"]
    assert accuracy["samples"] == IMAGES
    return float(accuracy["duration_s"])


if __name__ == "__main__":
    main()
